// gather: y[i, …] = table[ids[i], …]. A negative id gives zeros; an id beyond the table is a caller's error and gives
// NaN (or -1 in integers) rather than another row's values. A table in a block format gives floats.
#include "block-layout.h"

namespace athanor::ATHANOR_ISA {
namespace gather_detail {

void fillRun(const View& y, int64_t at, int64_t n, bool error) {
  if (y.dtype == DType::f32) {
    const float value = error ? __builtin_nanf("") : 0.0f;
    for (int64_t i = 0; i < n; i++) y.as<float>()[at + i] = value;
  } else if (y.dtype == DType::i32) {
    for (int64_t i = 0; i < n; i++) y.as<int32_t>()[at + i] = error ? -1 : 0;
  } else {  // all ones is a NaN in bf16 and f16, and 255 in u8
    std::memset(elementAt(y, at), error ? 0xff : 0, size_t(n * elementBytes(y.dtype)));
  }
}

}  // namespace gather_detail

void gather(const Call& call) {
  const View &table = call.in[0], &ids = call.in[1], &y = call.out[0];
  const int64_t block = table.cols(), perRow = ids.cols(), count = ids.size();
  parallelRows(*call.pool, count, block, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; i++) {
      const int64_t id = ids.as<int32_t>()[blockOffset(ids, i, perRow, 1)];
      const int64_t to = blockOffset(y, i, perRow, block);
      if (id < 0 || id >= table.rows()) gather_detail::fillRun(y, to, block, id >= 0);
      else if (isBlockFormat(table.dtype)) decodeTo(elementAt(y, to), y.dtype, table, id);
      else convertRun(elementAt(y, to), y.dtype, elementAt(table, id * table.stride0), table.dtype, block);
    }
  });
}

}  // namespace athanor::ATHANOR_ISA
