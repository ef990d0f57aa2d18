// dequantise: y = the values of a weight in a block format.
#include "block-formats.h"

namespace athanor::ATHANOR_ISA {

void dequantise(const Call& call) {
  const View &w = call.in[0], &y = call.out[0];
  const BlockSize size = blockSize(w.dtype);
  const int64_t across = w.cols() / size.values;
  parallelRows(*call.pool, w.rows(), w.cols(), [&](int64_t begin, int64_t end) {
    float values[256];
    for (int64_t i = begin * across; i < end * across; i++) {
      decodeBlock(w.dtype, w.as<uint8_t>() + i * size.bytes, values);
      convertRun(elementAt(y, i / across * y.stride0 + i % across * size.values), y.dtype, values, DType::f32, size.values);
    }
  });
}

}  // namespace athanor::ATHANOR_ISA
