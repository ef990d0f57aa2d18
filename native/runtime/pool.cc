// The worker pool. A region is published in one 64-bit ticket: its number in the upper half, the tasks not yet taken in
// the lower. Taking a task is one compare-and-swap on it, so a worker that wakes late can never take a task of a region
// it has not seen, and the caller waits only for tasks that were taken, never for sleeping workers.
#include "pool.h"

#include <algorithm>
#include <chrono>
#include <thread>
#include <vector>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace athanor {

namespace {

using Clock = std::chrono::steady_clock;

// How long an idle worker stays awake. Between two instructions of a program there are a few microseconds, between two
// runs up to a few hundred; sleeping and waking costs about 50 µs. Beyond that the core belongs to others.
constexpr auto SPIN = std::chrono::microseconds(500);

// Pauses before the first yield: about 5 µs. After it, whoever else wants the core (the thread that holds the task we
// wait for, when there are more threads than cores) gets it.
constexpr int PAUSES = 128;

inline void pause() {
#if defined(__x86_64__)
  _mm_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

constexpr uint64_t LOW = 0xffffffffu;

// A region's count of tasks has 32 bits; longer ranges are cut into regions of this many.
constexpr int64_t MAX_TASKS = int64_t(1) << 30;

}  // namespace

struct Pool::Shared {
  // Each on a cache line of its own: the ticket is hammered by all, `pending` by those who finish.
  alignas(64) std::atomic<uint64_t> ticket{0};
  alignas(64) std::atomic<int64_t> pending{0};
  // Written before the ticket is published; read only by a thread that holds a task of the region.
  alignas(64) Body body = nullptr;
  void* context = nullptr;
  int64_t first = 0, tasks = 0;
  // Sleeping.
  alignas(64) std::atomic<uint32_t> wakeups{0};
  std::atomic<int> sleepers{0};
  std::atomic<bool> stop{false};
  std::vector<std::thread> workers;

  bool hasTask() const { return (ticket.load(std::memory_order_acquire) & LOW) != 0; }

  // Takes tasks until none is left.
  void work(int thread) {
    int64_t finished = 0;
    for (uint64_t seen = ticket.load(std::memory_order_acquire); (seen & LOW) != 0;) {
      if (!ticket.compare_exchange_weak(seen, seen - 1, std::memory_order_acq_rel, std::memory_order_acquire)) continue;
      body(context, first + tasks - int64_t(seen & LOW), thread);
      finished++;
      seen = ticket.load(std::memory_order_acquire);
    }
    if (finished > 0) pending.fetch_sub(finished, std::memory_order_acq_rel);
  }

  // Returns when there is a task or the pool stops: awake for a while, then asleep.
  void idle() {
    auto start = Clock::now();
    for (int i = 1; !hasTask() && !stop.load(std::memory_order_relaxed); i++) {
      if (i % PAUSES != 0) {
        pause();
        continue;
      }
      if (Clock::now() - start < SPIN) {
        std::this_thread::yield();
        continue;
      }
      const uint32_t before = wakeups.load(std::memory_order_seq_cst);
      sleepers.fetch_add(1, std::memory_order_seq_cst);
      // A region published before this line is seen here; one published after it sees us among the sleepers.
      if ((ticket.load(std::memory_order_seq_cst) & LOW) == 0 && !stop.load(std::memory_order_seq_cst))
        wakeups.wait(before, std::memory_order_seq_cst);
      sleepers.fetch_sub(1, std::memory_order_seq_cst);
      start = Clock::now();  // woken by work: more is to be expected, even if others took this
    }
  }

  void wake() {
    if (sleepers.load(std::memory_order_seq_cst) == 0) return;
    wakeups.fetch_add(1, std::memory_order_seq_cst);
    wakeups.notify_all();
  }

  void runRegion(int64_t from, int64_t count, Body task, void* taskContext) {
    body = task;
    context = taskContext;
    first = from;
    tasks = count;
    pending.store(count, std::memory_order_relaxed);
    const uint64_t region = (ticket.load(std::memory_order_relaxed) | LOW) + 1;
    ticket.store(region | uint64_t(count), std::memory_order_seq_cst);
    wake();
    work(0);
    for (int i = 1; pending.load(std::memory_order_acquire) != 0; i++) {
      if (i % PAUSES == 0) std::this_thread::yield();
      else pause();
    }
  }
};

Pool::Pool(int threads) : shared_(std::make_unique<Shared>()), threads_(std::max(threads, 1)) {
  for (int i = 1; i < threads_; i++) {
    shared_->workers.emplace_back([shared = shared_.get(), i] {
      while (!shared->stop.load(std::memory_order_acquire)) {
        shared->work(i);
        shared->idle();
      }
    });
  }
}

Pool::~Pool() {
  shared_->stop.store(true, std::memory_order_seq_cst);
  shared_->wakeups.fetch_add(1, std::memory_order_seq_cst);
  shared_->wakeups.notify_all();
  for (auto& worker : shared_->workers) worker.join();
}

void Pool::run(int64_t tasks, Body body, void* context) {
  if (tasks <= 1 || threads_ == 1) {
    for (int64_t task = 0; task < tasks; task++) body(context, task, 0);
    return;
  }
  for (int64_t from = 0; from < tasks; from += MAX_TASKS)
    shared_->runRegion(from, std::min(MAX_TASKS, tasks - from), body, context);
}

}  // namespace athanor
