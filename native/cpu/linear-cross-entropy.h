// Log-probabilities of targets under softmax(h · wᵀ), and their gradients, without all logits in memory at once. A cap
// makes logits cap · tanh(logit / cap), in place, before anything else looks at them.
//
// Tokens go in chunks. A chunk's logits stand transposed, [V, tokens]: then w is the operand that is read where it lies
// (never packed), a vector holds tokens, so that softmax over V needs no sum across lanes, and the weight gradient finds
// its operand in rows. All sums have an order of their own: over V in blocks of BLOCK, within a block one chain a token;
// over chunks of tokens for dw. The number of threads changes nothing; the number of tokens changes only dw's chunks.
//
// N tokens, V vocabulary, C channels. Workspace in bytes:
//   most = max(256, floor(2²¹ / V / 16) · 16); ld = ceil(min(N, most) / 16) · 16 + 16
//   gemm::workspaceBytes(dh is bf16, threads) + 4 · ld · (V + 2 · ceil(V / 256) + 2)
// At least 256 tokens a chunk, since dw is read and written once for each; where V is small, 8 MB of logits, so that they
// stay in L3.
#pragma once

#include <cmath>

#include "gemm.h"
#include "simd-math.h"

namespace athanor::ATHANOR_ISA::cross_entropy {

constexpr int64_t BLOCK = 256;           // rows of V in a task: with 256 tokens 256 KB, in L2 between its two passes
constexpr int64_t SWEEP = 8 * BLOCK;     // rows of V between two products: their logits, 2 MB, stay in L3 from one to the next
constexpr int64_t LINE = 16;             // tokens in a cache line
constexpr int UNITS = int(LINE / LANES); // vectors of it

inline int64_t tokensOfChunk(int64_t tokens, int64_t vocabulary) {
  const int64_t most = (int64_t(1) << 21) / (vocabulary > 0 ? vocabulary : 1) / LINE * LINE;
  const int64_t limit = most > 256 ? most : 256;
  const int64_t chunks = (tokens + limit - 1) / limit;
  return chunks <= 1 ? tokens : (tokens + chunks - 1) / chunks;  // equal chunks
}

// The operands of both operators, and the scratch memory of one chunk.
struct Task {
  gemm::Operand h, w;
  int64_t tokens, vocabulary, channels;
  float softcap;  // 0 for none
  const View *targets, *logprob, *lse;
  Pool* pool;
  std::byte* scratch;  // of gemm
  int64_t ld;          // tokens of a row of logits, padded so that rows do not fall into one set of the cache
  float* logits;       // [V, ld]
  float *maxima, *sums;  // [blocks, ld]
  float* lseOfChunk;     // [ld]
  float* weights;        // [ld], −dlogprob

