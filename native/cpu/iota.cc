// iota: 0, 1, 2, … in row-major order, as i32 or f32 (exact up to 2^24).
#include "operand.h"

namespace athanor::ATHANOR_ISA {

void iota(const Call& call) {
  const View& y = call.out[0];
  const int64_t cols = y.cols();
  parallelRows(*call.pool, y.rows(), cols, [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; row++)
      for (int64_t i = 0; i < cols; i++) {
        const int64_t at = row * y.stride0 + i, value = row * cols + i;
        if (y.dtype == DType::i32) y.as<int32_t>()[at] = int32_t(value);
        else if (y.dtype == DType::bf16) y.as<bf16>()[at] = toBf16(float(value));
        else y.as<float>()[at] = float(value);
      }
  });
}

}  // namespace athanor::ATHANOR_ISA
