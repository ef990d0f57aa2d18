// B as a weight in bf16x2 (block-layout.h): rows of w in groups of LANES, [k / 2][row], two bf16 of a row as one float's
// bits. It was interleaved once, when it was written, so that packing is widening and few rows of x read two streams.
#pragma once

#include "gemm-pack.h"
#include "gemm-tile.h"

namespace athanor::ATHANOR_ISA::gemm {

// Units of the group of `rows` rows that begins at row n, from k on.
inline const float* unitsOf(const Operand& b, int64_t n, int64_t rows, int64_t k) {
  return static_cast<const float*>(b.data) + n * (b.stride / 2) + k / 2 * rows;
}

// As packBlock.
template <class Lane>
void packGroups(const Operand& b, int64_t n, int64_t k0, int64_t kc, int64_t n0, int64_t columns, float* panels) {
  const int64_t apart = (kc + Lane::WIDTH - 1) / Lane::WIDTH + 1;
  for (int64_t j = 0; j < columns; j += LANES) {
    const int64_t first = n0 + j, rows = n - first < LANES ? n - first : LANES;
    const float* from = unitsOf(b, first, rows, k0);
    float* to = panels + j / NR * NR * apart + j % NR;
    for (int64_t u = 0; u < kc / 2; u++, from += rows) {
      const F32 pair = rows == LANES ? load(from) : loadPart(from, int(rows));
      if (Lane::WIDTH == 2) {
        store(to, pair);
      } else {
        store(to, lowHalf(pair));
        store(to + NR, highHalf(pair));
      }
      to += Lane::WIDTH == 2 ? NR : 2 * NR;
    }
  }
  // A panel whose second vector has no rows at all is multiplied whole.
  for (int64_t j = (columns + LANES - 1) / LANES * LANES; j % NR != 0; j += LANES)
    for (int64_t k = 0; k + 1 < apart; k++) store(panels + j / NR * NR * apart + j % NR + k * NR, zero());
}

// Rows × NR columns from `column` on: units of the first of NV groups, `across` units of a row apart from group to group.
template <class Lane, int Rows>
inline __attribute__((always_inline)) void multiplyGroups(int64_t steps, const char* x, int64_t xBytes, const float* units,
                                                          int64_t across, F32 (&acc)[Rows][NV]) {
  clear(acc);
#pragma GCC unroll 4
  for (int64_t u = 0; u < steps; u++)
#pragma GCC unroll 4
    for (int v = 0; v < NV; v++) {
      const F32 pair = load(units + (v * across + u) * LANES);
#pragma GCC unroll 4
      for (int i = 0; i < Rows; i++) {
        const char* at = x + i * xBytes + u * (Lane::WIDTH == 2 ? 4 : 8);
        if (Lane::WIDTH == 2) {
          acc[i][v] = Lane::multiplyAdd(Lane::element(at), pair, acc[i][v]);
        } else {
          acc[i][v] = Lane::multiplyAdd(Lane::element(at), lowHalf(pair), acc[i][v]);
          acc[i][v] = Lane::multiplyAdd(Lane::element(at + 4), highHalf(pair), acc[i][v]);
        }
      }
    }
}

}  // namespace athanor::ATHANOR_ISA::gemm