  int64_t blocks() const { return (vocabulary + BLOCK - 1) / BLOCK; }
  int64_t target(int64_t token) const { return targets->as<int32_t>()[token * targets->stride0]; }
};

inline Task taskOf(const Call& call, const View& logprob, const View& lse, bool dhIsBf16) {
  const View &h = call.in[0], &w = call.in[1];
  Task t{};
  t.h = gemm::operandOf(h), t.w = gemm::operandOf(w);
  t.softcap = float(call.attrs[0]);
  t.tokens = h.rows(), t.vocabulary = w.rows(), t.channels = w.cols();
  t.targets = &call.in[2], t.logprob = &logprob, t.lse = &lse;
  t.pool = call.pool;
  t.scratch = call.workspace;
  t.ld = (tokensOfChunk(t.tokens, t.vocabulary) + LINE - 1) / LINE * LINE + LINE;
  t.logits = reinterpret_cast<float*>(call.workspace + gemm::workspaceBytes(dhIsBf16, call.pool->threads()));
  t.maxima = t.logits + t.vocabulary * t.ld;
  t.sums = t.maxima + t.blocks() * t.ld;
  t.lseOfChunk = t.sums + t.blocks() * t.ld;
  t.weights = t.lseOfChunk + t.ld;
  return t;
}

inline gemm::Operand logitsOf(const Task& t, bool transposed) { return {t.logits, t.ld, DType::f32, transposed}; }
inline gemm::Operand rowsFrom(const gemm::Operand& o, int64_t row) { return {o.at(row, 0), o.stride, o.dtype, o.transposed}; }

// Caps a block's rows of V.
inline void cap(const Task& t, int64_t block, int64_t tokens) {
  const int64_t v0 = block * BLOCK, v1 = v0 + BLOCK < t.vocabulary ? v0 + BLOCK : t.vocabulary;
  const float inverse = 1.0f / t.softcap;
  for (int64_t v = v0; v < v1; v++)
    for (int64_t j = 0; j < tokens; j += LANES) {
      float* p = t.logits + v * t.ld + j;
      store(p, tanh(load(p) * inverse) * t.softcap);
    }
}

// Maximum and Σ exp(logit − maximum) of a block's rows of V, for every token. Row by row, as they lie in memory.
inline void statistics(const Task& t, int64_t block, int64_t tokens) {
  const int64_t v0 = block * BLOCK, v1 = v0 + BLOCK < t.vocabulary ? v0 + BLOCK : t.vocabulary;
  float *top = t.maxima + block * t.ld, *total = t.sums + block * t.ld;
  for (int64_t j = 0; j < tokens; j += LANES) store(top + j, splat(-INFINITY)), store(total + j, zero());
  for (int64_t v = v0; v < v1; v++)
    for (int64_t j = 0; j < tokens; j += LANES) store(top + j, max(load(t.logits + v * t.ld + j), load(top + j)));
  for (int64_t v = v0; v < v1; v++)
    for (int64_t j = 0; j < tokens; j += LANES)
      store(total + j, load(total + j) + expNonPositive(load(t.logits + v * t.ld + j) - load(top + j)));
}

// lse and log-probabilities of the tokens [j, j + LINE) of the chunk that begins at token `first`.
inline void combine(const Task& t, int64_t first, int64_t tokens, int64_t j) {
  for (int u = 0; u < UNITS; u++) {
    const int64_t at = j + u * LANES;
    F32 top = splat(-INFINITY), total = zero();
    for (int64_t b = 0; b < t.blocks(); b++) top = max(load(t.maxima + b * t.ld + at), top);
    for (int64_t b = 0; b < t.blocks(); b++)
      total = fma(load(t.sums + b * t.ld + at), exp(load(t.maxima + b * t.ld + at) - top), total);
    store(t.lseOfChunk + at, top + log(total));
  }
  for (int64_t i = j; i < j + LINE && i < tokens; i++) {
    const int64_t target = t.target(first + i);
    float logprob = 0;
    if (target >= t.vocabulary)
      logprob = NAN;  // a caller's error that must not pass for a number
    else if (target >= 0)
      logprob = t.logits[target * t.ld + i] - t.lseOfChunk[i];
    t.logprob->as<float>()[(first + i) * t.logprob->stride0] = logprob;
    t.lse->as<float>()[(first + i) * t.lse->stride0] = t.lseOfChunk[i];
  }
}

// body(v, rows) for the rows [v, v + rows) of V, some at a time.
template <class Body> inline void sweep(const Task& t, int64_t most, const Body& body) {
  for (int64_t v = 0; v < t.vocabulary; v += most) body(v, v + most < t.vocabulary ? most : t.vocabulary - v);
}
inline int64_t blocksOf(int64_t rows) { return (rows + BLOCK - 1) / BLOCK; }

// Logits, lse and log-probabilities of the chunk [first, first + tokens).
inline void forward(const Task& t, int64_t first, int64_t tokens) {
  gemm::Operand h = rowsFrom(t.h, first);
  h.transposed = true;
  sweep(t, SWEEP, [&](int64_t v, int64_t rows) {
    gemm::run({rows, tokens, t.channels, rowsFrom(t.w, v), h, gemm::absent(), gemm::absent(), rowsFrom(logitsOf(t, false), v)},
              *t.pool, t.scratch);
    t.pool->parallel(blocksOf(rows), [&](int64_t block, int) {
      if (t.softcap > 0) cap(t, v / BLOCK + block, tokens);
      statistics(t, v / BLOCK + block, tokens);
    });
  });
  t.pool->parallel((tokens + LINE - 1) / LINE, [&](int64_t line, int) { combine(t, first, tokens, line * LINE); });
}

}  // namespace athanor::ATHANOR_ISA::cross_entropy
