// What this process may use of the machine it runs on.
#pragma once

#include <cstdint>
#include <string>

namespace athanor {

struct Machine {
  int threads;  // physical cores within the process's affinity and its control group's limit, at least 1
  int64_t l1Bytes, l2Bytes, l3Bytes;  // data caches of one core, one core, and all that share the last level
  std::string cpuModel;
};

Machine inspectMachine();

}  // namespace athanor
