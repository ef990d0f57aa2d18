// pagedAttention: attention of new tokens over a cache whose rows are found through a table of slots.
// q [N, H, D], kCache [slots, KV, D], vCache [slots, KV, Dv], slotTable [S, L], seqs [N], positions [N] → out [N, H, Dv].
//
// Neighbouring tokens of one sequence (a prefill) and the query heads that share a head of k and v are the lanes of one
// tile, so the cache is read once for all of them. The keys of every sequence are cut into chunks at fixed positions;
// chunks are attended from scratch and joined in order. With few tokens and long contexts chunks are tasks of their own.
// A lane's bits depend neither on its company nor on how the chunks were spread.
// A position below 0 attends nothing and gives zeros; one beyond the table, or a slot beyond the cache, gives NaN.
#include "attention-tile.h"

namespace athanor::ATHANOR_ISA {
namespace paged_attention_detail {

using namespace attention_detail;

constexpr int64_t CHUNK_KEYS = 8 * FORWARD_KEYS;

// Rows of one head lie apart, which no processor fetches ahead by itself: a bf16 cache of 1024 keys × 4 heads × 64, 22
// layers, 3.3 ms a token instead of 5.8 on two Zen 3 cores; f32 5.1 instead of 5.7. 12 and 96 keys are no better.
constexpr int64_t PREFETCH_KEYS = 32;

struct Paged {
  const Call& call;
  Scores kind;
  int64_t window, width, outWidth, heads, kvHeads, group;
  int64_t outPadded() const { return padded(outWidth); }
  int64_t seq(int64_t n) const { return call.in[4].as<int32_t>()[n * call.in[4].stride0]; }
  int64_t position(int64_t n) const { return call.in[5].as<int32_t>()[n * call.in[5].stride0]; }
  int64_t firstKey(int64_t n) const { return window > 0 ? maxOf(0, position(n) - window + 1) : 0; }
  bool isValid(int64_t n) const { return position(n) < 0 || (seq(n) >= 0 && seq(n) < call.in[3].rows() && position(n) < call.in[3].cols()); }
};

// Floats of one thread; the rule of src/core/ops/paged-attention.ts.
int64_t pagedFloats(int64_t width, int64_t outWidth) {
  return TILE_QUERIES * width + FORWARD_KEYS * STRIP + 2 * TILE_QUERIES * padded(outWidth) + FORWARD_KEYS * (padded(width) + padded(outWidth)) + 4 * TILE_QUERIES + 64;
}

// Tokens [begin, end) of one sequence with rising positions, and the query heads [head, head + heads) of one kv head.
struct Group { int64_t begin, end, head, heads, kvHead; };

struct Scratch {
  float *queries, *scores, *kCopy, *vCopy;
  SoftmaxState chunk, joined;
  Scratch(const Paged& f, float* memory) {
    Carver carve{memory};
    queries = carve.take(TILE_QUERIES * f.width);
    scores = carve.take(FORWARD_KEYS * STRIP);
    kCopy = carve.take(FORWARD_KEYS * padded(f.width));
    vCopy = carve.take(FORWARD_KEYS * f.outPadded());
    for (SoftmaxState* state : {&chunk, &joined}) {
      state->out = carve.take(TILE_QUERIES * f.outPadded());
      state->top = carve.take(TILE_QUERIES);
      state->total = carve.take(TILE_QUERIES);
    }
  }
};

Reach reachOf(const Paged& f, const Group& group) {
  Reach reach;
  for (int64_t n = group.begin; n < group.end; n++)
    for (int64_t h = 0; h < group.heads; h++) reach.add(f.firstKey(n), f.position(n));
  reach.padStrip();
  return reach;
}

void loadQueries(const Paged& f, const Group& group, const Scratch& s) {
  transposeRows((group.end - group.begin) * group.heads, f.width, f.kind.queryFactor(), s.queries, [&](int64_t lane) {
    return rowOf<Kind::any>(f.call.in[0], group.begin + lane / group.heads, (group.head + lane % group.heads) * f.width);
  });
}

// Rows of the cache for the positions [first, first + count), as f32 in whole vectors.
Panel gatherRows(const Paged& f, const View& cache, int64_t seq, int64_t first, int64_t count, int64_t offset, int64_t width, float* to) {
  const View& table = f.call.in[3];
  const int32_t* slots = table.as<int32_t>() + seq * table.stride0 + first;
  const int64_t stride = padded(width);
  const int64_t ahead = minOf(PREFETCH_KEYS, table.cols() - first - count);
  for (int64_t j = 0; j < count; j++) {
    if (const int64_t slot = slots[j + ahead]; slot >= 0 && slot < cache.rows()) {
      const std::byte* row = elementAt(cache, slot * cache.stride0 + offset);
      for (int64_t at = 0; at < width * elementBytes(cache.dtype); at += 64) __builtin_prefetch(row + at);
    }
    if (slots[j] < 0 || slots[j] >= cache.rows()) {
      for (int64_t c = 0; c < stride; c += LANES) store(to + j * stride + c, splat(__builtin_nanf("")));
      continue;
    }
    const Reader<Kind::any> from = rowOf<Kind::any>(cache, slots[j], offset);
    eachVector(width, [&](int64_t c, auto tag) { store(to + j * stride + c, from.at(c, tag)); });
  }
  return {to, stride};
}

void attendChunk(const Paged& f, const Group& group, const Reach& reach, Scratch& s, int64_t chunk) {
  s.chunk.reset();
  const int64_t last = reach.last[reach.count - 1] + 1, end = minOf(last, (chunk + 1) * CHUNK_KEYS);
  int64_t key = chunk * CHUNK_KEYS;
  if (reach.first[0] > key) key += (reach.first[0] - key) / FORWARD_KEYS * FORWARD_KEYS;
  for (; key < end; key += FORWARD_KEYS) {
    const int64_t keys = minOf(FORWARD_KEYS, end - key), seq = f.seq(group.begin);
    const KeyTile tile{gatherRows(f, f.call.in[1], seq, key, keys, group.kvHead * f.width, f.width, s.kCopy),
                       gatherRows(f, f.call.in[2], seq, key, keys, group.kvHead * f.outWidth, f.outWidth, s.vCopy), key, keys};
    attendTile(s.queries, f.width, tile, reach, f.kind, s.chunk, f.outPadded(), s.scores);
  }
}

void clearJoined(const Paged& f, Scratch& s, int64_t lanes) {
  s.joined.reset();
  for (int64_t i = 0; i < lanes * f.outPadded(); i += LANES) store(s.joined.out + i, zero());
}

// joined += one lane's partial result. A chunk without keys for this lane leaves no trace.
void joinLane(const Paged& f, Scratch& s, int64_t lane, const float* out, float top, float total) {
  if (total == 0) return;
  float &oldTop = s.joined.top[lane], &oldTotal = s.joined.total[lane];
  const float newTop = oldTop > top ? oldTop : top;
  const float keepOld = exp2NonPositive(splat(oldTop - newTop))[0], keepNew = exp2NonPositive(splat(top - newTop))[0];
  float* row = s.joined.out + lane * f.outPadded();
  for (int64_t c = 0; c < f.outPadded(); c += LANES) store(row + c, fma(load(out + c), splat(keepNew), load(row + c) * keepOld));
  oldTotal = oldTotal * keepOld + total * keepNew;
  oldTop = newTop;
}

void writeGroup(const Paged& f, const Group& group, const Scratch& s) {
  for (int64_t n = group.begin, lane = 0; n < group.end; n++)
    for (int64_t h = 0; h < group.heads; h++, lane++) {
      const float* row = s.joined.out + lane * f.outPadded();
      const float inverse = f.position(n) < 0 ? 0.0f : 1.0f / s.joined.total[lane];
      const Writer<Kind::any> to = outRow<Kind::any>(f.call.out[0], n, (group.head + h) * f.outWidth);
      eachVector(f.outWidth, [&](int64_t c, auto tag) { to.put(c, load(row + c) * inverse, tag); });
    }
}

void writeNaN(const Paged& f, const Group& group) {
  for (int64_t n = group.begin; n < group.end; n++) {
    const Writer<Kind::any> to = outRow<Kind::any>(f.call.out[0], n, group.head * f.outWidth);
    eachVector(group.heads * f.outWidth, [&](int64_t c, auto tag) { to.put(c, splat(__builtin_nanf("")), tag); });
  }
}

// Chunks that hold keys of the group: [begin, end).
Span chunksOf(const Reach& reach) {
  const int64_t last = reach.last[reach.count - 1];
  if (last < 0) return {0, 0};
  return {reach.first[0] / CHUNK_KEYS, last / CHUNK_KEYS + 1};
}

void repairGroup(const Paged& f, const Group& group, const Scratch& s, float* memory);

void attendGroup(const Paged& f, const Group& group, float* memory) {
  if (!f.isValid(group.begin)) return writeNaN(f, group);
  Scratch s(f, memory);
  const Reach reach = reachOf(f, group);
  loadQueries(f, group, s);
  clearJoined(f, s, reach.count);
  const Span chunks = chunksOf(reach);
  for (int64_t chunk = chunks.begin; chunk < chunks.end; chunk++) {
    attendChunk(f, group, reach, s, chunk);
    for (int64_t lane = 0; lane < reach.count; lane++)
      if (s.chunk.touched[lane / STRIP]) joinLane(f, s, lane, s.chunk.out + lane * f.outPadded(), s.chunk.top[lane], s.chunk.total[lane]);
  }
  writeGroup(f, group, s);
  repairGroup(f, group, s, memory);
}

// Lanes that are NaN, and not by a score of their own, once more, each alone (see hasNaN).
void repairGroup(const Paged& f, const Group& group, const Scratch& s, float* memory) {
  const int64_t lanes = (group.end - group.begin) * group.heads;
  repairRows(s.joined.out, lanes, f.outPadded(), [&](int64_t lane) { return isNaN(s.joined.total[lane]); }, [&](int64_t lane) {
    const int64_t n = group.begin + lane / group.heads;
    attendGroup(f, {n, n + 1, group.head + lane % group.heads, 1, group.kvHead}, memory);
  });
}

// All groups: bounds[i] is where the i-th run of tokens begins; each has kvHeads · parts groups of heads.
struct Groups {
  const int32_t* bounds;
  int64_t runs, parts, perPart;
  int64_t count(const Paged& f) const { return runs * f.kvHeads * parts; }
  Group at(const Paged& f, int64_t i) const {
    const int64_t part = i % parts, kvHead = i / parts % f.kvHeads, run = i / (parts * f.kvHeads);
    return {bounds[run], bounds[run + 1], kvHead * f.group + part * perPart, minOf(perPart, f.group - part * perPart), kvHead};
  }
};

Groups findGroups(const Paged& f, int32_t* bounds) {
  const int64_t tokens = f.call.in[0].rows(), perPart = minOf(f.group, TILE_QUERIES), most = TILE_QUERIES / perPart;
  int64_t runs = 0;
  for (int64_t n = 0; n < tokens; n++) {
    const bool joins = n > 0 && n - bounds[runs - 1] < most && f.seq(n) == f.seq(n - 1) && f.position(n) >= f.position(n - 1) && f.isValid(n) == f.isValid(n - 1);
    if (!joins) bounds[runs++] = int32_t(n);
  }
  bounds[runs] = int32_t(tokens);
  return {bounds, runs, ceilDiv(f.group, perPart), perPart};
}

// Every chunk of every group is a task that leaves [lane][Dvp, top, total]; then the groups join theirs in order.
void attendSplit(const Paged& f, const Groups& groups, int64_t chunks, float* scratch, int64_t stride, float* partial) {
  const int64_t row = f.outPadded() + LANES, count = groups.count(f);
  const auto partOf = [&](const Group& g, int64_t lane, int64_t chunk) {
    return partial + (((g.begin + lane / g.heads) * f.heads + g.head + lane % g.heads) * chunks + chunk) * row;
  };
  f.call.pool->parallel(count * chunks, [&](int64_t task, int thread) {
    const Group group = groups.at(f, task / chunks);
    if (!f.isValid(group.begin)) return;
    const Reach reach = reachOf(f, group);
    const Span own = chunksOf(reach);
    const int64_t chunk = task % chunks;
    if (chunk < own.begin || chunk >= own.end) return;
    Scratch s(f, scratch + thread * stride);
    loadQueries(f, group, s);
    attendChunk(f, group, reach, s, chunk);
    for (int64_t lane = 0; lane < reach.count; lane++) {
      float* to = partOf(group, lane, chunk);
      const bool touched = s.chunk.touched[lane / STRIP];
      for (int64_t c = 0; c < f.outPadded(); c += LANES) store(to + c, touched ? load(s.chunk.out + lane * f.outPadded() + c) : zero());
      to[f.outPadded()] = s.chunk.top[lane];
      to[f.outPadded() + 1] = s.chunk.total[lane];
    }
  });
  f.call.pool->parallel(count, [&](int64_t task, int thread) {
    const Group group = groups.at(f, task);
    if (!f.isValid(group.begin)) return writeNaN(f, group);
    Scratch s(f, scratch + thread * stride);
    const Reach reach = reachOf(f, group);
    clearJoined(f, s, reach.count);
    const Span own = chunksOf(reach);
    for (int64_t chunk = own.begin; chunk < own.end; chunk++)
      for (int64_t lane = 0; lane < reach.count; lane++) {
        const float* from = partOf(group, lane, chunk);
        joinLane(f, s, lane, from, from[f.outPadded()], from[f.outPadded() + 1]);
      }
    writeGroup(f, group, s);
    repairGroup(f, group, s, scratch + thread * stride);
  });
}

}  // namespace paged_attention_detail

void pagedAttention(const Call& call) {
  using namespace paged_attention_detail;
  const View &q = call.in[0], &k = call.in[1], &v = call.in[2], &table = call.in[3];
  const Paged f{call, {float(call.attrs[0]), float(call.attrs[2])}, int64_t(call.attrs[1]), q.shape[2], v.shape[2], q.shape[1], k.shape[1], q.shape[1] / k.shape[1]};
  const int64_t tokens = q.rows(), threads = call.pool->threads(), stride = scratchStride(pagedFloats(f.width, f.outWidth));
  if (tokens == 0) return;
  float* scratch = reinterpret_cast<float*>(call.workspace);
  int32_t* bounds = reinterpret_cast<int32_t*>(scratch + threads * stride);
  const Groups groups = findGroups(f, bounds);
  int64_t longest = 0;
  for (int64_t n = 0; n < tokens; n++) longest = maxOf(longest, minOf(f.position(n) + 1, table.cols()));
  const int64_t chunks = ceilDiv(longest, CHUNK_KEYS);
  // The room for partial results is bounded by this condition; the rule of src/core/ops/paged-attention.ts.
  if (threads > 1 && chunks > 1 && groups.count(f) < 2 * threads)
    return attendSplit(f, groups, chunks, scratch, stride, reinterpret_cast<float*>(bounds) + scratchStride(tokens + 1));
  call.pool->parallel(groups.count(f), [&](int64_t task, int thread) { attendGroup(f, groups.at(f, task), scratch + thread * stride); });
}

}  // namespace athanor::ATHANOR_ISA
