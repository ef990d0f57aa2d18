// concat: inputs joined along the last axis.
#include "operand.h"

namespace athanor::ATHANOR_ISA {

void concat(const Call& call) {
  const View& y = call.out[0];
  if (y.size() == 0) return;
  if (y.rank <= 1) {  // one row: the strided axis is the joined one
    int64_t at = 0;
    for (int k = 0; k < call.nIn; k++) {
      const View& x = call.in[k];
      for (int64_t i = 0; i < x.size(); i++, at++)
        convertRun(elementAt(y, at * y.stride0), y.dtype, elementAt(x, i * x.stride0), x.dtype, 1);
    }
    return;
  }
  const int64_t last = y.shape[y.rank - 1], perRow = y.cols() / last;
  parallelRows(*call.pool, y.rows() * perRow, last, [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; row++) {
      int64_t at = blockOffset(y, row, perRow, last);
      for (int k = 0; k < call.nIn; k++) {
        const View& x = call.in[k];
        const int64_t n = x.shape[x.rank - 1];
        convertRun(elementAt(y, at), y.dtype, elementAt(x, blockOffset(x, row, perRow, n)), x.dtype, n);
        at += n;
      }
    }
  });
}

}  // namespace athanor::ATHANOR_ISA
