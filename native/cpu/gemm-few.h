// y = x·wᵀ for very few rows of x (decoding): reading w is the cost, so it is not packed but transposed in registers and
// multiplied at once. The chain of FMAs of an element is that of the packed path, so the bits are the same.
#pragma once

#include "gemm-pack.h"
#include "gemm-tile.h"

namespace athanor::ATHANOR_ISA::gemm {

// Accumulators of LANES columns for every row, and a transposed block of w, must fit the registers.
constexpr int64_t DIRECT_ROWS = 4;

// acc = Σ_k x(i, k) · w(column, k) for Rows rows and NR columns, k in lanes. w points at the element (first column, first
// k), x's rows lie xBytes apart. T is float (also for pairs) or bf16.
template <int Rows, class Lane, class T>
inline __attribute__((always_inline)) void multiplyDirect(int64_t steps, const char* x, int64_t xBytes, const char* w,
                                                          int64_t wBytes, F32 (&acc)[Rows][NV]) {
#pragma GCC unroll 4
  for (int i = 0; i < Rows; i++)
#pragma GCC unroll 4
    for (int v = 0; v < NV; v++) acc[i][v] = zero();
  // A cache line of each row at a time: with rows of a multiple of 4096 bytes no more than 8 lines share a set of L1.
  constexpr int64_t LINE = 64 / int64_t(sizeof(T));
  int64_t k = 0;
  for (; k + LINE <= steps; k += LINE)
#pragma GCC unroll 4
    for (int v = 0; v < NV; v++) {
      const char* block = w + v * LANES * wBytes + k * int64_t(sizeof(T));
#pragma GCC unroll 8
      for (int64_t part = 0; part < LINE; part += LANES) {
        F32 r[LANES];
#pragma GCC unroll 16
        for (int l = 0; l < LANES; l++) r[l] = load(reinterpret_cast<const T*>(block + l * wBytes) + part);
        transpose(r);
#pragma GCC unroll 16
        for (int l = 0; l < LANES; l++)
#pragma GCC unroll 4
          for (int i = 0; i < Rows; i++)
            acc[i][v] = Lane::multiplyAdd(Lane::element(x + i * xBytes + 4 * (k + part + l)), r[l], acc[i][v]);
      }
      // The next panel: 17 GB/s against 14 without, and 16.7 for nothing but reading.
#pragma GCC unroll 16
      for (int l = 0; l < LANES; l++) __builtin_prefetch(block + (NR + l) * wBytes);
    }
  for (; k < steps; k++)
#pragma GCC unroll 4
    for (int v = 0; v < NV; v++) {
      F32 column{};
      for (int l = 0; l < LANES; l++) {
        T element;
        std::memcpy(&element, w + (v * LANES + l) * wBytes + k * int64_t(sizeof(T)), sizeof element);
        column[l] = toFloat(element);
      }
#pragma GCC unroll 4
      for (int i = 0; i < Rows; i++)
        acc[i][v] = Lane::multiplyAdd(Lane::element(x + i * xBytes + 4 * k), column, acc[i][v]);
    }
}

// `rows` rows × NR columns from `column` on.
template <class Lane, class T, int Rows = int(DIRECT_ROWS)>
void runDirect(int rows, int64_t steps, const char* x, int64_t xBytes, const char* w, int64_t wBytes, const Finish& f,
               int64_t row, int64_t column) {
  if (rows == Rows) {
    F32 acc[Rows][NV];
    multiplyDirect<Rows, Lane, T>(steps, x, xBytes, w, wBytes, acc);
    finishTile<Rows>(acc, f, row, column, 0, NR);
  } else if constexpr (Rows > 1) {
    runDirect<Lane, T, Rows - 1>(rows, steps, x, xBytes, w, wBytes, f, row, column);
  }
}

}  // namespace athanor::ATHANOR_ISA::gemm
