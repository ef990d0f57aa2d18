// y = x · wᵀ + bias + addend for w in a block format: x [N, K], w [M, K] (block-layout.h), y [N, M].
//   one token    a group of rows at a time: one sequential stream a thread, reading w is the cost
//   more tokens  two groups, which share a token's broadcasts, and tokens in chunks whose activations stay in L2
// Bits: an element is one chain of fmas over the blocks of K, whatever the rows, tokens and threads (quant-tile.h).
#pragma once

#include "quant-single.h"

namespace athanor::ATHANOR_ISA::quant {

constexpr int TILE_TOKENS = 4;
constexpr int64_t PREFETCH_BYTES = 4096;    // ahead in a stream: 14 GB/s a core became 16 for q4_0, 7 became 15 for q6_k
constexpr int64_t CHUNK_TOKENS = 64;  // their sums are CHUNK_TOKENS · 2 · LANES floats in L1
constexpr int64_t CHUNK_BYTES = 256 << 10;  // activations of a chunk: half of an L2
constexpr int64_t TASK_BYTES = 64 << 10;    // weights of a task: some 4 µs at a core's share of the bandwidth

// Bytes of a token's activations; src/core/block-workspace.ts.
constexpr int64_t tokenBytes(DType format, int64_t k) {
  const int64_t block = format == DType::q8_0 ? 68 : format == DType::q4_0 ? 40 : format == DType::q4_k || format == DType::q5_k ? 276 : 324;
  return (k / blockSize(format).values * block + 63) / 64 * 64;
}

struct Problem {
  const Call& call;
  const View &x, &w, &y;
  int64_t stride;  // of a token's activations
  const std::byte* token(int64_t n) const { return call.workspace + n * stride; }
};

template <class Format> void quantiseTokens(const Problem& p) {
  using A = typename Format::Activations;
  static_assert(sizeof(A) <= size_t(tokenBytes(Format::FORMAT, 256)) && sizeof(A) % 4 == 0);
  constexpr int64_t VALUES = blockSize(Format::FORMAT).values;
  const int64_t across = p.x.cols() / VALUES;
  parallelRows(*p.call.pool, p.x.rows(), p.x.cols(), [&](int64_t begin, int64_t end) {
    for (int64_t n = begin; n < end; n++) {
      A* to = reinterpret_cast<A*>(p.call.workspace + n * p.stride);
      for (int64_t b = 0; b < across; b++) {
        const int64_t at = n * p.x.stride0 + b * VALUES;
        if (p.x.dtype == DType::f32) {
          Format::encode(p.x.as<float>() + at, to[b]);
        } else {
          float values[VALUES];
          for (int64_t i = 0; i < VALUES; i += LANES) store(values + i, load(p.x.as<bf16>() + at + i));
          Format::encode(values, to[b]);
        }
      }
    }
  });
}

// All of a panel's tokens, T at a time.
template <class Format, int V, int T = TILE_TOKENS>
void multiplyTokens(const Panel<V>& panel, int64_t blocks, const std::byte* tokens, int64_t stride, int64_t count, float* acc) {
  for (; count >= T; count -= T, tokens += T * stride, acc += T * V * LANES) {
    if constexpr (blockSize(Format::FORMAT).values == PANEL_VALUES) multiplyLarge<Format, T, V>(panel, tokens, stride, acc);
    else multiplyPanel<Format, T, V>(panel, blocks, tokens, stride, acc);
  }
  if constexpr (T > 1)
    if (count > 0) multiplyTokens<Format, V, T / 2>(panel, blocks, tokens, stride, count, acc);
}

// acc [count][V][LANES] → y, with bias and addend; `rows` of the last group.
template <int V>
void finishGroups(const Problem& p, int64_t n0, int64_t count, int64_t row, int64_t rows, const float* acc) {
  const View none{};
  const View& bias = p.call.nIn > 2 ? p.call.in[2] : none;
  const View& addend = p.call.nIn > 3 ? p.call.in[3] : none;
  const auto finish = [&](int64_t n, int64_t column, F32 sum, auto tag) {
    if (bias.data) sum += Reader<Kind::any>{bias.data, bias.dtype == DType::bf16}.at(column, tag);
    if (addend.data) sum += rowOf<Kind::any>(addend, n).at(column, tag);
    outRow<Kind::any>(p.y, n).put(column, sum, tag);
  };
  for (int64_t n = n0; n < n0 + count; n++)
    for (int v = 0; v < V; v++, acc += LANES) {
      if (rows == LANES) finish(n, row + v * LANES, load(acc), Whole{});
      else finish(n, row, load(acc), Part{int(rows)});
    }
}

inline __attribute__((always_inline)) void prefetchBlock(const uint8_t* block, int64_t bytes) {
  for (int64_t line = 0; line < bytes; line += 64) __builtin_prefetch(block + PREFETCH_BYTES + line);
}

// One token × one group.
template <class Format> void runSingle(const Problem& p, int64_t row, int64_t rows) {
  constexpr BlockSize size = blockSize(Format::FORMAT);
  const int64_t across = p.w.cols() / size.values;
  const uint8_t* block = p.w.as<uint8_t>() + row * across * size.bytes;
  const auto* a = reinterpret_cast<const typename Format::Activations*>(p.token(0));
  uint8_t buffer[size.bytes * LANES];
  F32 acc = zero();
  for (int64_t b = 0; b < across; b++, block += rows * size.bytes) {
    prefetchBlock(block, rows * size.bytes);
    acc = dot(Format{}, wholeGroup<Format::FORMAT>(block, rows, buffer), a[b], acc);
  }
  finishGroups<1>(p, 0, 1, row, rows, reinterpret_cast<const float*>(&acc));
}

// V groups from `row` on (`rows` rows in each) × count tokens from n0 on.
template <class Format, int V>
void runGroups(const Problem& p, int64_t row, int64_t rows, int64_t n0, int64_t count) {
  constexpr BlockSize size = blockSize(Format::FORMAT);
  constexpr int64_t PER_PANEL = PANEL_VALUES / size.values;
  const int64_t across = p.w.cols() / size.values;
  const uint8_t* group = p.w.as<uint8_t>() + row * across * size.bytes;
  alignas(64) float acc[CHUNK_TOKENS * V * LANES];
  std::memset(acc, 0, size_t(count * V * LANES) * sizeof(float));
  Panel<V> panel;
  uint8_t buffer[size.bytes * LANES];
  for (int64_t b0 = 0; b0 < across; b0 += PER_PANEL) {
    const int64_t blocks = minOf(PER_PANEL, across - b0);
    for (int64_t b = 0; b < blocks; b++)
      for (int v = 0; v < V; v++) {
        const uint8_t* block = group + ((v * across + b0 + b) * rows) * size.bytes;
        prefetchBlock(block, rows * size.bytes);
        Format::template unpack<V>(wholeGroup<Format::FORMAT>(block, rows, buffer), panel, v, b);
      }
    multiplyTokens<Format, V>(panel, blocks, p.token(n0) + b0 * int64_t(sizeof(typename Format::Activations)), p.stride, count, acc);
  }
  finishGroups<V>(p, n0, count, row, rows, acc);
}

// Rows [begin, end), where only the last group of all may be smaller.
template <class Format> void runRows(const Problem& p, int64_t begin, int64_t end) {
  if (p.x.rows() == 1) {
    for (int64_t row = begin; row < end; row += LANES) runSingle<Format>(p, row, minOf(LANES, end - row));
    return;
  }
  const int64_t tokens = p.x.rows(), most = minOf(CHUNK_TOKENS, maxOf(TILE_TOKENS, CHUNK_BYTES / maxOf(p.stride, 1)));
  for (int64_t n = 0; n < tokens; n += most) {
    const int64_t count = minOf(most, tokens - n);
    int64_t row = begin;
    for (; row + 2 * LANES <= end; row += 2 * LANES)
      runGroups<Format, 2>(p, row, LANES, n, count);
    for (; row < end; row += LANES) runGroups<Format, 1>(p, row, minOf(LANES, end - row), n, count);
  }
}

template <class Format> void runFormat(const Call& call) {
  const Problem p{call, call.in[0], call.in[1], call.out[0], tokenBytes(Format::FORMAT, call.in[0].cols())};
  const int64_t rows = p.w.rows(), tokens = p.x.rows(), threads = call.pool->threads();
  if (rows == 0 || tokens == 0) return;
  quantiseTokens<Format>(p);
  constexpr BlockSize size = blockSize(Format::FORMAT);
  const int64_t work = rows * (p.w.cols() / size.values) * size.bytes * ceilDiv(tokens, TILE_TOKENS);
  const int64_t pairs = ceilDiv(rows, 2 * LANES);  // whole pairs of groups for each task
  const int64_t tasks = maxOf(1, minOf(minOf(4 * threads, pairs), work / TASK_BYTES));
  call.pool->parallel(tasks, [&](int64_t task, int) {
    const int64_t begin = pairs * task / tasks * 2 * LANES, end = minOf(rows, pairs * (task + 1) / tasks * 2 * LANES);
    runRows<Format>(p, begin, end);
  });
}

inline void linearOfBlocks(const Call& call) {
  switch (call.in[1].dtype) {
    case DType::q8_0: return runFormat<Q80>(call);
    case DType::q4_0: return runFormat<Q40>(call);
    case DType::q4_k: return runFormat<Q4K>(call);
    case DType::q5_k: return runFormat<Q5K>(call);
    case DType::q6_k: return runFormat<Q6K>(call);
    default: return;
  }
}

}  // namespace athanor::ATHANOR_ISA::quant
