#include "peak.h"

#include <algorithm>
#include <chrono>
#include <cstring>

#include "block.h"

namespace athanor {

namespace {

using Clock = std::chrono::steady_clock;
constexpr int REPEATS = 5;               // the best counts: everything else is what other processes took
constexpr double SECONDS_EACH = 0.03;    // long beside the waking of a worker (50 µs)
constexpr size_t LEAST_BUFFER = size_t(256) << 20, MOST_BUFFER = size_t(1) << 30;
constexpr size_t PIECE = size_t(4) << 20;

double secondsSince(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

double measureLoop(double (*loop)(int64_t), Pool& pool) {
  if (loop == nullptr) return 0;
  int64_t rounds = 1 << 16;
  for (double seconds = 0; seconds < SECONDS_EACH / 4; rounds *= 2) {
    const auto start = Clock::now();
    loop(rounds);
    seconds = secondsSince(start);
  }
  double best = 0;
  for (int i = 0; i < REPEATS; i++) {
    const auto start = Clock::now();
    pool.parallel(pool.threads(), [&](int64_t, int) { loop(rounds); });
    // The loop's count is exact and the same for each thread.
    const double seconds = secondsSince(start);
    best = std::max(best, loop(1) * double(rounds) * pool.threads() / seconds);
  }
  return best;
}

double measureRead(const Isa& isa, Pool& pool, int64_t lastCacheBytes) {
  const size_t bytes = std::clamp(size_t(lastCacheBytes) * 4, LEAST_BUFFER, MOST_BUFFER) / PIECE * PIECE;
  const auto block = Block::allocate(bytes);
  if (block == nullptr) return 0;
  const auto pieces = int64_t(bytes / PIECE);
  // Untouched pages are all one page of zeros: write them first.
  pool.parallel(pieces, [&](int64_t i, int) { std::memset(block->data() + size_t(i) * PIECE, 1, PIECE); });
  double best = 0;
  for (int i = 0; i < REPEATS; i++) {
    const auto start = Clock::now();
    pool.parallel(pieces, [&](int64_t i, int) { isa.readLoop(block->data() + size_t(i) * PIECE, PIECE); });
    best = std::max(best, double(bytes) / secondsSince(start));
  }
  return best;
}

}  // namespace

Peak measurePeak(const Isa& isa, Pool& pool, int64_t lastCacheBytes) {
  return {measureLoop(isa.fmaLoop, pool), measureLoop(isa.bf16Loop, pool), measureRead(isa, pool, lastCacheBytes)};
}

}  // namespace athanor
