// reorder: y[i] = x[ids[i]], rows being numbered through the first two axes; x, y: [N, k, …], ids: [N, k]. A number that
// is no row gives NaN (−1 in integers).
#include "operand.h"

namespace athanor::ATHANOR_ISA {

void reorder(const Call& call) {
  const View &x = call.in[0], &ids = call.in[1], &y = call.out[0];
  const int64_t perRow = ids.cols(), count = ids.size(), block = perRow == 0 ? 0 : x.cols() / perRow;
  const size_t bytes = size_t(block * elementBytes(x.dtype));
  parallelRows(*call.pool, count, block, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; i++) {
      const int64_t id = ids.as<int32_t>()[blockOffset(ids, i, perRow, 1)];
      std::byte* to = elementAt(y, blockOffset(y, i, perRow, block));
      if (id < 0 || id >= count) std::memset(to, 0xff, bytes);  // all ones is a NaN
      else std::memcpy(to, elementAt(x, blockOffset(x, id, perRow, block)), bytes);
    }
  });
}

}  // namespace athanor::ATHANOR_ISA
