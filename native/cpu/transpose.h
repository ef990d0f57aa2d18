// Transposition of a square of LANES x LANES floats in registers.
#pragma once

#include "simd.h"

namespace athanor::ATHANOR_ISA {

// x[i][j] and x[j][i] change places, by log2(LANES) perfect shuffles.
inline void transposeSquare(F32* x) {
  I32 low{}, high{};
  for (int i = 0; i < LANES; i++) {
    low[i] = i / 2 + (i % 2) * LANES;
    high[i] = low[i] + LANES / 2;
  }
  for (int step = 1; step < LANES; step *= 2) {
    F32 y[LANES];
    for (int i = 0; i < LANES / 2; i++) {
      y[2 * i] = __builtin_shuffle(x[i], x[i + LANES / 2], low);
      y[2 * i + 1] = __builtin_shuffle(x[i], x[i + LANES / 2], high);
    }
    for (int i = 0; i < LANES; i++) x[i] = y[i];
  }
}

}  // namespace athanor::ATHANOR_ISA
