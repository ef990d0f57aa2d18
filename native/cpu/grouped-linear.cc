// groupedLinear: y[r] = x[r] · w[e]ᵀ (attr transposed: · w[e]) for the rows r of each expert e. in: x [N, k, K], offsets
// [E + 1], then E weights [M, K]; y [N, k, M]. A row of no expert is NaN. An expert is one product with all threads, of
// the kernels of `linear`: the same bits for a row whatever rows and threads are beside it (gemm.h, linear-blocks.h).
#include "gemm.h"
#include "grouped-rows.h"
#include "linear-blocks.h"

namespace athanor::ATHANOR_ISA {
namespace grouped_linear_detail {

void multiply(const Call& call, const View& x, const View& w, const View& y, bool transposed) {
  if (isBlockFormat(w.dtype) && w.dtype != DType::bf16x2) {
    const View in[] = {x, w};
    Call part = call;
    part.in = in, part.out = &y, part.nIn = 2, part.nOut = 1;
    return quant::linearOfBlocks(part);
  }
  const gemm::Product p{x.rows(), rowLength(y), rowLength(x), gemm::operandOf(x), gemm::operandOf(w, !transposed),
                        gemm::absent(), gemm::absent(), gemm::operandOf(y)};
  gemm::run(p, *call.pool, call.workspace);
}

void fillNaN(Pool& pool, const View& y) {
  const int64_t length = rowLength(y);
  parallelRows(pool, rowCount(y), length, [&](int64_t begin, int64_t end) {
    eachPiece(y, y, begin, end, [&](int64_t row, int64_t count) {
      const View rows = rowsOf(y, row, count);
      for (int64_t i = 0; i < count; i++) std::memset(elementAt(rows, i * rows.stride0), 0xff, size_t(length * elementBytes(y.dtype)));
    });
  });
}

// Whether each row has exactly one expert.
bool coversAll(const View& offsets, int64_t rows) {
  const int64_t count = offsets.rows() - 1;
  if (groupOf(offsets, 0, rows).begin != 0 || groupOf(offsets, count - 1, rows).end != rows) return false;
  for (int64_t e = 0; e < count; e++)
    if (const RowRange r = groupOf(offsets, e, rows); r.end < r.begin) return false;
  return true;
}

}  // namespace grouped_linear_detail

void groupedLinear(const Call& call) {
  using namespace grouped_linear_detail;
  const View &x = call.in[0], &offsets = call.in[1], &y = call.out[0];
  const int64_t rows = rowCount(x);
  if (!coversAll(offsets, rows)) fillNaN(*call.pool, y);
  for (int64_t e = 0; e + 2 < call.nIn; e++) {
    const RowRange own = groupOf(offsets, e, rows);
    eachPiece(x, y, own.begin, own.end, [&](int64_t row, int64_t count) {
      multiply(call, rowsOf(x, row, count), call.in[2 + e], rowsOf(y, row, count), call.attrs[0] != 0);
    });
  }
}

}  // namespace athanor::ATHANOR_ISA
