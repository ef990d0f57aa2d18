// groupedLinearGrad: the gradient of each expert's weight, dw[e] = a[rows of e]ᵀ · b[rows of e]. in: a [N, k, M], b
// [N, k, K], offsets [E + 1]; out: E of [M, K], zero for an expert without rows.
#include "gemm.h"
#include "grouped-rows.h"

namespace athanor::ATHANOR_ISA {

void groupedLinearGrad(const Call& call) {
  const View &a = call.in[0], &b = call.in[1], &offsets = call.in[2];
  const int64_t rows = rowCount(a);
  for (int64_t e = 0; e < call.nOut; e++) {
    const RowRange own = groupOf(offsets, e, rows);
    const gemm::Operand dw = gemm::operandOf(call.out[e]);
    const auto add = [&](const View& left, const View& right, bool first) {
      const gemm::Product p{rowLength(left), rowLength(right), left.rows(), gemm::operandOf(left, true), gemm::operandOf(right),
                            first ? gemm::absent() : dw, gemm::absent(), dw};
      gemm::run(p, *call.pool, call.workspace);
    };
    if (own.end <= own.begin) add(rowsOf(a, 0, 0), rowsOf(b, 0, 0), true);
    eachPiece(a, b, own.begin, own.end, [&](int64_t row, int64_t count) { add(rowsOf(a, row, count), rowsOf(b, row, count), row == own.begin); });
  }
}

}  // namespace athanor::ATHANOR_ISA
