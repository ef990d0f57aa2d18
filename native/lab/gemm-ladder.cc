// The ladder of the f32 matrix product C[M, N] = A[M, K] · B[K, N], each step checked against float64 and timed on one
// thread beside the measured peak of its FMA units. Never linked into the addon.
//   g++ -std=c++20 -O3 -Wno-psabi -pthread -DATHANOR_ISA=avx2 -DATHANOR_LANES=8 -mavx2 -mfma native/lab/gemm-ladder.cc native/runtime/pool.cc
//
// 1 dots      three loops, one sum at a time: walks down the columns of B, a cache line for every element.
// 2 rows      the two inner loops exchanged: whole rows of B and C, which the compiler turns into vectors; every FMA
//             still loads and stores its element of C.
// 3 blocks    the same in blocks of K and N, so that the block of B stays in L2; C still moves through L1.
// 4 tile      a 6×16 tile of C stays in registers over a block of K (12 accumulators); B straight from its rows.
// 5 packed    the same kernel on panels of B, [k][16]: consecutive loads, no conflicts of power-of-two rows.
// 6 gemm.h    what is linked: step 5 with equal tile heights, prefetched A and C, transposition and conversion in packing,
//             tasks for all threads.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <vector>

#include "../cpu/gemm.h"
#include "clock.h"

using namespace athanor;
using namespace athanor::ATHANOR_ISA;

namespace {

struct Sizes { int64_t m, n, k; };
using Version = void (*)(const Sizes&, const float* a, const float* b, float* c);

void dots(const Sizes& s, const float* a, const float* b, float* c) {
  for (int64_t i = 0; i < s.m; i++)
    for (int64_t j = 0; j < s.n; j++) {
      float sum = 0;
      for (int64_t k = 0; k < s.k; k++) sum += a[i * s.k + k] * b[k * s.n + j];
      c[i * s.n + j] = sum;
    }
}

// C += A · B over a block of K and N.
void rowsOfBlock(const Sizes& s, const float* a, const float* b, float* c, int64_t k0, int64_t k1, int64_t n0, int64_t n1) {
  for (int64_t i = 0; i < s.m; i++)
    for (int64_t k = k0; k < k1; k++) {
      const float x = a[i * s.k + k];
      for (int64_t j = n0; j < n1; j++) c[i * s.n + j] += x * b[k * s.n + j];
    }
}

void rows(const Sizes& s, const float* a, const float* b, float* c) {
  std::fill(c, c + s.m * s.n, 0.0f);
  rowsOfBlock(s, a, b, c, 0, s.k, 0, s.n);
}

void blocks(const Sizes& s, const float* a, const float* b, float* c) {
  std::fill(c, c + s.m * s.n, 0.0f);
  for (int64_t n = 0; n < s.n; n += 512)
    for (int64_t k = 0; k < s.k; k += 128)
      rowsOfBlock(s, a, b, c, k, std::min(k + 128, s.k), n, std::min(n + 512, s.n));
}

// One tile of C: MR rows (all full: M and N are multiples here), B with any distance between its rows.
void oneTile(const Sizes& s, const float* a, const float* b, int64_t bStride, float* c, int64_t kc) {
  F32 acc[gemm::MR][gemm::NV];
#pragma GCC unroll 16
  for (int i = 0; i < gemm::MR; i++)
#pragma GCC unroll 4
    for (int v = 0; v < gemm::NV; v++) acc[i][v] = load(c + i * s.n + v * LANES);
  for (int64_t k = 0; k < kc; k++) {
    F32 row[gemm::NV];
#pragma GCC unroll 4
    for (int v = 0; v < gemm::NV; v++) row[v] = load(b + k * bStride + v * LANES);
#pragma GCC unroll 16
    for (int i = 0; i < gemm::MR; i++)
#pragma GCC unroll 4
      for (int v = 0; v < gemm::NV; v++) acc[i][v] = fma(gemm::broadcast(a + i * s.k + k), row[v], acc[i][v]);
  }
#pragma GCC unroll 16
  for (int i = 0; i < gemm::MR; i++)
#pragma GCC unroll 4
    for (int v = 0; v < gemm::NV; v++) store(c + i * s.n + v * LANES, acc[i][v]);
}

void tiles(const Sizes& s, const float* a, const float* b, float* c, bool packed) {
  static float panels[(gemm::KC + 1) * gemm::NC];
  std::fill(c, c + s.m * s.n, 0.0f);
  for (int64_t n = 0; n < s.n; n += gemm::NC)
    for (int64_t k = 0; k < s.k; k += gemm::KC) {
      const int64_t columns = std::min(gemm::NC, s.n - n), kc = std::min(gemm::KC, s.k - k);
      if (packed) gemm::packPanels(b + k * s.n + n, s.n, columns, kc, panels);
      for (int64_t i = 0; i < s.m; i += gemm::MR)
        for (int64_t j = 0; j < columns; j += gemm::NR)
          if (packed)
            oneTile(s, a + i * s.k + k, panels + j * (kc + 1), gemm::NR, c + i * s.n + n + j, kc);
          else
            oneTile(s, a + i * s.k + k, b + k * s.n + n + j, s.n, c + i * s.n + n + j, kc);
    }
}
void tile(const Sizes& s, const float* a, const float* b, float* c) { tiles(s, a, b, c, false); }
void packed(const Sizes& s, const float* a, const float* b, float* c) { tiles(s, a, b, c, true); }

void linked(const Sizes& s, const float* a, const float* b, float* c) {
  static Pool pool(1);
  static std::byte* workspace = static_cast<std::byte*>(std::aligned_alloc(64, size_t(gemm::workspaceBytes(false, 1))));
  const auto operand = [](const float* p, int64_t stride) { return gemm::Operand{p, stride, DType::f32, false}; };
  gemm::run({s.m, s.n, s.k, operand(a, s.k), operand(b, s.n), gemm::absent(), gemm::absent(), operand(c, s.n)}, pool, workspace);
}

// FLOP/s of one thread with nothing but FMAs on registers.
__attribute__((noinline)) float burn(int64_t n) {
  F32 acc[12];
#pragma GCC unroll 12
  for (int i = 0; i < 12; i++) acc[i] = splat(float(i));
  for (int64_t k = 0; k < n; k++)
#pragma GCC unroll 12
    for (int i = 0; i < 12; i++) {
      acc[i] = fma(acc[i], splat(0.999f), splat(0.001f));
#if defined(__x86_64__)
      asm volatile("" : "+x"(acc[i]));
#endif
    }
#pragma GCC unroll 12
  for (int i = 1; i < 12; i++) acc[0] += acc[i];
  return sum(acc[0]);
}
double peak() {
  double best = 1e9;
  volatile float sink = 0;
  for (int r = 0; r < 20; r++) {
    const double start = seconds();
    sink = sink + burn(1000000);
    best = std::min(best, seconds() - start);
  }
  return 1e6 * 12 * LANES * 2 / best;
}

}  // namespace

