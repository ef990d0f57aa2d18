// Rows in groups: all axes of a view but the last count rows, and i32 offsets say where each group's rows begin.
#pragma once

#include "operand.h"

namespace athanor::ATHANOR_ISA {

inline int64_t rowLength(const View& v) { return v.shape[v.rank - 1]; }
inline int64_t rowCount(const View& v) { return v.rank < 3 ? v.rows() : v.shape[0] * v.shape[1]; }

// Rows [begin, begin + count) as a view of rank 2; they must lie at equal distances.
inline View rowsOf(const View& v, int64_t begin, int64_t count) {
  const int64_t length = rowLength(v), perRow = v.rank < 3 ? 1 : v.shape[1];
  View rows{};
  rows.data = elementAt(v, v.rank < 3 ? begin * v.stride0 : blockOffset(v, begin, perRow, length));
  rows.shape[0] = count, rows.shape[1] = length;
  rows.stride0 = v.rank < 3 ? v.stride0 : length;
  rows.rank = 2, rows.dtype = v.dtype;
  return rows;
}

// Rows [begin, end) in pieces whose rows lie at equal distances in both views: one, unless a first axis of rank 3 has a
// stride of its own.
template <class Body>
inline void eachPiece(const View& a, const View& b, int64_t begin, int64_t end, const Body& body) {
  const bool whole = (a.rank < 3 || a.contiguous()) && (b.rank < 3 || b.contiguous());
  for (int64_t i = begin, next; i < end; i = next) {
    next = whole ? end : minOf(end, (i / a.shape[1] + 1) * a.shape[1]);
    body(i, next - i);
  }
}

// A group's rows, of `count` in all: offsets are data, and may be anything.
struct RowRange { int64_t begin, end; };
inline RowRange groupOf(const View& offsets, int64_t group, int64_t count) {
  const int64_t begin = offsets.as<int32_t>()[group * offsets.stride0], end = offsets.as<int32_t>()[(group + 1) * offsets.stride0];
  return {maxOf(0, minOf(begin, count)), maxOf(0, minOf(end, count))};
}

}  // namespace athanor::ATHANOR_ISA
