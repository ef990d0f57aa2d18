// y = x·wᵀ for very few rows of x (decoding): reading w is the cost, so it is not packed but transposed in registers and
// multiplied at once. The chain of FMAs of an element is that of the packed path, so the bits are the same.
#pragma once

#include "gemm-pack.h"
#include "gemm-tile.h"

namespace athanor::ATHANOR_ISA::gemm {

// The bits of LANES rows of w from `block` on, a float's width of each, transposed.
inline void loadTransposed(const char* block, int64_t wBytes, F32 (&r)[LANES]) {
#pragma GCC unroll 16
  for (int l = 0; l < LANES; l++) r[l] = load(reinterpret_cast<const float*>(block + l * wBytes));
  transpose(r);
}

// acc = Σ_k x(i, k) · w(column, k) for Rows rows and NR columns, k in lanes. w points at the element (first column, first
// k), x's rows lie xBytes apart. T is float (also for pairs) or bf16.
template <class Lane, class T, int Rows>
inline __attribute__((always_inline)) void multiplyDirect(int64_t steps, const char* x, int64_t xBytes, const char* w,
                                                          int64_t wBytes, F32 (&acc)[Rows][NV]) {
  clear(acc);
  // A cache line of each row at a time. (Rows of a multiple of 4096 bytes share a set of L1: docs/log.md.) Two bf16 are transposed as one float, half the shuffles, and then taken apart. The vectors take turns within the line,
  // since one chain of FMAs alone waits for itself.
  constexpr int64_t LINE = 64 / int64_t(sizeof(T));
  constexpr int WITHIN = int(4 / sizeof(T));  // elements of k in a float's width
  int64_t k = 0;
  for (; k + LINE <= steps; k += LINE) {
    const char* line = w + k * int64_t(sizeof(T));
#pragma GCC unroll 4
    for (int64_t part = 0; part < LINE; part += WITHIN * LANES)
#pragma GCC unroll 4
      for (int v = 0; v < NV; v++) {
        F32 r[LANES];
        loadTransposed(line + v * LANES * wBytes + part * int64_t(sizeof(T)), wBytes, r);
#pragma GCC unroll 16
        for (int l = 0; l < LANES; l++)
#pragma GCC unroll 2
          for (int half = 0; half < WITHIN; half++) {
            const F32 column = WITHIN == 1 ? r[l] : half == 0 ? lowHalf(r[l]) : highHalf(r[l]);
#pragma GCC unroll 4
            for (int i = 0; i < Rows; i++)
              acc[i][v] = Lane::multiplyAdd(Lane::element(x + i * xBytes + 4 * (k + part + WITHIN * l + half)), column, acc[i][v]);
          }
      }
    // The next panel: 17 GB/s against 14 without, and 16.7 for nothing but reading.
#pragma GCC unroll 32
    for (int l = 0; l < NR; l++) __builtin_prefetch(line + (NR + l) * wBytes);
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

}  // namespace athanor::ATHANOR_ISA::gemm
