// dequantise: y = the values of a weight in a block format.
#include "block-layout.h"

namespace athanor::ATHANOR_ISA {

void dequantise(const Call& call) {
  const View &w = call.in[0], &y = call.out[0];
  parallelRows(*call.pool, w.rows(), w.cols(), [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; i++) decodeTo(elementAt(y, i * y.stride0), y.dtype, w, i);
  });
}

}  // namespace athanor::ATHANOR_ISA
