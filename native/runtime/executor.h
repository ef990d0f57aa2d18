// Holds programs, state and one arena, and runs programs one at a time. Knows nothing of JavaScript: the binding owns
// the thread that calls run(). load(), unload() and state() may be called while another thread is inside run().
#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "block.h"
#include "pool.h"
#include "program.h"

namespace athanor {

// A program whose states have memory.
struct LoadedProgram {
  Program program;
  std::vector<std::shared_ptr<Block>> states;  // by state number
  std::vector<View> views;                     // of all operands, for the run in progress
};

// `polite` is honoured before the first committing instruction only; `now` always: the memory is about to go.
enum class Abort { none, polite, now };

struct RunRequest {
  LoadedProgram* program;
  const int64_t* dims;            // by bound dimension
  std::byte* const* inputs;       // by input, each with room for its largest dimensions, 64-byte aligned
  std::byte* const* outputs;      // by output, contiguous, of the size for these dimensions
  const std::atomic<Abort>* abort; // looked at between instructions
  double* seconds;                // by instruction, or nullptr when no profile is wanted
};

enum class RunStatus { done, aborted, noArena };
enum class LoadFailure { none, format, capacity };

struct Memory {
  uint64_t arenaBytes;  // the largest of all loaded programs
  uint64_t stateBytes;  // all states
};

class Executor {
 public:
  Executor(const OpTable& ops, int threads) : ops_(ops), pool_(threads) {}

  // nullptr on failure, with a kind and a sentence. States that are new begin as zeros.
  std::shared_ptr<LoadedProgram> load(const uint8_t* bytes, size_t size, LoadFailure& failure, std::string& error);

  // A state of a loaded program, nullptr when there is none of that name.
  std::shared_ptr<Block> state(const std::string& id);

  // Runs one program. Not reentrant: one thread at a time.
  RunStatus run(const RunRequest& request);

  Memory memory();
  Pool& pool() { return pool_; }

 private:
  bool growArena(uint64_t bytes);
  RunStatus interpret(const RunRequest& request, std::byte* arena);

  const OpTable ops_;
  Pool pool_;
  std::mutex mutex_;  // guards what follows
  std::map<std::string, std::shared_ptr<Block>> states_;
  std::shared_ptr<Block> arena_;  // nothing in it outlives a run, so a larger one replaces it
};

}  // namespace athanor
