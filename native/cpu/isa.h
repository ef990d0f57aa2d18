// The instruction sets this addon was compiled for, and which of them the processor has.
#pragma once

#include <cstdint>
#include <string>

#include "../runtime/kernel.h"

namespace athanor {

// One instruction set: its kernels, and loops that measure what the processor can do with it (runtime/peak.h).
struct Isa {
  KernelTable table;
  int lanes;  // f32 lanes of a register
  double (*fmaLoop)(int64_t rounds);   // returns the floating point operations done
  double (*bf16Loop)(int64_t rounds);  // the same with bf16 products; nullptr without such an instruction
  uint64_t (*readLoop)(const std::byte* data, size_t bytes);  // reads all, a multiple of 1024 bytes
  // A weight in a block format from ggml's order to the kernels' (cpu/block-layout.h), or back.
  void (*arrangeWeight)(DType format, int64_t rows, int64_t cols, const uint8_t* from, uint8_t* to, bool back);
};

// Instruction sets that this processor can run, best first, ended by nullptr.
const Isa* const* usableIsas();

// One by name. nullptr when it is unknown, not compiled in, or the processor lacks it; then `error` says which.
const Isa* findIsa(const std::string& name, std::string& error);

// The operators as this addon was compiled with them: names by opcode, and the hash of the whole table.
extern const char* const OP_NAMES[];
extern const uint64_t OP_TABLE_HASH;

}  // namespace athanor