int main() {
  const struct { const char* name; Version run; } ladder[] = {{"1 dots", dots},   {"2 rows", rows},     {"3 blocks", blocks},
                                                              {"4 tile", tile},   {"5 packed", packed}, {"6 gemm.h", linked}};
  const double limit = peak();
  std::printf("peak of one thread: %.1f GFLOP/s\n", limit * 1e-9);
  bool right = true;
  for (const Sizes s : {Sizes{768, 128, 128}, Sizes{768, 1024, 1024}}) {
    std::mt19937 random(3);
    std::normal_distribution<float> normal;
    std::vector<float> a(size_t(s.m * s.k)), b(size_t(s.k * s.n)), c(size_t(s.m * s.n));
    for (float& x : a) x = normal(random);
    for (float& x : b) x = normal(random);
    for (const auto& step : ladder) {
      double best = 1e9;
      const double flops = 2.0 * double(s.m) * double(s.n) * double(s.k);
      for (int r = 0; r < std::max(2, int(4e8 / flops)); r++) {
        const double start = seconds();
        step.run(s, a.data(), b.data(), c.data());
        best = std::min(best, seconds() - start);
      }
      for (int64_t i = 0; i < s.m; i += 7)
        for (int64_t j = 0; j < s.n; j += 3) {
          double want = 0, size = 0;
          for (int64_t k = 0; k < s.k; k++) {
            const double x = double(a[size_t(i * s.k + k)]) * b[size_t(k * s.n + j)];
            want += x, size += std::fabs(x);
          }
          if (std::fabs(c[size_t(i * s.n + j)] - want) > 4 * std::sqrt(double(s.k)) * std::ldexp(1.0, -24) * size) right = false;
        }
      std::printf("%4d x %4d x %4d  %-8s %7.1f GFLOP/s %5.1f%%%s\n", int(s.m), int(s.n), int(s.k), step.name, flops / best * 1e-9,
                  flops / best / limit * 100, right ? "" : "  WRONG");
    }
  }
  return right ? 0 : 1;
}
