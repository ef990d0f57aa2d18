// The innermost loop of every matrix product: a tile of C, `Rows` by NR, stays in registers while k runs over one block.
// A is broadcast element by element, B comes in panels of NR columns, [k][NR]. Written once for every vector width:
//   16 registers (AVX2, SSE2): 6 rows × 2 vectors = 12 accumulators, 2 of B, 1 of A. 12 independent chains hide 4 cycles
//     of latency at 2 FMAs a cycle, and 6 broadcasts + 2 loads for 12 FMAs stay below the load ports' limit.
//   32 registers (AVX-512, NEON): 12 rows × 2 vectors = 24 accumulators.
// Every element of C is one chain of FMAs in the order of k from zero, so that neither the height of a tile nor the split
// over threads can change a bit; only the length of the k block (gemm.h) can.
#pragma once

#include "simd.h"

namespace athanor::ATHANOR_ISA::gemm {

#if ATHANOR_LANES == 16 || defined(__aarch64__)
constexpr int MR = 12;
#else
constexpr int MR = 6;
#endif
constexpr int NV = 2;            // vectors across a tile
constexpr int NR = NV * LANES;   // columns of a tile and of a panel of B

// splat(*p) without the addition of zero that a plain `F32{} + x` costs in the innermost loop (−0 must stay −0).
inline F32 broadcast(const float* p) { return *p - F32{}; }

// How the elements of A lie: element (i, k) of the tile is a[i * rowStride + k] or a[i + k * MR].
enum class Layout { rows, kMajor };

// acc[i][v] = Σ_k A(i, k) · B(k, v), k = 0 … kc-1.
template <int Rows, Layout layout>
inline __attribute__((always_inline)) void multiply(int64_t kc, const float* a, int64_t rowStride, const float* b,
                                                    F32 (&acc)[Rows][NV]) {
#pragma GCC unroll 16
  for (int i = 0; i < Rows; i++)
#pragma GCC unroll 4
    for (int v = 0; v < NV; v++) acc[i][v] = zero();
#pragma GCC unroll 4
  for (int64_t k = 0; k < kc; k++) {
    F32 column[NV];
#pragma GCC unroll 4
    for (int v = 0; v < NV; v++) column[v] = load(b + v * LANES);
#pragma GCC unroll 16
    for (int i = 0; i < Rows; i++) {
      const F32 x = broadcast(layout == Layout::rows ? a + i * rowStride : a + i);
#pragma GCC unroll 4
      for (int v = 0; v < NV; v++) acc[i][v] = fma(x, column[v], acc[i][v]);
    }
    a += layout == Layout::rows ? 1 : MR;
    b += NR;
  }
}

}  // namespace athanor::ATHANOR_ISA::gemm
