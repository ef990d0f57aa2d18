#include "isa.h"

#include "ops.h"

namespace athanor {

// Each is defined by one compilation of kernels.cc.
namespace portable { extern const Isa ISA; }
#if defined(__x86_64__)
namespace avx2 { extern const Isa ISA; }
namespace avx512 { extern const Isa ISA; }
namespace avx512bf16 { extern const Isa ISA; }
#elif defined(__aarch64__)
namespace neon { extern const Isa ISA; }
#endif

namespace {

struct Candidate {
  const Isa* isa;
  bool usable;
};

// What the processor and the operating system (which must save the wide registers) allow, best first.
const Candidate* candidates() {
#if defined(__x86_64__)
  const bool isAvx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("f16c");
  const bool isAvx512 = isAvx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                        __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
  const bool isBf16 = isAvx512 && __builtin_cpu_supports("avx512bf16") && __builtin_cpu_supports("avx512vnni");
  static const Candidate list[] = {
      {&avx512bf16::ISA, isBf16}, {&avx512::ISA, isAvx512}, {&avx2::ISA, isAvx2}, {&portable::ISA, true}, {nullptr, false}};
#elif defined(__aarch64__)
  static const Candidate list[] = {{&neon::ISA, true}, {&portable::ISA, true}, {nullptr, false}};
#else
  static const Candidate list[] = {{&portable::ISA, true}, {nullptr, false}};
#endif
  return list;
}

struct Usable {
  const Isa* list[8] = {};
  Usable() {
    int n = 0;
    for (const Candidate* it = candidates(); it->isa != nullptr; it++)
      if (it->usable) list[n++] = it->isa;
  }
};

}  // namespace

#define ATHANOR_OP_NAME(opcode, name, hasKernel, file) #name,
const char* const OP_NAMES[] = {ATHANOR_OPS(ATHANOR_OP_NAME)};
const uint64_t OP_TABLE_HASH = ATHANOR_OP_TABLE_HASH;

const Isa* const* usableIsas() {
  static const Usable usable;
  return usable.list;
}

const Isa* findIsa(const std::string& name, std::string& error) {
  std::string known;
  for (const Candidate* it = candidates(); it->isa != nullptr; it++) {
    if (name == it->isa->table.isa) {
      if (it->usable) return it->isa;
      error = "this processor does not have the instruction set \"" + name + "\"; it has";
      for (const Isa* const* isa = usableIsas(); *isa != nullptr; isa++) error += std::string(" ") + (*isa)->table.isa;
      return nullptr;
    }
    known += std::string(" ") + it->isa->table.isa;
  }
  error = "the instruction set \"" + name + "\" is unknown; on this kind of processor there are" + known;
  return nullptr;
}

}  // namespace athanor
