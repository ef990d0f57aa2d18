#include "program-writer.h"

#include <thread>

namespace writer {

namespace {

void fill(const Call& call) {
  const View& y = call.out[0];
  for (int64_t i = 0; i < y.rows(); i++)
    for (int64_t j = 0; j < y.cols(); j++) y.as<float>()[i * y.stride0 + j] = float(call.attrs[0]);
}

void add(const Call& call) {
  const View &a = call.in[0], &b = call.in[1], &y = call.out[0];
  call.pool->parallel(y.rows(), [&](int64_t i, int) {
    for (int64_t j = 0; j < y.cols(); j++)
      y.as<float>()[i * y.stride0 + j] = a.as<float>()[i * a.stride0 + j] + b.as<float>()[i * b.stride0 + j];
  });
}

void spin(const Call&) {
  isSpinning = true;
  while (!mayEnd) std::this_thread::yield();
}

constexpr Kernel KERNELS[] = {nullptr, fill, add, spin};
constexpr const char* NAMES[] = {"source", "fill", "add", "spin"};
constexpr KernelTable TABLE = {"test", KERNELS, COUNT};
constexpr OpTable OPS = {&TABLE, NAMES, HASH};

}  // namespace

const OpTable& ops() { return OPS; }

Draft sample() {
  const Place x{Space::input, 0, 0, {-1, 3}}, two{Space::arena, 0, 0, {-1, 3}}, y{Space::arena, 0, 64, {-1, 3}};
  const Place z{Space::arena, 0, 64, {-1, 2}, 3}, s{Space::state, 0, 0, {-1, 3}}, none{Space::none, 0, 0, {}, 0};
  Draft draft;
  draft.arenaBytes = 192;
  draft.dims = {4};
  draft.inputs = {x};
  draft.states = {{"s", 48}};
  draft.outputs = {y, z};
  draft.steps = {{FILL, {none}, {two}, {2}}, {ADD, {x, two}, {y}, {}, false, 128, 64}, {ADD, {x, two}, {s}, {}, true}};
  return draft;
}

}  // namespace writer
