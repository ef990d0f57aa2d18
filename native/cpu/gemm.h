// C[M, N] = op(A) · op(B) (+ addend) (+ bias by column): every matrix product of the CPU core.
//
// C is cut into tasks of some rows by some columns. A task goes over its
// columns in blocks of NC and over K in blocks of kc: it packs that block of B for itself (it stays in L2), then for
// each tile of at most MR rows runs over the panels of the block, so that the tile's slice of A stays in L1. A is read
// where it lies (one row a register row) unless it is bf16 or transposed: then its slice is first copied to a small
// buffer as f32.
//
// Bits: an element of C is ((addend + bias + block 0) + block 1) + …, each block one chain of FMAs in order of k. The
// blocks depend on K alone, so the result is the same for any number of threads, any split and any number of rows.
#pragma once

#include "gemm-few.h"
#include "gemm-groups.h"
#include "gemm-pairs.h"
#include "gemm-tile.h"

namespace athanor::ATHANOR_ISA::gemm {

constexpr int64_t NC = 256;
// Tiles of transposed A that are copied together: 48 rows are 3 cache lines (AVX-512: 96, 6 lines).
constexpr int GROUP = 8;
// Rows of a task whose running sums live in scratch memory (C is bf16 and K has several blocks).
constexpr int64_t SUM_ROWS = 256;
// Up to so many rows the cost is reading B: pack one panel at a time, so that it is used out of L1.
constexpr int64_t FEW_ROWS = 32;
// Up to so many it is not packed at all: accumulators of NV vectors for every row, and a transposed block of B, must fit
// the registers.
constexpr int DIRECT_ROWS = 4;

struct Product {
  int64_t m, n, k;
  Operand a, b, addend, bias, c;  // bias is one row; c.data is written; addend may be c itself
};

// Two bf16 operands are multiplied as pairs where the processor can; all other combinations as f32.
inline bool multipliesPairs(const Product& p) {
  return HAS_PAIRS && p.a.dtype == DType::bf16 && (p.b.dtype == DType::bf16 || p.b.dtype == DType::bf16x2);
}

// The k blocks are equal but for rounding, at most KC lanes long.
inline int64_t blockOfK(int64_t k, int width) {
  const int64_t longest = KC * width, blocks = (k + longest - 1) / longest, unit = LANES * width;
  return blocks <= 1 ? k : ((k + blocks - 1) / blocks + unit - 1) / unit * unit;
}

// Scratch memory of one thread.
struct Scratch {
  float* panels;  // [NC / NR][kc + 1][NR]
  float* tiles;   // A as f32: [MR][KC], or up to GROUP of [KC][MR]
  float* bias;    // [NC]
  float* sums;    // [SUM_ROWS][NC], only where C is bf16 and k > KC
};
// src/core/gemm-workspace.ts has the same numbers; the tiles' share is that of 12 rows everywhere, to have one formula.
constexpr int64_t PANEL_FLOATS = (KC + 1) * NC, TILE_FLOATS = GROUP * (KC * 12 + 16);
constexpr int64_t SCRATCH_FLOATS = PANEL_FLOATS + TILE_FLOATS + NC;
static_assert(GROUP * TILE_STRIDE <= TILE_FLOATS && KC * MR <= TILE_FLOATS && SCRATCH_FLOATS % 16 == 0);
static_assert(4 * SCRATCH_FLOATS <= 363008 && SUM_ROWS * NC <= 512 * 128, "more than gemm-workspace.ts asks for");

inline bool needsSums(const Product& p) { return p.c.dtype == DType::bf16 && p.k > KC; }

// Bytes of workspace for `threads` threads.
inline int64_t workspaceBytes(bool sums, int threads) {
  return 4 * threads * (SCRATCH_FLOATS + (sums ? SUM_ROWS * NC : 0));
}
inline Scratch scratchOf(std::byte* workspace, bool sums, int thread) {
  float* base = reinterpret_cast<float*>(workspace) + thread * (SCRATCH_FLOATS + (sums ? SUM_ROWS * NC : 0));
  return {base, base + PANEL_FLOATS, base + PANEL_FLOATS + TILE_FLOATS, base + SCRATCH_FLOATS};
}

// Packs B's block [k0, k0 + kc) × [n0, n0 + columns); B has n columns in all.
template <class Lane>
void packBlock(const Operand& b, int64_t n, int64_t k0, int64_t kc, int64_t n0, int64_t columns, float* panels) {
  if (b.dtype == DType::bf16x2) return packGroups<Lane>(b, n, k0, kc, n0, columns, panels);
  const bool isBf16 = b.dtype == DType::bf16, pairs = Lane::WIDTH == 2;
  const int64_t apart = (kc + Lane::WIDTH - 1) / Lane::WIDTH + 1, rowBytes = b.stride * (isBf16 ? 2 : 4);
  if (!b.transposed) {
    if (pairs) return packPairs(reinterpret_cast<const bf16*>(b.at(k0, n0)), b.stride, columns, kc, panels);
    if (isBf16) return packPanels(reinterpret_cast<const bf16*>(b.at(k0, n0)), b.stride, columns, kc, panels);
    return packPanels(reinterpret_cast<const float*>(b.at(k0, n0)), b.stride, columns, kc, panels);
  }
  for (int64_t j = 0; j < columns; j += NR) {
    const auto pack = pairs ? packPairsTransposed : isBf16 ? packPanelTransposed<bf16> : packPanelTransposed<float>;
    pack(b.at(n0 + j, k0), rowBytes, columns - j >= NR ? NR : int(columns - j), kc, panels + j * apart);
  }
}

// A group of tiles of transposed A.
template <class Lane>
void copyGroup(const Operand& a, int64_t k0, int64_t kc, const int64_t* rows, int count, int64_t m, float* tiles) {
  if (Lane::WIDTH == 2)
    copyPairsTransposed(reinterpret_cast<const bf16*>(a.at(k0, 0)), a.stride, kc, rows, count, m, tiles);
  else if (a.dtype == DType::bf16)
    copyTransposed(reinterpret_cast<const bf16*>(a.at(k0, 0)), a.stride, kc, rows, count, m, tiles);
  else
    copyTransposed(reinterpret_cast<const float*>(a.at(k0, 0)), a.stride, kc, rows, count, m, tiles);
}

// Rows of bf16 as lanes, KC apart: converted, or (pairs) copied and filled up to a whole lane.
template <class Lane> void copyRows(const Operand& a, int64_t row, int rows, int64_t k0, int64_t kc, float* tile) {
  for (int i = 0; i < rows; i++) {
    const bf16* from = reinterpret_cast<const bf16*>(a.at(row + i, k0));
    float* to = tile + i * KC;
    if (Lane::WIDTH == 2) {
      std::memcpy(to, from, size_t(kc) * 2);
      if (kc % 2 != 0) storePair(to + kc / 2, from[kc - 1], 0);
      continue;
    }
    int64_t k = 0;
    for (; k + LANES <= kc; k += LANES) store(to + k, load(from + k));
    for (; k < kc; k++) to[k] = fromBf16(from[k]);
  }
}

// All rows [m0, m1) against the packed block. Tile heights differ by one at most: 128 rows are 18 tiles of 6 and 4 of 5,
// never a last tile of 2 that would wait for its own latency.
template <class Lane>
void runRows(const Product& p, const Scratch& s, int64_t m0, int64_t m1, int64_t k0, int64_t kc, int64_t n0,
             int64_t columns, const Finish& f) {
  const int64_t tiles = (m1 - m0 + MR - 1) / MR, steps = (kc + Lane::WIDTH - 1) / Lane::WIDTH;
  const bool copied = p.a.dtype == DType::bf16 && (Lane::WIDTH == 1 || kc % 2 != 0);
  const int64_t rowBytes = copied ? KC * 4 : p.a.stride * (p.a.dtype == DType::bf16 ? 2 : 4);
  for (int64_t t = 0; t < tiles; t += GROUP) {
    const int count = tiles - t < GROUP ? int(tiles - t) : GROUP;
    int64_t rows[GROUP + 1];
    for (int i = 0; i <= count; i++) rows[i] = m0 + (m1 - m0) * (t + i) / tiles;
    if (p.a.transposed) copyGroup<Lane>(p.a, k0, kc, rows, count, p.m, s.tiles);
    for (int i = 0; i < count; i++) {
      const int height = int(rows[i + 1] - rows[i]);
      if (p.a.transposed) {
        const char* tile = reinterpret_cast<const char*>(s.tiles + i * TILE_STRIDE);
        withRows<MR>(height, [&]<int Rows>() { runTile<Rows, Layout::kMajor, Lane>(tile, 0, steps, s.panels, f, rows[i], n0, columns); });
        continue;
      }
      if (copied) copyRows<Lane>(p.a, rows[i], height, k0, kc, s.tiles);
      const char* tile = copied ? reinterpret_cast<const char*>(s.tiles) : p.a.at(rows[i], k0);
      withRows<MR>(height, [&]<int Rows>() { runTile<Rows, Layout::rows, Lane>(tile, rowBytes, steps, s.panels, f, rows[i], n0, columns); });
    }
  }
}

// All rows against one whole panel of transposed B that is not packed.
template <class Lane>
void runFew(const Product& p, const Scratch& s, int64_t m0, int64_t m1, int64_t k0, int64_t kc, int64_t n, const Finish& f) {
  const bool copied = p.a.dtype == DType::bf16 && Lane::WIDTH == 1, wide = p.b.dtype == DType::f32;
  if (copied) copyRows<Lane>(p.a, m0, int(m1 - m0), k0, kc, s.tiles);
  const char* x = copied ? reinterpret_cast<const char*>(s.tiles) : p.a.at(m0, k0);
  const int64_t xBytes = copied ? KC * 4 : p.a.stride * (p.a.dtype == DType::bf16 ? 2 : 4);
  const auto finished = [&](const auto& multiply) {
    withRows<DIRECT_ROWS>(int(m1 - m0), [&]<int Rows>() {
      F32 acc[Rows][NV];
      multiply(acc);
      finishTile<Rows>(acc, f, m0, n, 0, NR);
    });
  };
  if (p.b.dtype == DType::bf16x2)
    finished([&](auto& acc) { multiplyGroups<Lane>(kc / 2, x, xBytes, unitsOf(p.b, n, LANES, k0), p.b.stride / 2, acc); });
  else if (wide || Lane::WIDTH == 2)
    finished([&](auto& acc) { multiplyDirect<Lane, float>(kc / Lane::WIDTH, x, xBytes, p.b.at(n, k0), p.b.stride * (wide ? 4 : 2), acc); });
  else
    finished([&](auto& acc) { multiplyDirect<Lane, bf16>(kc, x, xBytes, p.b.at(n, k0), p.b.stride * 2, acc); });
}

// Rows [m0, m1) × columns [n0, n1) of C.
template <class Lane>
void runTask(const Product& p, const Scratch& s, int64_t m0, int64_t m1, int64_t n0, int64_t n1) {
  const int64_t step = p.m <= FEW_ROWS ? NR : NC;
  const int64_t block = blockOfK(p.k, Lane::WIDTH);
  const bool sums = needsSums(p);
  for (int64_t n = n0; n < n1; n += step) {
    const int64_t columns = n1 - n < step ? n1 - n : step;
    if (p.bias.data)
      for (int64_t j = 0; j < columns; j++)
        s.bias[j] = p.bias.dtype == DType::bf16 ? fromBf16(*reinterpret_cast<const bf16*>(p.bias.at(0, n + j)))
                                                : *reinterpret_cast<const float*>(p.bias.at(0, n + j));
    for (int64_t k0 = 0; k0 == 0 || k0 < p.k; k0 += block) {
      const int64_t kc = p.k - k0 < block ? p.k - k0 : block;
      // The running sums stand where (m, n) would be if the scratch were all of C.
      const Operand running = sums ? Operand{s.sums - m0 * NC - n, NC, DType::f32, false} : p.c;
      const bool first = k0 == 0, last = k0 + kc >= p.k;
      const Finish finish{first ? p.addend : running, last ? p.c : running, first && p.bias.data ? s.bias : nullptr};
      if (p.m <= DIRECT_ROWS && p.b.transposed && !p.a.transposed && columns == NR && kc % Lane::WIDTH == 0) {
        runFew<Lane>(p, s, m0, m1, k0, kc, n, finish);
      } else {
        packBlock<Lane>(p.b, p.n, k0, kc, n, columns, s.panels);
        runRows<Lane>(p, s, m0, m1, k0, kc, n, columns, finish);
      }
      if (p.k == 0) break;
    }
  }
}

// How C is cut into tasks.
struct Split {
  int64_t columns, rows;  // of a task
};
inline Split splitOf(const Product& p, int64_t count, int threads) {
  const int64_t panels = (p.n + NR - 1) / NR;
  const int64_t maxPanels = NC / NR;
  const int64_t maxRows = needsSums(p) ? SUM_ROWS : p.m;
  // The cost of a task is its panels × (rows + PACKING): packing a panel costs as much as about 10 rows of multiplying.
  constexpr int64_t PACKING = 10;
  Split best{NC, maxRows};
  int64_t bestCost = INT64_MAX;
  const int64_t maxParts = p.m / 48 < threads ? p.m / 48 + 1 : threads;
  for (int64_t parts = (p.m + maxRows - 1) / maxRows; parts <= maxParts || bestCost == INT64_MAX; parts++) {
    const int64_t rows = (p.m + parts - 1) / parts;
    int64_t blocks = (panels + maxPanels - 1) / maxPanels;
    while (blocks < panels && count * blocks * parts % threads != 0 && blocks < 4 * threads) blocks++;
    const int64_t width = (panels + blocks - 1) / blocks;
    const int64_t tasks = (panels + width - 1) / width * parts * count;
    const int64_t cost = (tasks + threads - 1) / threads * width * (rows + PACKING);
    if (cost < bestCost) {
      bestCost = cost;
      best = {width * NR, rows};
    }
  }
  return best;
}

// Computes `count` products of one shape, product(i) being the i-th, with all threads of the pool; workspace as
// workspaceBytes says.
template <class F> inline void runBatch(int64_t count, const F& product, Pool& pool, std::byte* workspace) {
  if (count <= 0) return;
  const Product shape = product(0);
  if (shape.m <= 0 || shape.n <= 0) return;
  const Split split = splitOf(shape, count, pool.threads());
  const int64_t across = (shape.n + split.columns - 1) / split.columns;
  const int64_t down = (shape.m + split.rows - 1) / split.rows;
  const bool sums = needsSums(shape);
  pool.parallel(count * across * down, [&](int64_t task, int thread) {
    const Product p = product(task / (across * down));
    const int64_t m0 = task / across % down * split.rows, n0 = task % across * split.columns;
    const int64_t m1 = m0 + split.rows < p.m ? m0 + split.rows : p.m;
    const int64_t n1 = n0 + split.columns < p.n ? n0 + split.columns : p.n;
    const Scratch s = scratchOf(workspace, sums, thread);
    if (multipliesPairs(p))
      runTask<Pairs>(p, s, m0, m1, n0, n1);
    else
      runTask<Floats>(p, s, m0, m1, n0, n1);
  });
}

inline void run(const Product& p, Pool& pool, std::byte* workspace) {
  runBatch(1, [&](int64_t) { return p; }, pool, workspace);
}

// A view of rank 2 as an operand.
inline Operand operandOf(const View& v, bool transposed = false) { return {v.data, v.stride0, v.dtype, transposed}; }
inline Operand absent() { return {nullptr, 0, DType::f32, false}; }
inline Operand optional(const Call& call, int index) {
  return index < call.nIn ? operandOf(call.in[index]) : absent();
}

}  // namespace athanor::ATHANOR_ISA::gemm
