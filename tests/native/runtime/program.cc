#include <random>

#include "program-writer.h"
#include "suite.h"

using namespace athanor;
using suite::test;
using writer::Draft;

namespace {

// Copied to a block of exactly its size, so that a sanitizer sees a read beyond it.
bool parses(const std::vector<uint8_t>& bytes, Program& program, std::string& error) {
  const std::vector<uint8_t> exact(bytes);
  return parseProgram(exact.data(), exact.size(), writer::ops(), program, error);
}

std::string errorOf(const Draft& draft) {
  Program program;
  std::string error;
  return parses(writer::encode(draft), program, error) ? "" : error;
}

bool says(const std::string& error, const char* words) { return error.find(words) != std::string::npos; }

bool isWithin(const Operand& operand, const Program& program) {
  const uint64_t end = operand.byteOffset + extentBytes(operand.view);
  switch (operand.space) {
    case Space::none: return true;
    case Space::arena: return end <= program.arenaBytes;
    case Space::input: return end <= extentBytes(program.inputs[operand.index].view);
    case Space::state: return end <= program.states[operand.index].bytes;
  }
  return false;
}

}  // namespace

void testProgram() {
  test("parseProgram() reads what was written", [] {
    Program program;
    std::string error;
    CHECK(parses(writer::encode(writer::sample()), program, error));
    CHECK(program.instructions.size() == 3 && program.operands.size() == 8 && program.states[0].id == "s");
    CHECK(!program.instructions[1].commits && program.instructions[2].commits);
    CHECK(program.operands[1].view.shape[0] == 4 && program.operands[1].view.shape[1] == 3);
  });

  test("parseProgram() names instruction and operand that are wrong", [] {
    Draft draft = writer::sample();
    draft.steps[1].in[1].byteOffset = 160;
    CHECK(says(errorOf(draft), "instruction 1 (add), input 1 needs 48 bytes from byte 160 on, its memory has 192"));
    draft = writer::sample();
    draft.steps[2].out[0].index = 7;
    CHECK(says(errorOf(draft), "instruction 2 (add), output 0 is state 7 of 1"));
    draft = writer::sample();
    draft.steps[1].out[0] = draft.inputs[0];
    CHECK(says(errorOf(draft), "would write to an input"));
    draft = writer::sample();
    draft.steps[0].op = writer::SOURCE;
    CHECK(says(errorOf(draft), "instruction 0 (source): there is no kernel for it on test"));
    draft = writer::sample();
    draft.steps[0].op = writer::COUNT;
    CHECK(says(errorOf(draft), "unknown opcode 4"));
    draft = writer::sample();
    draft.steps[1].workspaceBytes = 65;
    CHECK(says(errorOf(draft), "workspace leaves the arena"));
    draft = writer::sample();
    draft.steps[0].out[0].dims[0] = -2;
    CHECK(says(errorOf(draft), "has dimension -2 on axis 0, and the program has 1 bound dimensions"));
    draft = writer::sample();
    draft.steps[0].out[0].byteOffset = 2;
    CHECK(says(errorOf(draft), "not aligned to its elements"));
    draft = writer::sample();
    draft.steps[0].out[0].dims = {1, 1, 1, 1, 1, 1, 1};
    CHECK(says(errorOf(draft), "has rank 7, at most 6 is possible"));
    draft = writer::sample();
    draft.outputs[1].dims = {int64_t(1) << 40, int64_t(1) << 40};
    CHECK(says(errorOf(draft), "output 1 has more elements than any address space"));
    draft = writer::sample();
    draft.outputs[1].stride0 = INT64_MAX;
    CHECK(says(errorOf(draft), "impossible row stride"));
  });

  test("parseProgram() refuses every truncation", [] {
    const auto bytes = writer::encode(writer::sample());
    for (size_t n = 0; n < bytes.size(); n++) {
      Program program;
      std::string error;
      CHECK(!parses({bytes.begin(), bytes.begin() + long(n)}, program, error));
      CHECK(!error.empty());
    }
  });

  test("parseProgram() never accepts an operand outside its memory, whatever bytes are changed", [] {
    const auto bytes = writer::encode(writer::sample());
    std::mt19937 random(7);
    int accepted = 0;
    for (int i = 0; i < 200000; i++) {
      auto changed = bytes;
      for (int n = 1 + int(random() % 4); n > 0; n--) {
        const uint8_t values[] = {0, 1, 0x7f, 0x80, 0xff, uint8_t(random())};
        changed[random() % changed.size()] = values[random() % 6];
      }
      Program program;
      std::string error;
      if (!parses(changed, program, error)) continue;
      accepted++;
      for (const Operand& operand : program.operands) CHECK(isWithin(operand, program));
      for (const Operand& operand : program.outputs) CHECK(isWithin(operand, program));
      for (const Instruction& it : program.instructions) CHECK(it.workspaceOffset + it.workspaceBytes <= program.arenaBytes);
    }
    CHECK(accepted > 1000);  // bytes that do not matter, smaller shapes, other attributes: else this proves nothing
  });
}
