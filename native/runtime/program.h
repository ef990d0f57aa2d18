// A program of format 2, decoded and checked: src/core/program.ts describes the bytes and writes them.
// After parse() every operand lies within its memory at the largest dimensions, and so at all smaller ones.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "kernel.h"

namespace athanor {

enum class Space : uint8_t { none = 0, arena = 1, input = 2, state = 3 };

struct Operand {
  Space space;
  uint32_t index;              // number of the input or state
  uint64_t byteOffset;
  int64_t dims[MAX_RANK];      // >= 0 as it is; -1-d is the bound dimension d
  View view;                   // at the largest dimensions; data is set by a run
};

struct Instruction {
  uint16_t opcode;
  bool commits;                // the first write to durable state: from here on a run is not aborted
  int32_t nIn, nOut, nAttrs;
  size_t firstOperand, firstAttr;  // in Program::operands and Program::attrs
  uint64_t workspaceOffset, workspaceBytes;
};

struct StateSlot {
  std::string id;
  uint64_t bytes;
};

struct Program {
  uint64_t arenaBytes;
  std::vector<uint32_t> dims;  // largest values
  std::vector<Operand> inputs, outputs;
  std::vector<StateSlot> states;
  std::vector<Instruction> instructions;
  std::vector<Operand> operands;
  std::vector<double> attrs;
};

// Names and kernels of the operators, for checks and messages.
struct OpTable {
  const KernelTable* kernels;
  const char* const* names;    // by opcode, nullptr in gaps
  uint64_t hash;
};

// Decodes and checks. On failure returns false, and error says what is wrong with which instruction and operand.
bool parseProgram(const uint8_t* bytes, size_t size, const OpTable& ops, Program& program, std::string& error);

// Of an element; of a block where the type is a block format.
size_t elementBytes(DType dtype);

// Bytes from the operand's first element to its last, for dimensions as in `view`; 0 when it has no elements.
uint64_t extentBytes(const View& view);

// Sets the view's shape for actual values of the bound dimensions.
void resolveShape(const Operand& operand, const int64_t* dims, View& view);

}  // namespace athanor
