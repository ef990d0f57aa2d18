// scatter: dest[ids[i], …] = src[i, …] (the last of equal ids wins) or += src[i, …] (summed in order of i). Ids outside
// the table are skipped. Work is split over columns of dest, or over its rows where rows are short: every element of
// dest belongs to one task, which meets its sources in order, so the sums do not depend on the split.
#include "operand.h"

namespace athanor::ATHANOR_ISA {
namespace scatter_detail {

constexpr int64_t SHORT_ROW = 64;       // below this a task takes whole rows
constexpr int64_t COLUMN_BLOCK = 64;    // one to four cache lines a row

void addRun(const View& dest, int64_t to, const View& src, int64_t from, int64_t n) {
  const Reader<Kind::any> x{elementAt(src, from), src.dtype == DType::bf16};
  const Reader<Kind::any> old{elementAt(dest, to), dest.dtype == DType::bf16};
  const Writer<Kind::any> sum{elementAt(dest, to), dest.dtype == DType::bf16};
  eachVector(n, [&](int64_t i, auto tag) { sum.put(i, old.at(i, tag) + x.at(i, tag), tag); });
}

// Elements [colBegin, colEnd) of the rows [rowBegin, rowEnd) of dest.
struct Part2D { int64_t rowBegin, rowEnd, colBegin, colEnd; };

void scatterPart(const View& dest, const View& ids, const View& src, bool add, Part2D part) {
  const int64_t block = dest.cols(), perRow = ids.cols(), count = ids.size(), n = part.colEnd - part.colBegin;
  for (int64_t i = 0; i < count; i++) {
    const int64_t id = ids.as<int32_t>()[blockOffset(ids, i, perRow, 1)];
    if (id < part.rowBegin || id >= part.rowEnd) continue;
    const int64_t from = blockOffset(src, i, perRow, block) + part.colBegin, to = id * dest.stride0 + part.colBegin;
    if (!add) convertRun(elementAt(dest, to), dest.dtype, elementAt(src, from), src.dtype, n);
    else if (dest.dtype == DType::i32)
      for (int64_t c = 0; c < n; c++) dest.as<int32_t>()[to + c] += src.as<int32_t>()[from + c];
    else addRun(dest, to, src, from, n);
  }
}

}  // namespace scatter_detail

void scatter(const Call& call) {
  using namespace scatter_detail;
  const View &ids = call.in[1], &src = call.in[2], &dest = call.out[0];
  const bool add = call.attrs[0] == 1;
  const int64_t block = dest.cols(), count = ids.size();
  if (block == 0 || count == 0) return;
  if (count * block <= TASK_ELEMENTS) return scatterPart(dest, ids, src, add, {0, dest.rows(), 0, block});
  if (block < SHORT_ROW) {
    const int64_t parts = call.pool->threads();
    const int64_t rows = ceilDiv(dest.rows(), parts);
    return parallelRanges(*call.pool, dest.rows(), rows, [&](int64_t begin, int64_t end) { scatterPart(dest, ids, src, add, {begin, end, 0, block}); });
  }
  // Two tasks a thread at most: each scans all ids.
  const int64_t cols = maxOf(COLUMN_BLOCK, ceilDiv(ceilDiv(block, 2 * call.pool->threads()), COLUMN_BLOCK) * COLUMN_BLOCK);
  parallelRanges(*call.pool, block, cols, [&](int64_t begin, int64_t end) { scatterPart(dest, ids, src, add, {0, dest.rows(), begin, end}); });
}

}  // namespace athanor::ATHANOR_ISA
