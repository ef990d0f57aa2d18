// fill: every element of y becomes one value. i32 rounds toward zero.
#include "operand.h"

namespace athanor::ATHANOR_ISA {

void fill(const Call& call) {
  const View& y = call.out[0];
  const double value = call.attrs[0];
  const int64_t cols = y.cols();
  parallelRows(*call.pool, y.rows(), cols, [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; row++) {
      if (y.dtype == DType::i32) {
        int32_t* to = y.as<int32_t>() + row * y.stride0;
        for (int64_t i = 0; i < cols; i++) to[i] = int32_t(value);
      } else {
        const Writer<Kind::any> to = outRow<Kind::any>(y, row);
        eachVector(cols, [&](int64_t i, auto tag) { to.put(i, splat(float(value)), tag); });
      }
    }
  });
}

}  // namespace athanor::ATHANOR_ISA
