// permute: y.shape[i] = x.shape[perm[i]], y contiguous. If the last axis stays last, runs are copied; otherwise the last
// axis of y and the axis on which x is contiguous are exchanged in small squares: words of four bytes in registers, others
// one by one.
#include "operand.h"
#include "transpose.h"

namespace athanor::ATHANOR_ISA {
namespace permute_detail {

constexpr int64_t SQUARE = 16;  // one cache line of f32 on either side

struct Walk {
  int rank;
  int64_t shape[MAX_RANK], from[MAX_RANK], to[MAX_RANK];  // strides in x and in y, axes in the order of y
};

// Axes of length 1 go, neighbours that stay neighbours join.
Walk plan(const View& x, const View& y, const double* perm) {
  int64_t stride[MAX_RANK], step = 1;
  for (int i = x.rank - 1; i > 0; i--) { stride[i] = step; step *= x.shape[i]; }
  if (x.rank > 0) stride[0] = x.stride0;
  Walk w{};
  int64_t toStride[MAX_RANK];
  step = 1;
  for (int i = y.rank - 1; i > 0; i--) { toStride[i] = step; step *= y.shape[i]; }
  if (y.rank > 0) toStride[0] = y.stride0;
  for (int i = 0; i < y.rank; i++) {
    if (y.shape[i] == 1) continue;
    const int64_t from = stride[int(perm[i])];
    const bool joins = w.rank > 0 && w.from[w.rank - 1] == from * y.shape[i] && w.to[w.rank - 1] == toStride[i] * y.shape[i];
    if (!joins) w.shape[w.rank++] = 1;
    w.shape[w.rank - 1] *= y.shape[i];
    w.from[w.rank - 1] = from;
    w.to[w.rank - 1] = toStride[i];
  }
  if (w.rank == 0) { w.rank = 1; w.shape[0] = w.from[0] = w.to[0] = 1; }
  return w;
}

// y[a · toA + b · toB] = x[a · fromA + b · fromB] for a, b in the rectangle.
struct Exchange { int64_t toA, toB, fromA, fromB; };

template <class T>
void exchange(T* y, const T* x, Exchange e, int64_t a0, int64_t a1, int64_t b0, int64_t b1) {
  for (int64_t a = a0; a < a1; a++)
    for (int64_t b = b0; b < b1; b++) y[a * e.toA + b * e.toB] = x[a * e.fromA + b * e.fromB];
}

// The same for 32-bit words with unit strides on both sides, square by square in registers. Single words would miss the
// cache at every step where rows are a multiple of 4 KB apart (2048 x 1024: 3.5 GB/s).
void exchange(uint32_t* y, const uint32_t* x, Exchange e, int64_t a0, int64_t a1, int64_t b0, int64_t b1) {
  if (e.fromA != 1 || e.toB != 1) return exchange<uint32_t>(y, x, e, a0, a1, b0, b1);
  const int64_t aWhole = a0 + (a1 - a0) / LANES * LANES, bWhole = b0 + (b1 - b0) / LANES * LANES;
  for (int64_t b = b0; b < bWhole; b += LANES)
    for (int64_t a = a0; a < aWhole; a += LANES) {
      F32 square[LANES];
      for (int i = 0; i < LANES; i++) square[i] = load(reinterpret_cast<const float*>(x + a + (b + i) * e.fromB));
      transposeSquare(square);
      for (int i = 0; i < LANES; i++) store(reinterpret_cast<float*>(y + (a + i) * e.toA + b), square[i]);
    }
  exchange<uint32_t>(y, x, e, aWhole, a1, b0, b1);
  exchange<uint32_t>(y, x, e, a0, aWhole, bWhole, b1);
}

template <class T>
void permuteAs(const Call& call, const Walk& w) {
  const T* x = call.in[0].as<T>();
  T* y = call.out[0].as<T>();
  const int last = w.rank - 1;
  int unit = last;  // the axis along which x is contiguous
  for (int i = 0; i < w.rank; i++)
    if (w.from[i] == 1) unit = i;
  int64_t outer = 1, order[MAX_RANK];
  int count = 0;
  for (int i = 0; i < w.rank; i++)
    if (i != last && i != unit) { order[count++] = i; outer *= w.shape[i]; }
  const bool copies = unit == last;
  const int64_t height = copies ? 1 : w.shape[unit], bands = copies ? 1 : ceilDiv(height, SQUARE);
  const int64_t width = w.shape[last];
  parallelRows(*call.pool, outer * bands, width * minOf(height, SQUARE), [&](int64_t begin, int64_t end) {
    for (int64_t task = begin; task < end; task++) {
      int64_t rest = task / bands, from = 0, to = 0;
      for (int i = count - 1; i >= 0; i--) {
        from += rest % w.shape[order[i]] * w.from[order[i]];
        to += rest % w.shape[order[i]] * w.to[order[i]];
        rest /= w.shape[order[i]];
      }
      if (copies && w.from[last] == 1 && w.to[last] == 1) { std::memcpy(y + to, x + from, size_t(width) * sizeof(T)); continue; }
      const int64_t a0 = task % bands * SQUARE, a1 = minOf(height, a0 + SQUARE);
      const int64_t toA = copies ? 0 : w.to[unit], fromA = copies ? 0 : w.from[unit];
      for (int64_t b0 = 0; b0 < width; b0 += SQUARE)
        exchange(y + to, x + from, {toA, w.to[last], fromA, w.from[last]}, a0, a1, b0, minOf(width, b0 + SQUARE));
    }
  });
}

}  // namespace permute_detail

void permute(const Call& call) {
  using namespace permute_detail;
  const View& y = call.out[0];
  if (y.size() == 0) return;
  const Walk w = plan(call.in[0], y, call.attrs);
  const int64_t bytes = elementBytes(y.dtype);
  if (bytes == 4) permuteAs<uint32_t>(call, w);
  else if (bytes == 2) permuteAs<uint16_t>(call, w);
  else permuteAs<uint8_t>(call, w);
}

}  // namespace athanor::ATHANOR_ISA
