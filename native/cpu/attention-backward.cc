// attentionBackward: with P = exp(S − lse) recomputed by tiles and Δ = Σ dout · out (Dao et al. 2022, arXiv 2205.14135,
// algorithm 4):
//   dv = Pᵀ·dout,  dP = dout·vᵀ,  dS = scale · P ∘ (dP − Δ) (∘ 1 − tanh² with a cap),  dq = dS·k,  dk = dSᵀ·q.
// The tokens are cut into segments at document boundaries; a task is one segment and one head of k and v, and does all
// five products of a pair of tiles while P and dS are in L1. Where there are too few such tasks for the threads, two
// passes over finer tasks (queries for dq, then keys for dk and dv) do seven products; every sum has the same order in
// both, so the bits do not depend on the choice.
#include "attention-tile.h"

namespace athanor::ATHANOR_ISA {
namespace attention_backward_detail {

using namespace attention_detail;

constexpr int64_t SHORTEST_SEGMENT = 256;             // tokens, unless the last
constexpr int64_t TASK_KEYS = 4 * BACKWARD_KEYS;      // of the second pass: Q and dout are transposed once for them
constexpr int64_t LD = TILE_QUERIES;                  // row length of P^T and dS^T

struct Backward {
  const Call& call;
  Scores kind;
  int64_t window, width, outWidth, heads, kvHeads, group;
  float *dk, *dv;                                     // where sums grow: the outputs themselves, or padded f32 copies
  int64_t dkRow, dkHead, dvRow, dvHead;               // strides between tokens and between heads
  int64_t firstKey(int64_t i) const { return attention_detail::firstKey(call.in[3], i, window); }
};

// Floats of one thread; the rule of src/core/ops/attention.ts.
int64_t backwardFloats(int64_t width, int64_t outWidth) {
  const int64_t wide = padded(width), out = padded(outWidth);
  return TILE_QUERIES * (width + outWidth) + 2 * LD * BACKWARD_KEYS + TILE_QUERIES * (2 * wide + out) + BACKWARD_KEYS * (wide + out) + 2 * TILE_QUERIES + 64;
}

struct Scratch {
  float *queries, *douts;        // strips [D][STRIP], [Dv][STRIP]
  float *p, *ds;                 // [BACKWARD_KEYS][LD]
  float *dq, *qCopy, *doutCopy;  // [TILE_QUERIES][Dp], [.][Dp], [.][Dvp]
  float *kCopy, *vCopy;
  float *lse, *delta;            // [TILE_QUERIES], lse in units of log 2
  Scratch(const Backward& f, float* memory) {
    Carver carve{memory};
    const int64_t wide = padded(f.width), out = padded(f.outWidth);
    p = carve.take(LD * BACKWARD_KEYS);
    ds = carve.take(LD * BACKWARD_KEYS);
    lse = carve.take(TILE_QUERIES);
    delta = carve.take(TILE_QUERIES);
    queries = carve.take(TILE_QUERIES * f.width);
    douts = carve.take(TILE_QUERIES * f.outWidth);
    dq = carve.take(TILE_QUERIES * wide);
    qCopy = carve.take(TILE_QUERIES * wide);
    doutCopy = carve.take(TILE_QUERIES * out);
    kCopy = carve.take(BACKWARD_KEYS * wide);
    vCopy = carve.take(BACKWARD_KEYS * out);
  }
};

// The queries of one tile and one head.
struct QueryTile {
  Panel q, dout;
  Reach reach;
  int64_t first, head;
};

void loadQueries(const Backward& f, const Scratch& s, int64_t begin, int64_t count, int64_t head, QueryTile& tile) {
  const View &q = f.call.in[0], &out = f.call.in[4], &lse = f.call.in[5], &dout = f.call.in[6];
  tile.first = begin;
  tile.head = head;
  for (int64_t i = 0; i < count; i++) {
    tile.reach.add(f.firstKey(begin + i), begin + i);
    s.lse[i] = lse.as<float>()[(begin + i) * lse.stride0 + head] * LOG2E;
    const Reader<Kind::any> y = rowOf<Kind::any>(out, begin + i, head * f.outWidth), dy = rowOf<Kind::any>(dout, begin + i, head * f.outWidth);
    F32 sums{};
    eachVector(f.outWidth, [&](int64_t c, auto tag) { sums = fma(y.at(c, tag), dy.at(c, tag), sums); });
    s.delta[i] = sum(sums);
  }
  tile.reach.padStrip();
  for (int64_t i = count; i < ceilDiv(count, STRIP) * STRIP; i++) s.lse[i] = s.delta[i] = 0;
  tile.q = stage(q, begin, count, head * f.width, f.width, s.qCopy);
  tile.dout = stage(dout, begin, count, head * f.outWidth, f.outWidth, s.doutCopy);
  transposeRows(count, f.width, f.kind.queryFactor(), s.queries, [&](int64_t i) { return Reader<Kind::f32>{tile.q.data + i * tile.q.stride, false}; });
  transposeRows(count, f.outWidth, 1.0f, s.douts, [&](int64_t i) { return Reader<Kind::f32>{tile.dout.data + i * tile.dout.stride, false}; });
}

// P^T and dS^T of one strip, from S^T and dP^T in their places.
void probabilities(const Backward& f, const Scratch& s, const QueryTile& tile, int64_t lane, int64_t key, Span span) {
  const float scale = f.kind.scale, cap = f.kind.softcap;
  for (int v = 0; v < 2; v++) {
    const int64_t at = lane + v * LANES;
    const F32 lse = load(s.lse + at), delta = load(s.delta + at);
    for (int64_t j = span.begin; j < span.end; j++) {
      float *pAt = s.p + j * LD + at, *dsAt = s.ds + j * LD + at;
      const F32 raw = load(pAt);
      F32 slope = splat(scale), score = raw;
      if (cap > 0) {
        const F32 t = tanh(raw);
        score = t * (cap * LOG2E);
        slope = (1.0f - t * t) * scale;
      }
      F32 p = exp2NonPositive(score - lse);
      F32 ds = p * (load(dsAt) - delta) * slope;
      if (!tile.reach.covers(lane, lane + STRIP, key + j)) {
        const I32 mask = tile.reach.mask(at, key + j);
        p = select(mask, p, zero());
        ds = select(mask, ds, zero());
      }
      store(pAt, p);
      store(dsAt, ds);
    }
  }
}

void clearRows(const Scratch& s, int64_t lane, int64_t begin, int64_t end) {
  for (int64_t j = begin; j < end; j++)
    for (int i = 0; i < STRIP; i += LANES) {
      store(s.p + j * LD + lane + i, zero());
      store(s.ds + j * LD + lane + i, zero());
    }
}

struct Want { bool dq, dkv; };

// All products of one tile of queries with one tile of keys.
void backwardTiles(const Backward& f, const Scratch& s, const QueryTile& tile, int64_t key, int64_t keys, bool firstTile, Want want) {
  const int64_t kvHead = tile.head / f.group, wide = padded(f.width), out = padded(f.outWidth), count = tile.reach.count;
  const Reach& reach = tile.reach;
  const Panel k = stage(f.call.in[1], key, keys, kvHead * f.width, f.width, s.kCopy);
  const Panel v = stage(f.call.in[2], key, keys, kvHead * f.outWidth, f.outWidth, s.vCopy);
  for (int64_t lane = 0; lane < count; lane += STRIP) {
    const Span span = reach.span(lane, minOf(count, lane + STRIP), key, keys);
    if (isEmpty(span)) { clearRows(s, lane, 0, keys); continue; }
    clearRows(s, lane, 0, span.begin);
    clearRows(s, lane, span.end, keys);
    const int64_t rows = span.end - span.begin;
    multiply<false>(rows, 2, s.p + span.begin * LD + lane, LD, k.data + span.begin * k.stride, k.stride, s.queries + lane * f.width, STRIP, false, [&](int64_t, int64_t) { return Span{0, f.width}; });
    multiply<false>(rows, 2, s.ds + span.begin * LD + lane, LD, v.data + span.begin * v.stride, v.stride, s.douts + lane * f.outWidth, STRIP, false, [&](int64_t, int64_t) { return Span{0, f.outWidth}; });
    probabilities(f, s, tile, lane, key, span);
  }
  if (want.dkv) {
    // The queries that attend any of the keys [begin, end): from the first key's own token to the last that reaches back.
    const auto queriesOf = [&](int64_t begin, int64_t end) {
      int64_t last = count;
      while (last > 0 && reach.first[last - 1] > key + end - 1) last--;
      return Span{maxOf(0, key + begin - tile.first), last};
    };
    multiply<false>(keys, out / LANES, f.dv + key * f.dvRow + kvHead * f.dvHead, f.dvRow, s.p, LD, tile.dout.data, tile.dout.stride, true, queriesOf);
    multiply<false>(keys, wide / LANES, f.dk + key * f.dkRow + kvHead * f.dkHead, f.dkRow, s.ds, LD, tile.q.data, tile.q.stride, true, queriesOf);
  }
  if (want.dq)
    multiply<true>(count, wide / LANES, s.dq, wide, s.ds, LD, k.data, k.stride, !firstTile,
                   [&](int64_t begin, int64_t end) { return reach.span(begin, end, key, keys); });
}

// One tile of queries and one head against the keys of the segment within `range`.
void backwardQueries(const Backward& f, const Scratch& s, Span segment, int64_t begin, int64_t head, Span range, Want want, int64_t most = TILE_QUERIES) {
  const int64_t count = minOf(most, segment.end - begin);
  const int64_t from = maxOf(range.begin, f.firstKey(begin)), to = minOf(range.end, begin + count);
  if (from >= to) return;
  QueryTile tile;
  loadQueries(f, s, begin, count, head, tile);
  bool firstTile = true;
  for (int64_t key = segment.begin + (from - segment.begin) / BACKWARD_KEYS * BACKWARD_KEYS; key < to; key += BACKWARD_KEYS) {
    backwardTiles(f, s, tile, key, minOf(BACKWARD_KEYS, minOf(segment.end, begin + count) - key), firstTile, want);
    firstTile = false;
  }
  if (!want.dq) return;
  for (int64_t i = 0; i < count; i++) {
    const Writer<Kind::any> to = outRow<Kind::any>(f.call.out[0], begin + i, head * f.width);
    eachVector(f.width, [&](int64_t c, auto tag) { to.put(c, load(s.dq + i * padded(f.width) + c), tag); });
  }
  // A row whose lse or Δ is NaN is so by itself.
  repairRows(s.dq, count, padded(f.width), [&](int64_t i) { return isNaN(s.lse[i]) || isNaN(s.delta[i]); },
             [&](int64_t i) { backwardQueries(f, s, segment, begin + i, head, range, {true, false}, 1); });
}

void clearKeys(const Backward& f, Span range, int64_t kvHead) {
  for (int64_t j = range.begin; j < range.end; j++) {
    float *k = f.dk + j * f.dkRow + kvHead * f.dkHead, *v = f.dv + j * f.dvRow + kvHead * f.dvHead;
    for (int64_t c = 0; c < f.width; c += LANES) store(k + c, zero());
    for (int64_t c = 0; c < f.outWidth; c += LANES) store(v + c, zero());
  }
}

// dk and dv of the keys in `range` that are NaN, and not by their own token's lse, once more, each key alone.
void repairKeys(const Backward& f, const Scratch& s, Span segment, Span range, int64_t kvHead) {
  const View& lse = f.call.in[5];
  const int64_t count = range.end - range.begin;
  if (!hasNaN(f.dk + range.begin * f.dkRow + kvHead * f.dkHead, count, f.dkRow, padded(f.width)) &&
      !hasNaN(f.dv + range.begin * f.dvRow + kvHead * f.dvHead, count, f.dvRow, padded(f.outWidth))) return;
  for (int64_t j = range.begin; j < range.end; j++) {
    const float *k = f.dk + j * f.dkRow + kvHead * f.dkHead, *v = f.dv + j * f.dvRow + kvHead * f.dvHead;
    if (!hasNaN(k, padded(f.width)) && !hasNaN(v, padded(f.outWidth))) continue;
    const float own = lse.as<float>()[j * lse.stride0 + kvHead * f.group];
    if (isNaN(own)) continue;
    clearKeys(f, {j, j + 1}, kvHead);
    for (int64_t begin = segment.begin + (j - segment.begin) / TILE_QUERIES * TILE_QUERIES; begin < segment.end && f.firstKey(begin) <= j; begin += TILE_QUERIES)
      for (int64_t g = 0; g < f.group; g++) {
        QueryTile tile;
        loadQueries(f, s, begin, minOf(TILE_QUERIES, segment.end - begin), kvHead * f.group + g, tile);
        backwardTiles(f, s, tile, j, 1, true, {false, true});
      }
  }
}

// From the padded f32 sums to the outputs, if they are not the same.
void writeKeys(const Backward& f, Span range, int64_t kvHead) {
  const View &dk = f.call.out[1], &dv = f.call.out[2];
  if (f.dk == dk.data) return;
  for (int64_t j = range.begin; j < range.end; j++) {
    const Writer<Kind::any> toK = outRow<Kind::any>(dk, j, kvHead * f.width), toV = outRow<Kind::any>(dv, j, kvHead * f.outWidth);
    const float *k = f.dk + j * f.dkRow + kvHead * f.dkHead, *v = f.dv + j * f.dvRow + kvHead * f.dvHead;
    eachVector(f.width, [&](int64_t c, auto tag) { toK.put(c, load(k + c), tag); });
    eachVector(f.outWidth, [&](int64_t c, auto tag) { toV.put(c, load(v + c), tag); });
  }
}

// Tokens [begin, end) of segments that start where a document starts, so that no token attends another segment.
int64_t findSegments(const View& starts, int64_t tokens, int32_t* bounds) {
  int64_t count = 0;
  bounds[0] = 0;
  for (int64_t i = SHORTEST_SEGMENT; i < tokens; i++)
    if (i - bounds[count] >= SHORTEST_SEGMENT && starts.as<int32_t>()[i * starts.stride0] == i) bounds[++count] = int32_t(i);
  bounds[++count] = int32_t(tokens);
  return count;
}

void onePass(const Backward& f, const int32_t* bounds, int64_t segments, float* scratch, int64_t stride) {
  f.call.pool->parallel(segments * f.kvHeads, [&](int64_t task, int thread) {
    const Span segment{bounds[task / f.kvHeads], bounds[task / f.kvHeads + 1]};
    const int64_t kvHead = task % f.kvHeads;
    const Scratch s(f, scratch + thread * stride);
    clearKeys(f, segment, kvHead);
    for (int64_t begin = segment.begin; begin < segment.end; begin += TILE_QUERIES)
      for (int64_t g = 0; g < f.group; g++) backwardQueries(f, s, segment, begin, kvHead * f.group + g, segment, {true, true});
    repairKeys(f, s, segment, segment, kvHead);
    writeKeys(f, segment, kvHead);
  });
}

void twoPasses(const Backward& f, const int32_t* bounds, int64_t segments, float* scratch, int64_t stride) {
  for (int64_t i = 0; i < segments; i++) {
    const Span segment{bounds[i], bounds[i + 1]};
    const int64_t tiles = ceilDiv(segment.end - segment.begin, TILE_QUERIES), ranges = ceilDiv(segment.end - segment.begin, TASK_KEYS);
    f.call.pool->parallel(tiles * f.heads, [&](int64_t task, int thread) {
      const Scratch s(f, scratch + thread * stride);
      backwardQueries(f, s, segment, segment.begin + (tiles - 1 - task / f.heads) * TILE_QUERIES, task % f.heads, segment, {true, false});
    });
    f.call.pool->parallel(ranges * f.kvHeads, [&](int64_t task, int thread) {
      const Scratch s(f, scratch + thread * stride);
      const int64_t from = segment.begin + task / f.kvHeads * TASK_KEYS, kvHead = task % f.kvHeads;
      const Span range{from, minOf(segment.end, from + TASK_KEYS)};
      clearKeys(f, range, kvHead);
      const int64_t firstTile = segment.begin + (from - segment.begin) / TILE_QUERIES * TILE_QUERIES;
      for (int64_t begin = firstTile; begin < segment.end && f.firstKey(begin) < range.end; begin += TILE_QUERIES)
        for (int64_t g = 0; g < f.group; g++) backwardQueries(f, s, segment, begin, kvHead * f.group + g, range, {false, true});
      repairKeys(f, s, segment, range, kvHead);
      writeKeys(f, range, kvHead);
    });
  }
}

}  // namespace attention_backward_detail

void attentionBackward(const Call& call) {
  using namespace attention_backward_detail;
  const View &q = call.in[0], &k = call.in[1], &v = call.in[2], &dk = call.out[1], &dv = call.out[2];
  const int64_t tokens = q.rows(), width = q.shape[2], outWidth = v.shape[2], kvHeads = k.shape[1];
  if (tokens == 0) return;
  const int threads = call.pool->threads();
  const int64_t stride = scratchStride(backwardFloats(width, outWidth));
  float* scratch = reinterpret_cast<float*>(call.workspace);
  int32_t* bounds = reinterpret_cast<int32_t*>(scratch + threads * stride);
  const int64_t segments = findSegments(call.in[3], tokens, bounds);
  Backward f{call, {float(call.attrs[0]), float(call.attrs[2])}, int64_t(call.attrs[1]), width, outWidth, q.shape[1], kvHeads, q.shape[1] / kvHeads,
             dk.as<float>(), dv.as<float>(), dk.stride0, width, dv.stride0, outWidth};
  if (dk.dtype != DType::f32 || dv.dtype != DType::f32 || width % LANES != 0 || outWidth % LANES != 0) {
    f.dk = reinterpret_cast<float*>(bounds) + scratchStride(ceilDiv(tokens, SHORTEST_SEGMENT) + 2);
    f.dv = f.dk + tokens * kvHeads * padded(width);
    f.dkRow = kvHeads * (f.dkHead = padded(width));
    f.dvRow = kvHeads * (f.dvHead = padded(outWidth));
  }
  if (threads == 1 || segments * kvHeads >= 2 * threads) onePass(f, bounds, segments, scratch, stride);
  else twoPasses(f, bounds, segments, scratch, stride);
}

}  // namespace athanor::ATHANOR_ISA
