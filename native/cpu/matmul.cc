// y = op(a) · op(b) + addend, of rank 2 or batches of rank 3 (leading axis); attrs: transA (a is [K, M]), transB (b is
// [N, K]). y may be the addend's memory.
#include "gemm.h"

namespace athanor::ATHANOR_ISA {

namespace matmul_detail {

// Matrix i of a batch: rank 3 has the batch's stride in stride0, and contiguous matrices.
inline gemm::Operand matrix(const View& v, int64_t i, bool transposed) {
  if (v.data == nullptr) return gemm::absent();
  if (v.rank < 3) return gemm::operandOf(v, transposed);
  gemm::Operand o{v.data, v.shape[2], v.dtype, transposed};
  const int64_t bytes = v.dtype == DType::bf16 ? 2 : 4;
  o.data = static_cast<const char*>(v.data) + i * v.stride0 * bytes;
  return o;
}

}  // namespace matmul_detail

void matmul(const Call& call) {
  const View &a = call.in[0], &b = call.in[1], &y = call.out[0];
  const bool transA = call.attrs[0] != 0, transB = call.attrs[1] != 0;
  const int64_t m = y.shape[y.rank - 2], n = y.shape[y.rank - 1], k = a.shape[transA ? a.rank - 2 : a.rank - 1];
  const auto product = [&](int64_t i) {
    return gemm::Product{m, n, k, matmul_detail::matrix(a, i, transA), matmul_detail::matrix(b, i, transB),
                         call.nIn > 2 ? matmul_detail::matrix(call.in[2], i, false) : gemm::absent(), gemm::absent(),
                         matmul_detail::matrix(y, i, false)};
  };
  gemm::runBatch(y.rank < 3 ? 1 : y.shape[0], product, *call.pool, call.workspace);
}

}  // namespace athanor::ATHANOR_ISA
