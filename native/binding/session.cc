#include "session.h"

#include <cstdlib>

#include "arguments.h"

namespace athanor::binding {

void FreeDeleter::operator()(void* memory) const { std::free(memory); }

namespace {

const OpTable opTableOf(const Isa& isa) { return {&isa.table, OP_NAMES, OP_TABLE_HASH}; }

napi_value peakObject(napi_env env, const Peak& peak) {
  napi_value object = nullptr;
  napi_create_object(env, &object);
  setField(env, object, "f32Flops", makeNumber(env, peak.f32Flops));
  setField(env, object, "bf16Flops", makeNumber(env, peak.bf16Flops));
  setField(env, object, "readBytes", makeNumber(env, peak.readBytes));
  return object;
}

}  // namespace

Session::Session(napi_env env, const Isa& isa, int threads, int64_t lastCacheBytes)
    : env_(env), isa_(isa), lastCacheBytes_(lastCacheBytes), executor_(opTableOf(isa), threads) {}

std::unique_ptr<Session> Session::open(napi_env env, const Isa& isa, int threads, int64_t lastCacheBytes) {
  std::unique_ptr<Session> session(new Session(env, isa, threads, lastCacheBytes));
  const napi_status made = napi_create_threadsafe_function(env, nullptr, nullptr, makeText(env, "athanor"), 0, 1, nullptr,
                                                           nullptr, session.get(), deliver, &session->wire_);
  if (made != napi_ok) {
    throwError(env, BACKEND, "Cannot open the native core: Node gave no channel to its thread.");
    return nullptr;
  }
  // An idle executor does not keep the process alive; a job does.
  napi_unref_threadsafe_function(env, session->wire_);
  // Hooks run last in, first out: ours, made after the channel's own, finds the channel still open.
  napi_add_env_cleanup_hook(env, environmentEnds, session.get());
  session->thread_ = std::thread([raw = session.get()] { raw->loop(); });
  return session;
}

// Only when the thread has gone: after close(), or at the end of the environment.
Session::~Session() { stop(Abort::now); }

void Session::loop() {
  for (;;) {
    Job* job = nullptr;
    {
      std::unique_lock<std::mutex> lock(mutex_);
      changed_.wait(lock, [this] { return stopping_ || !queue_.empty(); });
      if (queue_.empty()) break;
      job = queue_.front();
      queue_.pop_front();
    }
    perform(*job);
    if (napi_call_threadsafe_function(wire_, job, napi_tsfn_nonblocking) != napi_ok) delete job;
  }
  if (closed_ != nullptr) napi_call_threadsafe_function(wire_, nullptr, napi_tsfn_nonblocking);
}

void Session::perform(Job& job) {
  if (job.abort.load() != Abort::none) {
    job.status = RunStatus::aborted;
  } else if (job.program == nullptr) {
    job.peak = measurePeak(isa_, executor_.pool(), lastCacheBytes_);
  } else {
    job.status = executor_.run({job.program.get(), job.dims.data(), job.inputs.data(), job.outputs.data(), &job.abort,
                                job.seconds});
  }
}

napi_value Session::submit(std::unique_ptr<Job> job, uint32_t& number) {
  napi_value promise = nullptr;
  if (napi_create_promise(env_, &job->deferred, &promise) != napi_ok) return nullptr;
  number = job->id = nextJob_++;
  if (jobs_.empty()) napi_ref_threadsafe_function(env_, wire_);
  jobs_[job->id] = job.get();
  {
    std::lock_guard<std::mutex> lock(mutex_);
    queue_.push_back(job.release());
  }
  changed_.notify_one();
  return promise;
}

void Session::abort(uint32_t job) {
  const auto found = jobs_.find(job);
  if (found != jobs_.end()) found->second->abort.store(Abort::polite);
}

void Session::settle(napi_env env, Job& job) {
  if (job.status == RunStatus::aborted) {
    napi_reject_deferred(env, job.deferred, makeError(env, ABORTED, "The run was aborted before it wrote anything."));
  } else if (job.status == RunStatus::noArena) {
    napi_reject_deferred(env, job.deferred, makeError(env, CAPACITY, "The run has no arena: an earlier load failed for want of memory."));
  } else if (job.program == nullptr) {
    napi_resolve_deferred(env, job.deferred, peakObject(env, job.peak));
  } else {
    napi_value result = nullptr;
    napi_get_reference_value(env, job.result, &result);
    napi_resolve_deferred(env, job.deferred, result);
  }
  if (job.result != nullptr) napi_delete_reference(env, job.result);
}

// On the JavaScript thread. Without an environment (it is ending) only memory is given back.
void Session::deliver(napi_env env, napi_value, void* context, void* data) {
  auto* job = static_cast<Job*>(data);
  if (env == nullptr) {
    delete job;
    return;
  }
  auto* session = static_cast<Session*>(context);
  if (job == nullptr) {
    session->closed_(env, session->closedContext_);  // destroys the session
    return;
  }
  session->jobs_.erase(job->id);
  if (session->jobs_.empty() && session->closed_ == nullptr) napi_unref_threadsafe_function(env, session->wire_);
  session->settle(env, *job);
  delete job;
}

void Session::close(void (*closed)(napi_env, void*), void* context) {
  if (jobs_.empty()) napi_ref_threadsafe_function(env_, wire_);
  for (const auto& [id, job] : jobs_) job->abort.store(Abort::polite);
  closedContext_ = context;
  {
    std::lock_guard<std::mutex> lock(mutex_);
    closed_ = closed;
    stopping_ = true;
  }
  changed_.notify_one();
}

void Session::stop(Abort how) {
  if (wire_ == nullptr) return;
  {
    std::lock_guard<std::mutex> lock(mutex_);
    for (Job* job : queue_) job->abort.store(how);
    stopping_ = true;
  }
  for (const auto& [id, job] : jobs_) job->abort.store(how);
  changed_.notify_one();
  if (thread_.joinable()) thread_.join();
  napi_release_threadsafe_function(wire_, napi_tsfn_abort);
  wire_ = nullptr;
  napi_remove_env_cleanup_hook(env_, environmentEnds, this);
}

void Session::environmentEnds(void* session) { static_cast<Session*>(session)->stop(Abort::now); }

}  // namespace athanor::binding
