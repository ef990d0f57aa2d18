// Writes programs of format 2 by hand, for a little operator table that needs no kernels of cpu/.
#pragma once

#include <cstring>
#include <string>
#include <vector>

#include "runtime/program.h"

namespace writer {

using namespace athanor;

enum Op : uint16_t { SOURCE, FILL, ADD, SPIN, COUNT };

struct Place {
  Space space;
  uint32_t index;
  uint64_t byteOffset;
  std::vector<int64_t> dims;
  int64_t stride0 = -1;  // contiguous
  DType dtype = DType::f32;
};

struct Step {
  Op op;
  std::vector<Place> in, out;
  std::vector<double> attrs;
  bool commits = false;
  uint64_t workspaceOffset = 0, workspaceBytes = 0;
};

struct Draft {
  uint64_t arenaBytes = 0;
  std::vector<uint32_t> dims;
  std::vector<Place> inputs;
  std::vector<std::pair<std::string, uint64_t>> states;
  std::vector<Place> outputs;
  std::vector<Step> steps;
};

class Bytes {
 public:
  std::vector<uint8_t> data;
  template <class T> void add(T value) {
    const auto* raw = reinterpret_cast<const uint8_t*>(&value);
    data.insert(data.end(), raw, raw + sizeof value);
  }
  void align() { data.resize((data.size() + 7) / 8 * 8); }
  void add(const Place& place) {
    add(uint8_t(place.space));
    add(uint8_t(place.dtype));
    add(uint8_t(place.dims.size()));
    add(uint8_t(0));
    add(place.index);
    add(place.byteOffset);
    int64_t cols = 1;
    for (size_t i = 1; i < place.dims.size(); i++) cols *= place.dims[i];
    add(place.stride0 < 0 ? cols : place.stride0);
    for (int64_t dim : place.dims) add(dim);
  }
};

constexpr uint64_t HASH = 0x1234;

inline std::vector<uint8_t> encode(const Draft& draft) {
  Bytes body, all;
  for (const Step& step : draft.steps) {
    body.add(uint16_t(step.op));
    body.add(uint16_t(step.commits));
    body.add(uint32_t(step.in.size()));
    body.add(uint32_t(step.out.size()));
    body.add(uint32_t(step.attrs.size()));
    body.add(step.workspaceOffset);
    body.add(step.workspaceBytes);
    for (double attr : step.attrs) body.add(attr);
    for (const Place& place : step.in) body.add(place);
    for (const Place& place : step.out) body.add(place);
  }
  all.add(uint32_t(0x50485441));
  all.add(uint32_t(2));
  all.add(HASH);
  all.add(draft.arenaBytes);
  for (size_t n : {draft.dims.size(), draft.inputs.size(), draft.states.size(), draft.outputs.size(), draft.steps.size(),
                   body.data.size(), size_t(0), size_t(0)})
    all.add(uint32_t(n));
  for (uint32_t dim : draft.dims) all.add(dim);
  all.align();
  for (const Place& place : draft.inputs) all.add(place);
  for (const auto& [id, bytes] : draft.states) {
    all.add(bytes);
    all.add(uint32_t(id.size()));
    all.data.insert(all.data.end(), id.begin(), id.end());
    all.align();
  }
  for (const Place& place : draft.outputs) all.add(place);
  all.data.insert(all.data.end(), body.data.begin(), body.data.end());
  return all.data;
}

// The operators: fill (attribute: value), add of two equal shapes, and spin, which runs until `mayEnd`.
const OpTable& ops();
inline std::atomic<bool> isSpinning{false}, mayEnd{false};

// x [n, 3] (bound n ≤ 4) + 2 → y, its first two columns → z; y is written to the state "s" too.
Draft sample();

}  // namespace writer
