// What most kernels need around their inner loop: typed vector access to a View's rows, the loop over whole and part
// vectors, and the split of independent work over the pool.
#pragma once

#include "../runtime/kernel.h"
#include "simd.h"

namespace athanor::ATHANOR_ISA {

// A loop body is written once and called with Whole for full vectors and with Part for the last few elements.
struct Whole {};
struct Part { int n; };

template <class Body>
inline __attribute__((always_inline)) void eachVector(int64_t n, const Body& body) {
  int64_t i = 0;
  for (; i + LANES <= n; i += LANES) body(i, Whole{});
  if (i < n) body(i, Part{int(n - i)});
}

template <class T> inline F32 load(const T* p, Whole) { return load(p); }
template <class T> inline F32 load(const T* p, Part part) { return loadPart(p, part.n); }
template <class T> inline void store(T* p, F32 v, Whole) { store(p, v); }
template <class T> inline void store(T* p, F32 v, Part part) { storePart(p, v, part.n); }

// Lanes beyond the part, which a reduction must not count, become `other`.
inline F32 keep(F32 v, Whole, float) { return v; }
inline F32 keep(F32 v, Part part, float other) {
  for (int i = part.n; i < LANES; i++) v[i] = other;
  return v;
}

// Kernels are instantiated for "all operands f32", "all bf16" and "decide at every load": the branch of the last is
// always predicted and costs less than thirty-two instantiations of a five-operand kernel would in code.
enum class Kind { f32, bf16, any };
template <Kind K> struct KindTag { static constexpr Kind kind = K; };

template <Kind K>
struct Reader {
  const void* data;
  bool half;
  bool isHalf() const { return K == Kind::bf16 || (K == Kind::any && half); }
  template <class Tag> F32 at(int64_t i, Tag tag) const {
    if (isHalf()) return load(static_cast<const bf16*>(data) + i, tag);
    return load(static_cast<const float*>(data) + i, tag);
  }
  float scalar(int64_t i) const {
    return isHalf() ? fromBf16(static_cast<const bf16*>(data)[i]) : static_cast<const float*>(data)[i];
  }
};

template <Kind K>
struct Writer {
  void* data;
  bool half;
  bool isHalf() const { return K == Kind::bf16 || (K == Kind::any && half); }
  template <class Tag> void put(int64_t i, F32 v, Tag tag) const {
    if (isHalf()) store(static_cast<bf16*>(data) + i, v, tag);
    else store(static_cast<float*>(data) + i, v, tag);
  }
};

inline int64_t elementBytes(DType dtype) { return blockSize(dtype).bytes; }  // not for block formats
inline std::byte* elementAt(const View& view, int64_t offset) {
  return static_cast<std::byte*>(view.data) + offset * elementBytes(view.dtype);
}
template <Kind K> inline Reader<K> rowOf(const View& view, int64_t i, int64_t offset = 0) {
  return {elementAt(view, i * view.stride0 + offset), view.dtype == DType::bf16};
}
template <Kind K> inline Writer<K> outRow(const View& view, int64_t i, int64_t offset = 0) {
  return {elementAt(view, i * view.stride0 + offset), view.dtype == DType::bf16};
}
inline float scalarAt(const View& view, int64_t i) {
  if (view.dtype == DType::bf16) return fromBf16(view.as<bf16>()[i]);
  if (view.dtype == DType::i32) return float(view.as<int32_t>()[i]);
  return view.as<float>()[i];
}

// Calls run(KindTag<…>) for the narrowest kind that covers the present operands.
template <class Run, class... Views>
inline void withKind(const Run& run, const Views&... views) {
  const bool anyF32 = ((views.data != nullptr && views.dtype == DType::f32) || ...);
  const bool anyBf16 = ((views.data != nullptr && views.dtype == DType::bf16) || ...);
  if (!anyBf16) run(KindTag<Kind::f32>{});
  else if (!anyF32) run(KindTag<Kind::bf16>{});
  else run(KindTag<Kind::any>{});
}

inline int64_t ceilDiv(int64_t a, int64_t b) { return (a + b - 1) / b; }
inline int64_t minOf(int64_t a, int64_t b) { return a < b ? a : b; }
inline int64_t maxOf(int64_t a, int64_t b) { return a > b ? a : b; }

// Elements that one task should have: about 10 µs of a simple loop, some times what waking a worker costs.
constexpr int64_t TASK_ELEMENTS = 16384;

// body(begin, end) over [0, n) in ranges of `grain`; small work stays on the caller. Only for work whose results do not
// depend on the split.
template <class Body>
inline void parallelRanges(Pool& pool, int64_t n, int64_t grain, const Body& body) {
  if (n <= 0) return;
  if (grain < 1) grain = 1;
  const int64_t tasks = ceilDiv(n, grain);
  if (tasks == 1) return body(int64_t(0), n);
  pool.parallel(tasks, [&](int64_t task, int) { body(task * grain, minOf(n, (task + 1) * grain)); });
}

// The same over rows of `cols` elements.
template <class Body>
inline void parallelRows(Pool& pool, int64_t rows, int64_t cols, const Body& body) {
  parallelRanges(pool, rows, TASK_ELEMENTS / maxOf(cols, 1), body);
}

// n elements from one dtype to another (floating ones convert; others must agree).
inline void convertRun(void* to, DType toType, const void* from, DType fromType, int64_t n) {
  if (toType == fromType) {
    if (to != from) std::memmove(to, from, size_t(n * elementBytes(toType)));
    return;
  }
  if (toType == DType::bf16 && fromType == DType::f32)
    return eachVector(n, [&](int64_t i, auto tag) { store(static_cast<bf16*>(to) + i, load(static_cast<const float*>(from) + i, tag), tag); });
  if (toType == DType::f32 && fromType == DType::bf16)
    return eachVector(n, [&](int64_t i, auto tag) { store(static_cast<float*>(to) + i, load(static_cast<const bf16*>(from) + i, tag), tag); });
}

// Offset of the flat position `i` among rows and their inner blocks of `block` elements: for a view of shape
// [rows, inner..., block...] whose first axis alone has a stride.
inline int64_t blockOffset(const View& view, int64_t i, int64_t inner, int64_t block) {
  return (i / inner) * view.stride0 + (i % inner) * block;
}

}  // namespace athanor::ATHANOR_ISA
