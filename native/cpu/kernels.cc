// All kernels for one instruction set. The build compiles this file once for each, with ATHANOR_ISA and ATHANOR_LANES
// (simd.h) and the compiler's flags for it. ops.h and kernels.inc are generated from the operators' list in src/core.
#include "isa.h"
#include "ops.h"
#include "simd.h"

#include "kernels.inc"
#include "block-layout.h"
#include "probe.h"

namespace athanor::ATHANOR_ISA {

namespace {

#define ATHANOR_TEXT_OF(x) #x
#define ATHANOR_TEXT(x) ATHANOR_TEXT_OF(x)
#define ATHANOR_KERNEL_0(name) nullptr
#define ATHANOR_KERNEL_1(name) name
#define ATHANOR_ENTRY(opcode, name, hasKernel, file) ATHANOR_KERNEL_##hasKernel(name),

constexpr Kernel KERNELS[] = {ATHANOR_OPS(ATHANOR_ENTRY)};
constexpr int KERNEL_COUNT = sizeof KERNELS / sizeof KERNELS[0];

}  // namespace

extern const Isa ISA;
const Isa ISA = {{ATHANOR_TEXT(ATHANOR_ISA), KERNELS, KERNEL_COUNT}, LANES, probe_detail::fmaLoop,
                 probe_detail::BF16_LOOP, probe_detail::readLoop, arrangeWeight};

}  // namespace athanor::ATHANOR_ISA
