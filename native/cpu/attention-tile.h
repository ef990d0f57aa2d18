// The parts that the attention kernels share: a register-tiled product of small panels, staging of rows as f32, and one
// step of the online softmax (Milakov & Gimelshein 2018, arXiv 1805.02867; tiled as in FlashAttention, Dao et al. 2022,
// arXiv 2205.14135, and FlashAttention-2, arXiv 2307.08691).
//
// Scores are computed transposed, S^T[key][query] = K·Q^T, with queries in the lanes. So keys and values are read as they
// lie in memory, one scalar at a time, maxima and sums over keys need no shuffles, and only the queries of a tile are
// transposed. Each query is a lane of its own: its bits do not depend on which queries share its vector.
//
// D head size of q and k, Dv of v; the letter p after a size means rounded up to whole vectors.
#pragma once

#include "operand.h"
#include "simd-math.h"
#include "transpose.h"

namespace athanor::ATHANOR_ISA::attention_detail {

// Register tile ROWS x 2 vectors: 12 of 16 registers (24 of 32 with AVX-512) accumulate.
constexpr int ROWS = LANES == 16 ? 12 : 6;
constexpr int STRIP = 2 * LANES;          // queries that are computed together
constexpr int TILE_QUERIES = 64;          // queries of a task: K and V are read once from L3 for all of them
constexpr int FORWARD_KEYS = 96;          // S^T of a strip and a tile of V stay in L1; a multiple of ROWS
constexpr int BACKWARD_KEYS = 48;         // P^T and dS^T of a tile are 12 KB each
constexpr float LOG2E = 1.44269504088896341f, LN2 = 0.69314718055994531f;
constexpr float LOWEST = -1e30f;          // a maximum before any key: finite, so that differences are not NaN

inline int64_t padded(int64_t width) { return ceilDiv(width, LANES) * LANES; }

struct Span { int64_t begin, end; };
inline bool isEmpty(Span s) { return s.begin >= s.end; }

// c[r][v] (+)= Σ over k in the span of a(r, k) · b[k][v] for R rows and V vectors. a(r, k) is a[k · lda + r] if the rows
// are adjacent, otherwise a[r · lda + k].
template <int R, int V, bool ADJACENT>
void multiplyBlock(float* c, int64_t ldc, const float* a, int64_t lda, const float* b, int64_t ldb, Span span, bool accumulate) {
  F32 sums[R][V];
  for (int r = 0; r < R; r++)
    for (int v = 0; v < V; v++) sums[r][v] = accumulate ? load(c + r * ldc + v * LANES) : zero();
  const float* rows[R];
  for (int r = 0; r < R; r++) rows[r] = a + r * lda;
  for (int64_t k = span.begin; k < span.end; k++) {
    F32 right[V];
    for (int v = 0; v < V; v++) right[v] = load(b + k * ldb + v * LANES);
    for (int r = 0; r < R; r++) {
      const F32 left = splat(ADJACENT ? a[k * lda + r] : rows[r][k]);
      for (int v = 0; v < V; v++) sums[r][v] = fma(left, right[v], sums[r][v]);
    }
  }
  for (int r = 0; r < R; r++)
    for (int v = 0; v < V; v++) store(c + r * ldc + v * LANES, sums[r][v]);
}

template <int V, bool ADJACENT, int R = ROWS>
inline void multiplyRows(int rows, float* c, int64_t ldc, const float* a, int64_t lda, const float* b, int64_t ldb, Span span, bool accumulate) {
  if constexpr (R > 0) {
    if (rows == R) return multiplyBlock<R, V, ADJACENT>(c, ldc, a, lda, b, ldb, span, accumulate);
    multiplyRows<V, ADJACENT, R - 1>(rows, c, ldc, a, lda, b, ldb, span, accumulate);
  }
}

// c[m][vectors · LANES] (+)= a · b. span(first, last) gives the part of k that the rows [first, last) need: this is where
// causality and document boundaries save work. Rows are cut into blocks of nearly equal height (64 rows are five and six
// at a time, not ten sixes and a four).
template <bool ADJACENT, class SpanOf>
void multiply(int64_t m, int64_t vectors, float* c, int64_t ldc, const float* a, int64_t lda, const float* b, int64_t ldb, bool accumulate, const SpanOf& span) {
  int64_t blocks = ceilDiv(m, ROWS);
  for (int64_t row = 0; row < m; blocks--) {
    const int rows = int(ceilDiv(m - row, blocks));
    const Span k = span(row, row + rows);
    if (!accumulate || !isEmpty(k)) {
      const float* left = ADJACENT ? a + row : a + row * lda;
      int64_t v = 0;
      for (; v + 2 <= vectors; v += 2) multiplyRows<2, ADJACENT>(rows, c + row * ldc + v * LANES, ldc, left, lda, b + v * LANES, ldb, k, accumulate);
      if (v < vectors) multiplyRows<1, ADJACENT>(rows, c + row * ldc + v * LANES, ldc, left, lda, b + v * LANES, ldb, k, accumulate);
    }
    row += rows;
  }
}

// Rows as f32 in whole vectors.
struct Panel { const float* data; int64_t stride; };

// Rows at multiples of 1 KB share few sets of L1: a copy is a quarter faster (1 x 16 heads x 1024 x 128, stride 8 KB).
constexpr int64_t CONFLICTING_STRIDE = 256;

// The columns [offset, offset + width) of `count` rows: in place if they are f32, whole vectors and well spread, otherwise copied to
// `scratch` [count, padded(width)] with zeros after each row.
inline Panel stage(const View& x, int64_t row, int64_t count, int64_t offset, int64_t width, float* scratch) {
  if (x.dtype == DType::f32 && width % LANES == 0 && x.stride0 % CONFLICTING_STRIDE != 0) return {x.as<float>() + row * x.stride0 + offset, x.stride0};
  const int64_t stride = padded(width);
  for (int64_t i = 0; i < count; i++) {
    const Reader<Kind::any> from = rowOf<Kind::any>(x, row + i, offset);
    eachVector(width, [&](int64_t c, auto tag) { store(scratch + i * stride + c, from.at(c, tag)); });
  }
  return {scratch, stride};
}

// Up to TILE_QUERIES rows of `width`, times `factor`, into strips: to[strip][column][lane]. Lanes without a row get 0.
// row(i) gives a Reader of row i.
template <class RowOf>
void transposeRows(int64_t count, int64_t width, float factor, float* to, const RowOf& row) {
  for (int64_t i = 0; i < ceilDiv(count, STRIP) * STRIP; i += LANES) {
    float* out = to + i / STRIP * STRIP * width + i % STRIP;
    eachVector(width, [&](int64_t c, auto tag) {
      F32 square[LANES];
      for (int r = 0; r < LANES; r++) square[r] = i + r < count ? row(i + r).at(c, tag) * factor : zero();
      transposeSquare(square);
      const int64_t columns = minOf(LANES, width - c);
      for (int64_t r = 0; r < columns; r++) store(out + (c + r) * STRIP, square[r]);
    });
  }
}

// The keys that the queries (lanes) of a tile attend: first[lane] … last[lane], inclusive, neither ever decreasing along
// the tile. Lanes that pad the last strip repeat the last query.
struct Reach {
  alignas(64) int32_t first[TILE_QUERIES], last[TILE_QUERIES];
  int64_t count = 0;
  void add(int64_t from, int64_t to) {
    first[count] = int32_t(from);
    last[count++] = int32_t(to);
  }
  void padStrip() {
    for (int64_t i = count; i < ceilDiv(count, STRIP) * STRIP; i++) { first[i] = first[count - 1]; last[i] = last[count - 1]; }
  }
  // Keys, counted from `key` and within [0, keys), that any query of the lanes [begin, end) attends.
  Span span(int64_t begin, int64_t end, int64_t key, int64_t keys) const {
    return {maxOf(0, first[begin] - key), minOf(keys, last[end - 1] + 1 - key)};
  }
  // Does every query of [begin, end) attend `key`?
  bool covers(int64_t begin, int64_t end, int64_t key) const { return first[end - 1] <= key && key <= last[begin]; }
  I32 mask(int64_t lane, int64_t key) const {
    I32 from, to;
    std::memcpy(&from, first + lane, sizeof from);
    std::memcpy(&to, last + lane, sizeof to);
    return (from <= int32_t(key)) & (to >= int32_t(key));
  }
};

// Scores come out of the product in units of log 2, so that probabilities are powers of 2; with a cap the product is the
// argument of tanh.
struct Scores {
  float scale, softcap;
  float queryFactor() const { return softcap > 0 ? scale / softcap : scale * LOG2E; }
  F32 finish(F32 s) const { return softcap > 0 ? tanh(s) * (softcap * LOG2E) : s; }
};

// What a query has seen so far: out = Σ 2^(s − top) · v, total = Σ 2^(s − top).
struct SoftmaxState {
  float *out;           // [TILE_QUERIES, Dvp]
  float *top, *total;   // [TILE_QUERIES]
  bool touched[TILE_QUERIES / STRIP];  // out holds something
  void reset() {
    for (int i = 0; i < TILE_QUERIES; i++) { top[i] = LOWEST; total[i] = 0; }
    for (bool& it : touched) it = false;
  }
};

struct KeyTile { Panel k, v; int64_t first, count; };

// scores[key][lane] of one strip (V vectors of it) become probabilities; returns with the state's maxima and sums moved
// on, and its `out` rescaled where a maximum rose.
template <int V>
void softmaxStep(float* scores, Span span, const KeyTile& keys, int64_t lane, int64_t lanes, const Reach& reach, const Scores& kind, SoftmaxState& state, int64_t outWidth) {
  F32 top[V], sums[V];
  for (int v = 0; v < V; v++) {
    top[v] = load(state.top + lane + v * LANES);
    sums[v] = zero();
  }
  for (int64_t j = span.begin; j < span.end; j++) {
    const bool all = reach.covers(lane, lane + lanes, keys.first + j);
    for (int v = 0; v < V; v++) {
      float* at = scores + j * STRIP + v * LANES;
      F32 s = load(at);
      if (kind.softcap > 0) s = kind.finish(s);
      if (!all) s = select(reach.mask(lane + v * LANES, keys.first + j), s, splat(-__builtin_inff()));
      if (!all || kind.softcap > 0) store(at, s);
      top[v] = max(top[v], s);
    }
  }
  for (int64_t j = span.begin; j < span.end; j++)
    for (int v = 0; v < V; v++) {
      float* at = scores + j * STRIP + v * LANES;
      const F32 p = exp2NonPositive(load(at) - top[v]);
      store(at, p);
      sums[v] += p;
    }
  alignas(64) float shrink[STRIP] = {};
  bool moved = false;
  for (int v = 0; v < V; v++) {
    const F32 factor = exp2NonPositive(load(state.top + lane + v * LANES) - top[v]);
    store(shrink + v * LANES, factor);
    store(state.top + lane + v * LANES, top[v]);
    store(state.total + lane + v * LANES, fma(load(state.total + lane + v * LANES), factor, sums[v]));
  }
  for (int i = 0; i < lanes; i++) moved = moved || shrink[i] != 1.0f;
  if (!moved || !state.touched[lane / STRIP]) return;
  for (int64_t i = 0; i < lanes; i++) {
    float* row = state.out + (lane + i) * outWidth;
    for (int64_t c = 0; c < outWidth; c += LANES) store(row + c, load(row + c) * shrink[i]);
  }
}

// One tile of keys for all queries of a tile. queries: strips [D][STRIP]; scores: scratch [keys][STRIP].
inline void attendTile(const float* queries, int64_t width, const KeyTile& keys, const Reach& reach, const Scores& kind, SoftmaxState& state, int64_t outWidth, float* scores) {
  for (int64_t lane = 0; lane < reach.count; lane += STRIP) {
    const int64_t lanes = minOf(STRIP, reach.count - lane);
    const Span span = reach.span(lane, lane + lanes, keys.first, keys.count);
    if (isEmpty(span)) continue;
    const int vectors = lanes <= LANES ? 1 : 2;
    multiply<false>(span.end - span.begin, vectors, scores + span.begin * STRIP, STRIP, keys.k.data + span.begin * keys.k.stride, keys.k.stride,
                    queries + lane * width, STRIP, false, [&](int64_t, int64_t) { return Span{0, width}; });
    if (vectors == 1) softmaxStep<1>(scores, span, keys, lane, lanes, reach, kind, state, outWidth);
    else softmaxStep<2>(scores, span, keys, lane, lanes, reach, kind, state, outWidth);
    bool& touched = state.touched[lane / STRIP];
    multiply<true>(lanes, outWidth / LANES, state.out + lane * outWidth, outWidth, scores, STRIP, keys.v.data, keys.v.stride, touched,
                   [&](int64_t begin, int64_t end) { return reach.span(lane + begin, lane + end, keys.first, keys.count); });
    touched = true;
  }
}

// Products of tiles give a row 0·x for the keys that only its neighbours attend: NaN where x is not finite. Kernels look
// for NaN in what they write, and compute such a row again, alone: then a product has no terms but its own.
inline bool hasNaN(const float* first, int64_t rows, int64_t stride, int64_t width) {
  I32 found{};
  for (int64_t i = 0; i < rows; i++)
    for (int64_t c = 0; c < width; c += LANES) {
      const F32 x = load(first + i * stride + c);
      found |= x != x;
    }
  int32_t any = 0;
  for (int i = 0; i < LANES; i++) any |= found[i];
  return any != 0;
}
inline bool hasNaN(const float* row, int64_t width) { return hasNaN(row, 1, 0, width); }

// Calls again(i) for each of `count` rows of `width` that is NaN though ownNaN(i), what makes it so by itself, is not.
// All are found first: again() may use their memory.
template <class OwnNaN, class Again>
inline void repairRows(const float* rows, int64_t count, int64_t width, const OwnNaN& ownNaN, const Again& again) {
  if (count == 1 || !hasNaN(rows, count, width, width)) return;
  bool isLeaked[TILE_QUERIES];
  for (int64_t i = 0; i < count; i++) isLeaked[i] = !ownNaN(i) && hasNaN(rows + i * width, width);
  for (int64_t i = 0; i < count; i++)
    if (isLeaked[i]) again(i);
}
inline bool isNaN(float x) { return x != x; }

// First key that token i attends.
inline int64_t firstKey(const View& starts, int64_t i, int64_t window) {
  const int64_t start = starts.as<int32_t>()[i * starts.stride0];
  return window > 0 ? maxOf(start, i - window + 1) : start;
}

// Pieces of one thread's scratch; a thread's share is whole cache lines.
inline int64_t scratchStride(int64_t floats) { return ceilDiv(floats, 16) * 16; }
struct Carver {
  float* at;
  float* take(int64_t floats) {
    float* piece = at;
    at += floats;
    return piece;
  }
};

}  // namespace athanor::ATHANOR_ISA::attention_detail
