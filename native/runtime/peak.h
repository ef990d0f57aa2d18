// Measures the machine's limits with the instruction set in use: what a plan and a bench compare against.
#pragma once

#include "../cpu/isa.h"

namespace athanor {

struct Peak {
  double f32Flops;        // per second, all threads of the pool
  double bf16Flops;       // 0 without an instruction for it
  double readBytes;       // per second from memory, all threads
};

// Takes about half a second and 256 MiB (four times the last cache where that is more). readBytes is 0 when there is
// no memory for it.
Peak measurePeak(const Isa& isa, Pool& pool, int64_t lastCacheBytes);

}  // namespace athanor
