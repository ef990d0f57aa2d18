// reduce: sum or maximum along one axis (which stays, with length 1). x is seen as [outer, n, inner]. The sum of a row is
// taken in lanes; a long reduction into few outputs is cut into pieces whose number depends on the shape alone, and the
// pieces are added in order. A maximum is NaN if any element is NaN.
#include "operand.h"

namespace athanor::ATHANOR_ISA {
namespace reduce_detail {

constexpr int64_t COLUMN_BLOCK = 64;   // outputs that one task keeps in registers or L1
constexpr int64_t MOST_PIECES = 32, SHORTEST_PIECE = 128;

struct Shape { int64_t outer, n, inner; };

Shape shapeOf(const View& x, int axis) {
  Shape s{1, x.rank == 0 ? 1 : x.shape[axis], 1};
  for (int i = 0; i < axis; i++) s.outer *= x.shape[i];
  for (int i = axis + 1; i < x.rank; i++) s.inner *= x.shape[i];
  return s;
}

// The workspace rule of src/core/ops/reduce.ts: pieces * outer * inner * 4 bytes if pieces > 1.
int64_t pieceCount(Shape s) {
  if (s.n < 2 * SHORTEST_PIECE || s.outer * ceilDiv(s.inner, COLUMN_BLOCK) >= 2 * MOST_PIECES) return 1;
  return ceilDiv(s.n, maxOf(SHORTEST_PIECE, ceilDiv(s.n, MOST_PIECES)));
}

struct Add {
  static constexpr float start = 0.0f;
  static F32 join(F32 a, F32 b) { return a + b; }
  static float joinOne(float a, float b) { return a + b; }
  static float across(F32 v) { return sum(v); }
};
struct Maximum {
  static constexpr float start = -__builtin_inff();
  static F32 join(F32 a, F32 b) { return select((a > b) | (a != a), a, b); }
  static float joinOne(float a, float b) { return a > b || a != a ? a : b; }
  static float across(F32 v) {
    float best = v[0];
    for (int i = 1; i < LANES; i++) best = joinOne(best, v[i]);
    return best;
  }
};

// Where element (o, i, 0) of [outer, n, inner] lies.
struct Source {
  const View& x;
  int axis;
  Shape shape;
  int64_t offset(int64_t o, int64_t i) const {
    if (axis == 0) return i * x.stride0;
    const int64_t perRow = shape.outer / x.shape[0];  // outer positions within one row of the first axis
    return o / perRow * x.stride0 + (o % perRow * shape.n + i) * shape.inner;
  }
};

// One output from a contiguous run.
template <class R, Kind K> float reduceRun(Reader<K> x, int64_t n) {
  F32 a = splat(R::start), b = a, c = a, d = a;
  int64_t i = 0;
  for (; i + 4 * LANES <= n; i += 4 * LANES) {
    a = R::join(a, x.at(i, Whole{}));
    b = R::join(b, x.at(i + LANES, Whole{}));
    c = R::join(c, x.at(i + 2 * LANES, Whole{}));
    d = R::join(d, x.at(i + 3 * LANES, Whole{}));
  }
  for (; i + LANES <= n; i += LANES) a = R::join(a, x.at(i, Whole{}));
  if (i < n) b = R::join(b, keep(x.at(i, Part{int(n - i)}), Part{int(n - i)}, R::start));
  return R::across(R::join(R::join(a, b), R::join(c, d)));
}

// Outputs [col, col + width) of outer position o over [begin, end), into `to`.
template <class R, Kind K>
void reducePiece(const Source& s, int64_t o, int64_t begin, int64_t end, int64_t col, int64_t width, float* to) {
  const bool half = s.x.dtype == DType::bf16;
  if (s.shape.inner == 1) {
    if (s.axis > 0 || s.x.stride0 == 1) {
      *to = reduceRun<R, K>({elementAt(s.x, s.offset(o, begin)), half}, end - begin);
    } else {
      float total = R::start;
      for (int64_t i = begin; i < end; i++) total = R::joinOne(total, scalarAt(s.x, s.offset(o, i)));
      *to = total;
    }
    return;
  }
  eachVector(width, [&](int64_t c, auto tag) { store(to + c, splat(R::start), tag); });
  for (int64_t i = begin; i < end; i++) {
    const Reader<K> x{elementAt(s.x, s.offset(o, i) + col), half};
    eachVector(width, [&](int64_t c, auto tag) { store(to + c, R::join(load(to + c, tag), x.at(c, tag)), tag); });
  }
}

template <class R, Kind K> void reduceAs(const Call& call, const Source& s) {
  const View& y = call.out[0];
  const auto [outer, n, inner] = s.shape;
  const int64_t blocks = ceilDiv(inner, COLUMN_BLOCK), pieces = pieceCount(s.shape), length = ceilDiv(n, maxOf(pieces, 1));
  const auto put = [&](int64_t o, int64_t col, int64_t width, const float* from) {
    const int64_t rows = y.rows(), at = o * inner + col;  // y is [.., 1, ..]: flat position over its rows
    const int64_t perRow = maxOf(outer * inner / maxOf(rows, 1), 1);
    for (int64_t c = 0; c < width; c++) {
      const int64_t to = (at + c) / perRow * y.stride0 + (at + c) % perRow;
      if (y.dtype == DType::bf16) y.as<bf16>()[to] = toBf16(from[c]);
      else y.as<float>()[to] = from[c];
    }
  };
  if (pieces == 1) {
    return parallelRows(*call.pool, outer * blocks, n * minOf(inner, COLUMN_BLOCK), [&](int64_t begin, int64_t end) {
      float local[COLUMN_BLOCK];
      for (int64_t task = begin; task < end; task++) {
        const int64_t o = task / blocks, col = task % blocks * COLUMN_BLOCK, width = minOf(COLUMN_BLOCK, inner - col);
        reducePiece<R, K>(s, o, 0, n, col, width, local);
        put(o, col, width, local);
      }
    });
  }
  float* partial = reinterpret_cast<float*>(call.workspace);  // [pieces, outer, inner]
  parallelRows(*call.pool, pieces * outer, length * inner, [&](int64_t begin, int64_t end) {
    for (int64_t task = begin; task < end; task++) {
      const int64_t piece = task / outer, o = task % outer;
      float* to = partial + (piece * outer + o) * inner;
      reducePiece<R, K>(s, o, piece * length, minOf(n, (piece + 1) * length), 0, inner, to);
    }
  });
  for (int64_t o = 0; o < outer; o++)
    for (int64_t c = 0; c < inner; c++) {
      float total = R::start;
      for (int64_t piece = 0; piece < pieces; piece++) total = R::joinOne(total, partial[(piece * outer + o) * inner + c]);
      put(o, c, 1, &total);
    }
}

}  // namespace reduce_detail

void reduce(const Call& call) {
  using namespace reduce_detail;
  const int axis = int(call.attrs[1]);
  const Source source{call.in[0], axis, shapeOf(call.in[0], axis)};
  if (call.out[0].size() == 0) return;
  withKind([&](auto tag) {
    constexpr Kind K = decltype(tag)::kind;
    if (call.attrs[0] == 1) reduceAs<Maximum, K>(call, source);
    else reduceAs<Add, K>(call, source);
  }, call.in[0]);
}

}  // namespace athanor::ATHANOR_ISA
