// Sums along a row in a fixed order, and sums over rows (gradients of weights) by fixed chunks of rows.
#pragma once

#include "operand.h"

namespace athanor::ATHANOR_ISA {

// Σ term(i) over [0, n) in four interleaved sums of LANES lanes, joined pairwise. Loads of a Part give zeros beyond it,
// so a term must map zeros to zero.
template <class Term>
inline __attribute__((always_inline)) float rowSum(int64_t n, const Term& term) {
  F32 a{}, b{}, c{}, d{};
  int64_t i = 0;
  for (; i + 4 * LANES <= n; i += 4 * LANES) {
    a += term(i, Whole{});
    b += term(i + LANES, Whole{});
    c += term(i + 2 * LANES, Whole{});
    d += term(i + 3 * LANES, Whole{});
  }
  for (; i + LANES <= n; i += LANES) a += term(i, Whole{});
  if (i < n) b += term(i, Part{int(n - i)});
  return sum((a + b) + (c + d));
}

// Gradients of per-column weights are summed over rows: each chunk of rows into its own row of the workspace, then the
// chunks in order. The chunks depend on the number of rows alone.
// The workspace rule of rmsNormBackward and layerNormBackward: chunks(N) * width * 4 bytes, width = C or 2C.
constexpr int64_t MOST_CHUNKS = 64, SHORTEST_CHUNK = 16;
inline int64_t chunkRows(int64_t rows) { return maxOf(SHORTEST_CHUNK, ceilDiv(rows, MOST_CHUNKS)); }
inline int64_t chunkCount(int64_t rows) { return ceilDiv(rows, chunkRows(rows)); }

// to[col] = Σ over chunks of partial[chunk, begin + col].
inline void sumChunks(Pool& pool, const View& to, const float* partial, int64_t chunks, int64_t width, int64_t begin) {
  const int64_t cols = to.size();
  parallelRanges(pool, cols, TASK_ELEMENTS / maxOf(chunks, 1), [&](int64_t first, int64_t last) {
    if (to.stride0 != 1) {
      for (int64_t c = first; c < last; c++) {
        float total = 0;
        for (int64_t chunk = 0; chunk < chunks; chunk++) total += partial[chunk * width + begin + c];
        to.as<float>()[c * to.stride0] = total;
      }
      return;
    }
    float* out = to.as<float>() + first;
    eachVector(last - first, [&](int64_t c, auto tag) {
      F32 total{};
      for (int64_t chunk = 0; chunk < chunks; chunk++) total += load(partial + chunk * width + begin + first + c, tag);
      store(out + c, total, tag);
    });
  });
}

}  // namespace athanor::ATHANOR_ISA
