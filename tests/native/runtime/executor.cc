#include <thread>

#include "program-writer.h"
#include "runtime/executor.h"
#include "suite.h"

using namespace athanor;
using suite::test;
using writer::Draft;
using writer::Place;

namespace {

std::shared_ptr<LoadedProgram> load(Executor& executor, const Draft& draft, std::string* error = nullptr) {
  const auto bytes = writer::encode(draft);
  LoadFailure failure;
  std::string message;
  auto program = executor.load(bytes.data(), bytes.size(), failure, message);
  if (error != nullptr) *error = message;
  return program;
}

// Runs sample() on x = 1, 2, 3 …
struct SampleRun {
  float x[12], y[12] = {}, z[8] = {};
  double seconds[3] = {-1, -1, -1};
  std::atomic<Abort> abort{Abort::none};
  SampleRun() {
    for (int i = 0; i < 12; i++) x[i] = float(i + 1);
  }
  RunStatus run(Executor& executor, LoadedProgram& program, int64_t n) {
    std::byte* inputs[] = {reinterpret_cast<std::byte*>(x)};
    std::byte* outputs[] = {reinterpret_cast<std::byte*>(y), reinterpret_cast<std::byte*>(z)};
    return executor.run({&program, &n, inputs, outputs, &abort, seconds});
  }
};

}  // namespace

