// y = x · wᵀ + bias + addend: x [N, K], w [M, K], bias [M], addend and y [N, M] (y may be the addend's memory).
// The same bits for a row of x whatever the number of rows and threads (gemm.h, linear-blocks.h).
#include "gemm.h"
#include "linear-blocks.h"

namespace athanor::ATHANOR_ISA {

void linear(const Call& call) {
  const View &x = call.in[0], &w = call.in[1], &y = call.out[0];
  if (isBlockFormat(w.dtype) && w.dtype != DType::bf16x2) return quant::linearOfBlocks(call);
  const gemm::Product p{x.rows(), w.rows(), x.cols(), gemm::operandOf(x), gemm::operandOf(w, true),
                        gemm::optional(call, 3), gemm::optional(call, 2), gemm::operandOf(y)};
  gemm::run(p, *call.pool, call.workspace);
}

}  // namespace athanor::ATHANOR_ISA
