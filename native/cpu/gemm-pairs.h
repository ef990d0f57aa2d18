// Packing of two bf16 operands for instructions that multiply pairs along K (gemm-micro.h, Pairs): a lane holds the
// elements k and k + 1, and a step of the inner loop is two of K. An odd K is filled up with zeros in A and in B.
#pragma once

#include "gemm-pack.h"

namespace athanor::ATHANOR_ISA::gemm {

// Elements k and k + 1 of LANES columns: low halves from one row, high halves from the next.
inline F32 interleave(const bf16* low, const bf16* high) {
  U16 a, b;
  std::memcpy(&a, low, sizeof a);
  std::memcpy(&b, high, sizeof b);
  return (F32)(__builtin_convertvector(a, U32) | __builtin_convertvector(b, U32) << 16);
}
inline void storePair(float* to, bf16 low, bf16 high) {
  const uint32_t bits = uint32_t(low) | uint32_t(high) << 16;
  std::memcpy(to, &bits, sizeof bits);
}

// One panel from B as [N, K]: the pairs lie as they are needed and are transposed as if they were floats.
inline void packPairsTransposed(const char* b, int64_t rowBytes, int columns, int64_t kc, float* out) {
  packPanelTransposed<float>(b, rowBytes, columns, kc / 2, out);
  if (kc % 2 == 0) return;
  for (int j = 0; j < NR; j++) {
    bf16 last = 0;
    if (j < columns) std::memcpy(&last, b + j * rowBytes + (kc - 1) * 2, sizeof last);
    storePair(out + kc / 2 * NR + j, last, 0);
  }
}

// A block of panels, `steps + 1` rows apart, from B as [K, N].
inline void packPairs(const bf16* b, int64_t stride, int64_t columns, int64_t kc, float* out) {
  const int64_t steps = (kc + 1) / 2;
  for (int64_t s = 0; s < steps; s++) {
    const bf16 *low = b + 2 * s * stride, *high = low + stride;
    const bool both = 2 * s + 1 < kc;
    for (int64_t j = 0; j < columns; j += NR) {
      float* o = out + j * (steps + 1) + s * NR;
      if (both && j + NR <= columns)
#pragma GCC unroll 4
        for (int v = 0; v < NV; v++) store(o + v * LANES, interleave(low + j + v * LANES, high + j + v * LANES));
      else
        for (int l = 0; l < NR; l++)
          storePair(o + l, j + l < columns ? low[j + l] : bf16(0), both && j + l < columns ? high[j + l] : bf16(0));
    }
  }
}

// Tiles of A stored as [K, M]; as copyTransposed.
inline void copyPairsTransposed(const bf16* a, int64_t stride, int64_t kc, const int64_t* rows, int tiles, int64_t readable,
                                float* out) {
  const int64_t steps = (kc + 1) / 2;
  for (int64_t s = 0; s < steps; s++) {
    const bf16 *low = a + 2 * s * stride, *high = low + stride;
    const bool both = 2 * s + 1 < kc;
    for (int t = 0; t < tiles; t++) {
      float* o = out + t * TILE_STRIDE + s * MR;
      if (both && rows[t] + TILE_WIDTH <= readable)
        for (int v = 0; v < TILE_WIDTH; v += LANES) store(o + v, interleave(low + rows[t] + v, high + rows[t] + v));
      else
        for (int64_t i = rows[t]; i < rows[t + 1]; i++) storePair(o + i - rows[t], low[i], both ? high[i] : bf16(0));
    }
  }
}

}  // namespace athanor::ATHANOR_ISA::gemm
