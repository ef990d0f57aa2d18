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

// Two bf16 of one float's bits, widened.
inline F32 lowHalf(F32 pair) { return (F32)((U32)pair << 16); }
inline F32 highHalf(F32 pair) { return (F32)((U32)pair & 0xffff0000u); }

// What a lane of the packed operands is. One float:
struct Floats {
  static constexpr int WIDTH = 1;  // elements of K in four bytes
  static F32 element(const char* p) { return broadcast(reinterpret_cast<const float*>(p)); }
  static F32 multiplyAdd(F32 a, F32 b, F32 sum) { return fma(a, b, sum); }
};

// Two bf16, consecutive in K, where the processor multiplies them (AVX-512 BF16: vdpbf16ps adds both products to an f32).
// ATHANOR_EMULATE_BF16 is for tests on other processors.
#if (defined(__AVX512BF16__) && ATHANOR_LANES == 16) || defined(ATHANOR_EMULATE_BF16)
constexpr bool HAS_PAIRS = true;
struct Pairs {
  static constexpr int WIDTH = 2;
  static F32 element(const char* p) {
    uint32_t bits;
    std::memcpy(&bits, p, sizeof bits);
    return (F32)(U32{} + bits);
  }
  static F32 multiplyAdd(F32 a, F32 b, F32 sum) {
#if defined(ATHANOR_EMULATE_BF16)
    return sum + highHalf(a) * highHalf(b) + lowHalf(a) * lowHalf(b);
#else
    return (F32)_mm512_dpbf16_ps((__m512)sum, (__m512bh)a, (__m512bh)b);
#endif
  }
};
#else
constexpr bool HAS_PAIRS = false;
using Pairs = Floats;
#endif

template <int Rows> inline __attribute__((always_inline)) void clear(F32 (&acc)[Rows][NV]) {
#pragma GCC unroll 16
  for (int i = 0; i < Rows; i++)
#pragma GCC unroll 4
    for (int v = 0; v < NV; v++) acc[i][v] = zero();
}

// How the lanes of A lie: (i, k) of the tile at a + i * rowBytes + 4 k, or at a + 4 (i + k * MR).
enum class Layout { rows, kMajor };

// acc[i][v] = Σ_k A(i, k) · B(k, v), k = 0 … steps-1 in lanes of A.
template <int Rows, Layout layout, class Lane>
inline __attribute__((always_inline)) void multiply(int64_t steps, const char* a, int64_t rowBytes, const float* b,
                                                    F32 (&acc)[Rows][NV]) {
  clear(acc);
#pragma GCC unroll 4
  for (int64_t k = 0; k < steps; k++) {
    F32 column[NV];
#pragma GCC unroll 4
    for (int v = 0; v < NV; v++) column[v] = load(b + v * LANES);
#pragma GCC unroll 16
    for (int i = 0; i < Rows; i++) {
      const F32 x = Lane::element(layout == Layout::rows ? a + i * rowBytes : a + 4 * i);
#pragma GCC unroll 4
      for (int v = 0; v < NV; v++) acc[i][v] = Lane::multiplyAdd(x, column[v], acc[i][v]);
    }
    a += layout == Layout::rows ? 4 : 4 * MR;
    b += NR;
  }
}

}  // namespace athanor::ATHANOR_ISA::gemm
