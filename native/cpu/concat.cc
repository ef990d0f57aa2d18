// concat: inputs joined along one axis.
#include "operand.h"

namespace athanor::ATHANOR_ISA {

namespace concat_detail {

// Rows under each other; they may lie apart in each operand.
inline void joinRows(const Call& call) {
  const View& y = call.out[0];
  const int64_t cols = y.cols();
  int64_t at = 0;
  for (int k = 0; k < call.nIn; k++) {
    const View& x = call.in[k];
    parallelRows(*call.pool, x.rows(), cols, [&](int64_t begin, int64_t end) {
      for (int64_t row = begin; row < end; row++)
        convertRun(elementAt(y, (at + row) * y.stride0), y.dtype, elementAt(x, row * x.stride0), x.dtype, cols);
    });
    at += x.rows();
  }
}

}  // namespace concat_detail

void concat(const Call& call) {
  const View& y = call.out[0];
  if (y.size() == 0) return;
  const int axis = int(call.attrs[0]);
  if (axis == 0) return concat_detail::joinRows(call);
  int64_t inner = 1;  // elements of one step along the axis
  for (int i = axis + 1; i < y.rank; i++) inner *= y.shape[i];
  const int64_t block = y.shape[axis] * inner, perRow = y.cols() / block;
  parallelRows(*call.pool, y.rows() * perRow, block, [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; row++) {
      int64_t at = blockOffset(y, row, perRow, block);
      for (int k = 0; k < call.nIn; k++) {
        const View& x = call.in[k];
        const int64_t n = x.shape[axis] * inner;
        convertRun(elementAt(y, at), y.dtype, elementAt(x, blockOffset(x, row, perRow, n)), x.dtype, n);
        at += n;
      }
    }
  });
}

}  // namespace athanor::ATHANOR_ISA
