#include "executor.h"

#include <chrono>
#include <cstring>

namespace athanor {

namespace {

// The operand's bytes, row by row, to contiguous memory.
void copyOut(std::byte* target, const View& view) {
  const size_t row = size_t(view.cols()) * elementBytes(view.dtype);
  const auto* source = view.as<const std::byte>();
  if (view.contiguous()) {
    std::memcpy(target, source, row * size_t(view.rows()));
    return;
  }
  const size_t stride = size_t(view.stride0) * elementBytes(view.dtype);
  for (int64_t i = 0; i < view.rows(); i++) std::memcpy(target + size_t(i) * row, source + size_t(i) * stride, row);
}

}  // namespace

std::shared_ptr<LoadedProgram> Executor::load(const uint8_t* bytes, size_t size, LoadFailure& failure,
                                              std::string& error) {
  auto loaded = std::make_shared<LoadedProgram>();
  failure = LoadFailure::format;
  if (!parseProgram(bytes, size, ops_, loaded->program, error)) return nullptr;
  std::lock_guard<std::mutex> lock(mutex_);
  std::map<std::string, std::shared_ptr<Block>> fresh;
  for (const StateSlot& slot : loaded->program.states) {
    const auto old = states_.find(slot.id);
    std::shared_ptr<Block> block = old != states_.end() ? old->second : fresh[slot.id];
    if (block != nullptr && block->bytes() != slot.bytes) {
      error = "state \"" + slot.id + "\" has " + std::to_string(slot.bytes) + " bytes here, but " +
              std::to_string(block->bytes()) + " bytes where it was first declared";
      return nullptr;
    }
    if (block == nullptr) block = fresh[slot.id] = Block::allocate(slot.bytes);
    if (block == nullptr) {
      failure = LoadFailure::capacity;
      error = "the system refused " + std::to_string(slot.bytes) + " bytes for state \"" + slot.id + "\"";
      return nullptr;
    }
    loaded->states.push_back(std::move(block));
  }
  if (!growArena(loaded->program.arenaBytes)) {
    failure = LoadFailure::capacity;
    error = "the system refused an arena of " + std::to_string(loaded->program.arenaBytes) + " bytes";
    return nullptr;
  }
  for (auto& [id, block] : fresh)
    if (block != nullptr) states_.emplace(id, std::move(block));
  loaded->views.resize(loaded->program.operands.size());
  failure = LoadFailure::none;
  return loaded;
}

bool Executor::growArena(uint64_t bytes) {
  if (arena_ != nullptr && arena_->bytes() >= bytes) return true;
  // When no run holds it, the old one goes first, so that both are never there together.
  auto old = std::move(arena_);
  const size_t oldBytes = old == nullptr ? 0 : old->bytes();
  old.reset();
  arena_ = Block::allocate(bytes);
  if (arena_ != nullptr) return true;
  if (oldBytes > 0) arena_ = Block::allocate(oldBytes);
  return false;
}

std::shared_ptr<Block> Executor::state(const std::string& id) {
  std::lock_guard<std::mutex> lock(mutex_);
  const auto found = states_.find(id);
  return found == states_.end() ? nullptr : found->second;
}

Memory Executor::memory() {
  std::lock_guard<std::mutex> lock(mutex_);
  Memory memory{arena_ == nullptr ? 0 : arena_->bytes(), 0};
  for (const auto& [id, block] : states_) memory.stateBytes += block->bytes();
  return memory;
}

RunStatus Executor::run(const RunRequest& request) {
  LoadedProgram& loaded = *request.program;
  std::shared_ptr<Block> arena;
  {
    std::lock_guard<std::mutex> lock(mutex_);
    arena = arena_;
  }
  // Only after a failed load() that could not even get the old arena back.
  if (arena == nullptr || arena->bytes() < loaded.program.arenaBytes) return RunStatus::noArena;
  const auto place = [&](const Operand& operand, View& view) {
    view = operand.view;
    resolveShape(operand, request.dims, view);
    std::byte* base = operand.space == Space::arena   ? arena->data()
                      : operand.space == Space::input ? request.inputs[operand.index]
                      : operand.space == Space::state ? loaded.states[operand.index]->data()
                                                      : nullptr;
    view.data = base == nullptr ? nullptr : base + operand.byteOffset;
  };
  for (size_t i = 0; i < loaded.views.size(); i++) place(loaded.program.operands[i], loaded.views[i]);
  const RunStatus status = interpret(request, arena->data());
  if (status != RunStatus::done) return status;
  for (size_t i = 0; i < loaded.program.outputs.size(); i++) {
    View view;
    place(loaded.program.outputs[i], view);
    copyOut(request.outputs[i], view);
  }
  return status;
}

RunStatus Executor::interpret(const RunRequest& request, std::byte* arena) {
  using Clock = std::chrono::steady_clock;
  const LoadedProgram& loaded = *request.program;
  bool committed = false;
  size_t number = 0;
  auto before = Clock::now();
  for (const Instruction& it : loaded.program.instructions) {
    const Abort abort = request.abort->load(std::memory_order_relaxed);
    if (abort == Abort::now || (abort == Abort::polite && !committed)) return RunStatus::aborted;
    committed = committed || it.commits;
    const View* operands = loaded.views.data() + it.firstOperand;
    const Call call{operands, operands + it.nIn, loaded.program.attrs.data() + it.firstAttr,
                    it.workspaceBytes == 0 ? nullptr : arena + it.workspaceOffset, &pool_,
                    it.nIn, it.nOut, it.nAttrs, size_t(it.workspaceBytes)};
    ops_.kernels->kernels[it.opcode](call);
    if (request.seconds != nullptr) {
      const auto now = Clock::now();
      request.seconds[number++] = std::chrono::duration<double>(now - before).count();
      before = now;
    }
  }
  return RunStatus::done;
}

}  // namespace athanor
