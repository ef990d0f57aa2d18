// One pool of workers for the whole process. A parallel region is a number of independent tasks; which thread takes
// which task never changes a result, so tasks are handed out by a counter.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>

namespace athanor {

class Pool {
 public:
  using Body = void (*)(void* context, int64_t task, int thread);

  explicit Pool(int threads);
  ~Pool();
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;

  // Threads that take part, the caller included.
  int threads() const { return threads_; }

  // Runs body(context, task, thread) for task = 0 … tasks-1 and returns when all are done. Only one caller at a time;
  // not to be called from inside a task.
  void run(int64_t tasks, Body body, void* context);

  // The same for a lambda: pool.parallel(n, [&](int64_t task, int thread) { … });
  template <class F>
  void parallel(int64_t tasks, const F& body) {
    run(tasks, [](void* context, int64_t task, int thread) { (*static_cast<const F*>(context))(task, thread); },
        const_cast<void*>(static_cast<const void*>(&body)));
  }

 private:
  struct Shared;
  std::unique_ptr<Shared> shared_;
  int threads_;
};

}  // namespace athanor
