// attention: out = softmax(scale · q·kᵀ) · v over the keys start ≤ j ≤ i of each token, by tiles of queries and keys with
// an online softmax; tiles that no query attends are skipped, so documents packed in one row cost what they would alone.
// q [N, H, D], k [N, KV, D], v [N, KV, Dv] → out [N, H, Dv], lse [N, H]. See attention-tile.h.
#include "attention-tile.h"

namespace athanor::ATHANOR_ISA {
namespace attention_detail {

// Floats of one thread; the rule of src/core/ops/attention.ts.
inline int64_t forwardFloats(int64_t width, int64_t outWidth) {
  return TILE_QUERIES * width + FORWARD_KEYS * STRIP + TILE_QUERIES * padded(outWidth) + FORWARD_KEYS * (padded(width) + padded(outWidth)) + 2 * TILE_QUERIES + 64;
}

struct Forward {
  const Call& call;
  Scores kind;
  int64_t window, width, outWidth, heads, group;
};

void writeOut(const Forward& f, int64_t begin, int64_t head, int64_t count, const SoftmaxState& state) {
  const View &out = f.call.out[0], &lse = f.call.out[1];
  alignas(64) float logs[TILE_QUERIES], inverses[TILE_QUERIES];
  for (int i = 0; i < TILE_QUERIES; i += LANES) {
    const F32 total = load(state.total + i);
    store(logs + i, fma(load(state.top + i), splat(LN2), log(total)));
    store(inverses + i, 1.0f / total);
  }
  for (int64_t i = 0; i < count; i++) {
    const float* row = state.out + i * padded(f.outWidth);
    const Writer<Kind::any> to = outRow<Kind::any>(out, begin + i, head * f.outWidth);
    eachVector(f.outWidth, [&](int64_t c, auto tag) { to.put(c, load(row + c) * inverses[i], tag); });
    lse.as<float>()[(begin + i) * lse.stride0 + head] = logs[i];
  }
}

// `count` queries against tiles of keys that start at `from`.
void attendQueries(const Forward& f, int64_t begin, int64_t count, int64_t from, int64_t head, float* scratch) {
  const View &q = f.call.in[0], &k = f.call.in[1], &v = f.call.in[2], &starts = f.call.in[3];
  const int64_t outWidth = padded(f.outWidth), kvHead = head / f.group;
  Carver carve{scratch};
  float* queries = carve.take(TILE_QUERIES * f.width);
  float* scores = carve.take(FORWARD_KEYS * STRIP);
  SoftmaxState state;
  state.out = carve.take(TILE_QUERIES * outWidth);
  float *kCopy = carve.take(FORWARD_KEYS * padded(f.width)), *vCopy = carve.take(FORWARD_KEYS * outWidth);
  state.top = carve.take(TILE_QUERIES);
  state.total = carve.take(TILE_QUERIES);
  state.reset();

  Reach reach;
  for (int64_t i = begin; i < begin + count; i++) reach.add(firstKey(starts, i, f.window), i);
  reach.padStrip();
  transposeRows(count, f.width, f.kind.queryFactor(), queries, [&](int64_t i) { return rowOf<Kind::any>(q, begin + i, head * f.width); });
  for (int64_t key = from; key < begin + count; key += FORWARD_KEYS) {
    const int64_t keys = minOf(FORWARD_KEYS, begin + count - key);
    const KeyTile tile{stage(k, key, keys, kvHead * f.width, f.width, kCopy), stage(v, key, keys, kvHead * f.outWidth, f.outWidth, vCopy), key, keys};
    attendTile(queries, f.width, tile, reach, f.kind, state, outWidth, scores);
  }
  writeOut(f, begin, head, count, state);
  // A row whose sum is NaN has such a score itself.
  repairRows(state.out, count, outWidth, [&](int64_t i) { return isNaN(state.total[i]); },
             [&](int64_t i) { attendQueries(f, begin + i, 1, from, head, scratch); });
}

}  // namespace attention_detail

void attention(const Call& call) {
  using namespace attention_detail;
  const View &q = call.in[0], &k = call.in[1], &v = call.in[2];
  const Forward f{call, {float(call.attrs[0]), float(call.attrs[2])}, int64_t(call.attrs[1]), q.shape[2], v.shape[2], q.shape[1], q.shape[1] / k.shape[1]};
  const int64_t tiles = ceilDiv(q.rows(), TILE_QUERIES), stride = scratchStride(forwardFloats(f.width, f.outWidth));
  float* scratch = reinterpret_cast<float*>(call.workspace);
  // From the last tile, which in one long document has the most keys, to the first.
  call.pool->parallel(tiles * f.heads, [&](int64_t task, int thread) {
    const int64_t begin = (tiles - 1 - task / f.heads) * TILE_QUERIES;
    attendQueries(f, begin, minOf(TILE_QUERIES, q.rows() - begin), maxOf(firstKey(call.in[3], begin, f.window), 0), task % f.heads, scratch + thread * stride);
  });
}

}  // namespace athanor::ATHANOR_ISA
