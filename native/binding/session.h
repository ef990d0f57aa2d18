// One executor with the thread that runs its jobs, in order, away from the JavaScript thread. All methods are called on
// the JavaScript thread of the environment that made it.
#pragma once

#include <condition_variable>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <thread>

#include <node_api.h>

#include "../cpu/isa.h"
#include "../runtime/executor.h"
#include "../runtime/peak.h"

namespace athanor::binding {

struct FreeDeleter {
  void operator()(void* memory) const;
};
using Staging = std::unique_ptr<std::byte, FreeDeleter>;

// One run, or one measurement when there is no program.
struct Job {
  uint32_t id = 0;
  std::shared_ptr<LoadedProgram> program;
  std::vector<int64_t> dims;
  Staging staging;                  // copies of the inputs: the caller may change or transfer its own at once
  std::vector<std::shared_ptr<Block>> guarded;  // instead of staging, with guard pages
  std::vector<std::byte*> inputs;   // into staging
  std::vector<std::byte*> outputs;  // memory of array buffers that nobody has yet
  double* seconds = nullptr;        // the same
  std::atomic<Abort> abort{Abort::none};
  RunStatus status = RunStatus::done;
  Peak peak{};
  // JavaScript's side.
  napi_deferred deferred = nullptr;
  napi_ref result = nullptr;        // {outputs, seconds}, keeps that memory alive
};

class Session {
 public:
  // nullptr when Node refuses; an exception is then pending.
  static std::unique_ptr<Session> open(napi_env env, const Isa& isa, int threads, int64_t lastCacheBytes);
  ~Session();

  Executor& executor() { return executor_; }
  const Isa& isa() const { return isa_; }
  bool isClosing() const { return closed_ != nullptr; }
  std::map<uint32_t, std::shared_ptr<LoadedProgram>> programs;
  uint32_t nextProgram = 0;

  // Queues the job and returns its promise; `number` is for abort().
  napi_value submit(std::unique_ptr<Job> job, uint32_t& number);
  // Does nothing when the job is over.
  void abort(uint32_t job);

  // Refuses what is queued, lets the job in progress end (before its commit: aborts it), and calls `closed` on the
  // JavaScript thread when the thread has gone.
  void close(void (*closed)(napi_env, void*), void* context);

 private:
  Session(napi_env env, const Isa& isa, int threads, int64_t lastCacheBytes);
  void loop();
  void perform(Job& job);
  void settle(napi_env env, Job& job);
  void stop(Abort how);
  static void deliver(napi_env env, napi_value, void* session, void* job);
  static void environmentEnds(void* session);

  const napi_env env_;
  const Isa& isa_;
  const int64_t lastCacheBytes_;
  Executor executor_;
  napi_threadsafe_function wire_ = nullptr;  // from the thread to JavaScript
  std::map<uint32_t, Job*> jobs_;            // queued or in progress
  uint32_t nextJob_ = 0;
  void (*closed_)(napi_env, void*) = nullptr;
  void* closedContext_ = nullptr;

  std::mutex mutex_;  // guards the two that follow
  std::deque<Job*> queue_;
  bool stopping_ = false;
  std::condition_variable changed_;
  std::thread thread_;
};

}  // namespace athanor::binding
