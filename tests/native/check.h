// What the stand-alone checks of the kernels share: tensors on the heap (so that a sanitizer sees every byte out of
// bounds), seeded random numbers, comparison with double references, and one instruction set chosen by the compiler's
// flags. Build: see tests/native/README.md.
#pragma once

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "../../native/cpu/operand.h"
#include "../../native/runtime/block.h"

namespace check {

using namespace athanor;
using namespace athanor::ATHANOR_ISA;

inline int failures = 0, checks = 0;

struct Random {
  uint64_t state;
  explicit Random(uint64_t seed) : state(seed * 0x9e3779b97f4a7c15 + 1) {}
  uint64_t bits() {
    uint64_t z = state += 0x9e3779b97f4a7c15;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
  }
  double uniform() { return double(bits() >> 11) * 0x1p-53; }
  int64_t below(int64_t n) { return int64_t(bits() % uint64_t(n)); }
  double normal() { return std::sqrt(-2 * std::log(1 - uniform())) * std::cos(6.283185307179586 * uniform()); }
};

// How many random cases to try: ThreadSanitizer is ten times slower, and what threads do depends little on shapes; under
// AddressSanitizer half of them do, since every case also runs between guard pages.
inline int rounds(int cases) {
#ifdef __SANITIZE_THREAD__
  return cases / 10 + 1;
#elif defined(__SANITIZE_ADDRESS__)
  return cases / 2 + 1;
#else
  return cases;
#endif
}

// A tensor with its own memory of exactly the bytes it may touch; `gap` elements lie between rows. With
// ATHANOR_GUARD_PAGES set it touches a page that may not be touched, at its end (so that it begins at any multiple of an
// element) or at its start; otherwise a sanitizer watches.
struct Tensor {
  View view{};
  std::byte* memory = nullptr;
  std::shared_ptr<Block> guarded;
  Tensor(std::vector<int64_t> shape, DType dtype = DType::f32, int64_t gap = 0) {
    view.rank = int32_t(shape.size());
    view.dtype = dtype;
    for (size_t i = 0; i < shape.size(); i++) view.shape[i] = shape[i];
    view.stride0 = view.cols() + gap;
    const size_t bytes = size_t(extent() * elementBytes(dtype));
    if (Block::guard() != Block::Guard::none) guarded = Block::allocate(bytes);
    memory = guarded != nullptr ? guarded->data() : static_cast<std::byte*>(std::malloc(bytes + 1));
    view.data = memory;
    std::memset(memory, 0x7f, size_t(extent() * elementBytes(dtype)));
  }
  Tensor(const Tensor&) = delete;
  Tensor(Tensor&& other) : view(other.view), memory(other.memory), guarded(std::move(other.guarded)) { other.memory = nullptr; }
  ~Tensor() { if (guarded == nullptr) std::free(memory); }
  int64_t extent() const { return view.size() == 0 ? 0 : (view.rows() - 1) * view.stride0 + view.cols(); }
  int64_t size() const { return view.size(); }
  int64_t offset(int64_t i) const { return view.size() == 0 ? 0 : i / view.cols() * view.stride0 + i % view.cols(); }
  double get(int64_t i) const { return scalarAt(view, offset(i)); }
  void set(int64_t i, double value) {
    const int64_t at = offset(i);
    if (view.dtype == DType::i32) view.as<int32_t>()[at] = int32_t(value);
    else if (view.dtype == DType::bf16) view.as<bf16>()[at] = toBf16(float(value));
    else view.as<float>()[at] = float(value);
  }
  Tensor& fill(const std::function<double(int64_t)>& value) {
    for (int64_t i = 0; i < size(); i++) set(i, value(i));
    return *this;
  }
  Tensor& normal(Random& random, double scale = 1) { return fill([&](int64_t) { return scale * random.normal(); }); }
  std::vector<double> values() const {
    std::vector<double> out;
    for (int64_t i = 0; i < size(); i++) out.push_back(get(i));
    return out;
  }
  uint64_t hash() const {  // of the elements' bits
    uint64_t h = 14695981039346656037u;
    const int64_t bytes = elementBytes(view.dtype);
    for (int64_t i = 0; i < size(); i++)
      for (int64_t b = 0; b < bytes; b++) h = (h ^ uint64_t(memory[offset(i) * bytes + b])) * 1099511628211u;
    return h;
  }
};

inline const View absent{};

// Runs a kernel with a workspace of exactly `bytes`, aligned to 64. After it stand marked bytes, or a guard page at the
// next multiple of 64.
inline void run(Kernel kernel, Pool& pool, std::vector<View> in, std::vector<View> out, std::vector<double> attrs, size_t bytes = 0) {
  const bool isGuarded = Block::guard() != Block::Guard::none;
  const size_t whole = (bytes + 63) / 64 * 64 + (isGuarded ? 0 : 64);
  const auto block = isGuarded ? Block::allocate(whole) : nullptr;
  void* memory = isGuarded ? block->data() : std::aligned_alloc(64, whole);
  std::memset(memory, 0x7f, whole);
  Call call{in.data(), out.data(), attrs.data(), static_cast<std::byte*>(memory), &pool, int32_t(in.size()), int32_t(out.size()), int32_t(attrs.size()), bytes};
  kernel(call);
  for (size_t i = bytes; i < whole; i++)
    if (static_cast<unsigned char*>(memory)[i] != 0x7f) { failures++; std::printf("FAIL workspace overrun at %zu of %zu\n", i, bytes); break; }
  if (!isGuarded) std::free(memory);
}

inline void expect(bool ok, const std::string& what) {
  checks++;
  if (ok) return;
  failures++;
  std::printf("FAIL %s\n", what.c_str());
}

// |y − want| <= absolute + relative·|want| (bf16 outputs get half a unit in their last place more); NaN matches NaN.
inline void expectClose(const Tensor& y, const std::vector<double>& want, double absolute, double relative, const std::string& what) {
  checks++;
  if (y.view.dtype == DType::bf16) relative += 0x1p-8;
  for (int64_t i = 0; i < y.size(); i++) {
    const double got = y.get(i), expected = want[size_t(i)];
    if (std::isnan(expected) ? std::isnan(got) : got == expected || std::fabs(got - expected) <= absolute + relative * std::fabs(expected)) continue;
    failures++;
    std::printf("FAIL %s: element %lld is %.9g, not %.9g\n", what.c_str(), (long long)i, got, expected);
    return;
  }
}

inline int report(const char* name) {
  std::printf("%s (%d lanes): %d checks, %d failed\n", name, LANES, checks, failures);
  return failures > 0 ? 1 : 0;
}

}  // namespace check