void testExecutor() {
  test("Executor runs a program at every number of rows", [] {
    Executor executor(writer::ops(), 2);
    const auto program = load(executor, writer::sample());
    for (int64_t n = 0; n <= 4; n++) {
      SampleRun run;
      CHECK(run.run(executor, *program, n) == RunStatus::done);
      for (int64_t i = 0; i < 12; i++) CHECK(run.y[i] == (i < 3 * n ? float(i + 3) : 0));
      for (int64_t i = 0; i < 4; i++) CHECK(run.z[2 * i + 1] == (i < n ? float(3 * i + 4) : 0));
      for (double seconds : run.seconds) CHECK(seconds >= 0);
    }
    CHECK(reinterpret_cast<float*>(executor.state("s")->data())[11] == 14);
  });

  test("Executor counts the largest arena and each state once", [] {
    Executor executor(writer::ops(), 1);
    CHECK(executor.memory().arenaBytes == 0 && executor.memory().stateBytes == 0);
    Draft draft = writer::sample();
    const auto small = load(executor, draft);
    draft.arenaBytes = 5 << 20;
    const auto large = load(executor, draft);
    CHECK(executor.memory().arenaBytes == 5 << 20 && executor.memory().stateBytes == 48);
    CHECK(small->states[0] == large->states[0]);
    SampleRun run;
    CHECK(run.run(executor, *small, 4) == RunStatus::done && run.y[0] == 3);
  });

  test("Executor refuses a state of another size and changes nothing", [] {
    Executor executor(writer::ops(), 1);
    const auto first = load(executor, writer::sample());
    Draft draft = writer::sample();
    draft.states = {{"new", 48}, {"s", 64}};
    std::string error;
    CHECK(load(executor, draft, &error) == nullptr);
    CHECK(error == "state \"s\" has 64 bytes here, but 48 bytes where it was first declared");
    CHECK(executor.state("new") == nullptr && executor.memory().stateBytes == 48);
  });

  test("Executor survives memory that the system refuses", [] {
    Executor executor(writer::ops(), 1);
    const auto first = load(executor, writer::sample());
    Draft draft = writer::sample();
    draft.arenaBytes = uint64_t(1) << 47;
    std::string error;
    CHECK(load(executor, draft, &error) == nullptr && !error.empty());
    draft = writer::sample();
    draft.states = {{"huge", uint64_t(1) << 47}};
    CHECK(load(executor, draft, &error) == nullptr && !error.empty());
    SampleRun run;
    CHECK(run.run(executor, *first, 4) == RunStatus::done && run.y[0] == 3);
  });

  test("Executor aborts before the commit and not after it", [] {
    for (const bool committed : {false, true}) {
      Executor executor(writer::ops(), 1);
      Draft draft = writer::sample();
      draft.steps.insert(draft.steps.begin(), {writer::SPIN, {}, {}, {}, committed});
      draft.steps.resize(3);
      const auto program = load(executor, draft);
      SampleRun run;
      writer::isSpinning = writer::mayEnd = false;
      RunStatus status{};
      std::thread runner([&] { status = run.run(executor, *program, 4); });
      while (!writer::isSpinning) std::this_thread::yield();
      run.abort = Abort::polite;
      writer::mayEnd = true;
      runner.join();
      CHECK(status == (committed ? RunStatus::done : RunStatus::aborted));
      CHECK(run.y[0] == (committed ? 3 : 0));
    }
  });

  test("Executor aborted at any instruction leaves states as they were, or complete, and runs on", [] {
    const Place x{Space::input, 0, 0, {-1, 3}}, two{Space::arena, 0, 0, {-1, 3}}, y{Space::arena, 0, 64, {-1, 3}};
    const Place s{Space::state, 0, 0, {-1, 3}}, t{Space::state, 1, 0, {-1, 3}}, none{Space::none, 0, 0, {}, 0};
    Draft draft = writer::sample();
    draft.states = {{"s", 48}, {"t", 48}};
    draft.outputs = {y};
    draft.steps = {{writer::FILL, {none}, {two}, {2}}, {writer::ADD, {x, two}, {y}, {}}, {writer::ADD, {s, x}, {s}, {}, true}, {writer::ADD, {t, two}, {t}, {}}};
    constexpr size_t COMMITS_AT = 2;
    for (int threads : {1, 3})
      for (size_t at = 0; at <= draft.steps.size(); at++) {
        Executor executor(writer::ops(), threads);
        Draft spinning = draft;
        spinning.steps.insert(spinning.steps.begin() + long(at), {writer::SPIN, {}, {}, {}});
        const auto program = load(executor, spinning);
        const auto *sNow = reinterpret_cast<float*>(executor.state("s")->data()), *tNow = reinterpret_cast<float*>(executor.state("t")->data());
        int completed = 0;
        for (int round = 0; round < 3; round++) {  // aborted, left alone, aborted
          SampleRun run;
          const int64_t n = 4;
          std::byte *inputs[] = {reinterpret_cast<std::byte*>(run.x)}, *outputs[] = {reinterpret_cast<std::byte*>(run.y)};
          writer::isSpinning = writer::mayEnd = false;
          RunStatus status{};
          std::thread runner([&] { status = executor.run({program.get(), &n, inputs, outputs, &run.abort, nullptr}); });
          while (!writer::isSpinning) std::this_thread::yield();
          if (round != 1) run.abort = Abort::polite;
          writer::mayEnd = true;
          runner.join();
          const bool completes = round == 1 || at > COMMITS_AT;
          completed += completes;
          CHECK(status == (completes ? RunStatus::done : RunStatus::aborted));
          for (int i = 0; i < 12; i++) {
            CHECK(run.y[i] == (completes ? float(i + 3) : 0));
            CHECK(sNow[i] == float(completed * (i + 1)) && tNow[i] == float(completed * 2));
          }
        }
      }
  });

  test("Executor loads a larger program while another runs", [] {
    Executor executor(writer::ops(), 2);
    Draft draft = writer::sample();
    draft.steps.insert(draft.steps.begin() + 1, {writer::SPIN, {}, {}, {}});
    draft.steps.pop_back();
    const auto program = load(executor, draft);
    SampleRun run;
    writer::isSpinning = writer::mayEnd = false;
    std::thread runner([&] { CHECK(run.run(executor, *program, 4) == RunStatus::done); });
    while (!writer::isSpinning) std::this_thread::yield();
    draft.arenaBytes = 8 << 20;
    const auto larger = load(executor, draft);
    writer::mayEnd = true;
    runner.join();
    CHECK(run.y[11] == 14 && larger != nullptr);
    CHECK(run.run(executor, *larger, 4) == RunStatus::done);
  });
}
