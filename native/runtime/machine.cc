// Linux tells everything in files; elsewhere the standard library knows the number of threads and the caches are assumed.
#include "machine.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <set>
#include <sstream>
#include <thread>

#ifdef __linux__
#include <sched.h>
#endif
#ifdef __APPLE__
#include <sys/sysctl.h>
#endif

namespace athanor {

namespace {

// First line of a small file, empty when it cannot be read.
std::string firstLine(const std::string& path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return line;
}

#ifdef __linux__

// "32K", "1024K", "32M" in bytes.
int64_t sizeInBytes(const std::string& text) {
  char* end = nullptr;
  const int64_t n = std::strtoll(text.c_str(), &end, 10);
  return *end == 'K' ? n << 10 : *end == 'M' ? n << 20 : *end == 'G' ? n << 30 : n;
}

// Cores, not hyper-threads: two FMA streams on one core only take each other's cache.
int coresInAffinity() {
  cpu_set_t set;
  CPU_ZERO(&set);
  // Fails where the machine has more processors than cpu_set_t holds (1024).
  if (sched_getaffinity(0, sizeof set, &set) != 0) return int(std::thread::hardware_concurrency());
  std::set<std::string> cores;
  for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
    if (!CPU_ISSET(cpu, &set)) continue;
    const std::string siblings =
        firstLine("/sys/devices/system/cpu/cpu" + std::to_string(cpu) + "/topology/thread_siblings_list");
    cores.insert(siblings.empty() ? std::to_string(cpu) : siblings);
  }
  return int(cores.size());
}

// Quota of a control group in processors, infinity where there is none. @see kernel's admin-guide/cgroup-v2, cpu.max
double quotaOf(const std::string& folder) {
  std::istringstream v2(firstLine(folder + "/cpu.max"));
  std::string quota;
  double period = 0;
  if (v2 >> quota >> period && quota != "max" && period > 0) return std::strtod(quota.c_str(), nullptr) / period;
  const double v1 = std::strtod(firstLine(folder + "/cpu.cfs_quota_us").c_str(), nullptr);
  const double v1Period = std::strtod(firstLine(folder + "/cpu.cfs_period_us").c_str(), nullptr);
  return v1 > 0 && v1Period > 0 ? v1 / v1Period : HUGE_VAL;
}

// The smallest quota of the process's control group and of all above it.
double cgroupQuota() {
  double quota = std::min(quotaOf("/sys/fs/cgroup"), quotaOf("/sys/fs/cgroup/cpu"));
  std::ifstream groups("/proc/self/cgroup");
  for (std::string line; std::getline(groups, line);) {
    const size_t first = line.find(':'), second = line.find(':', first + 1);
    if (second == std::string::npos) continue;
    const std::string controllers = line.substr(first + 1, second - first - 1);
    if (!controllers.empty() && controllers.find("cpu") == std::string::npos) continue;
    const std::string root = controllers.empty() ? "/sys/fs/cgroup" : "/sys/fs/cgroup/cpu";
    for (std::string path = line.substr(second + 1); path.size() > 1; path.erase(path.rfind('/')))
      quota = std::min(quota, quotaOf(root + path));
  }
  return quota;
}

std::string cpuModel() {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);) {
    if (line.rfind("model name", 0) != 0) continue;
    const size_t colon = line.find(": ");
    if (colon != std::string::npos) return line.substr(colon + 2);
  }
  return "unknown";
}

void readCaches(Machine& machine) {
  for (int i = 0; i < 8; i++) {
    const std::string folder = "/sys/devices/system/cpu/cpu0/cache/index" + std::to_string(i);
    const std::string type = firstLine(folder + "/type");
    if (type.empty()) break;
    if (type == "Instruction") continue;
    const int64_t bytes = sizeInBytes(firstLine(folder + "/size"));
    const std::string level = firstLine(folder + "/level");
    if (bytes <= 0) continue;
    (level == "1" ? machine.l1Bytes : level == "2" ? machine.l2Bytes : machine.l3Bytes) = bytes;
  }
}

#endif

#ifdef __APPLE__
void readCaches(Machine& machine) {
  size_t length = sizeof(int64_t);
  sysctlbyname("hw.perflevel0.l1dcachesize", &machine.l1Bytes, &length, nullptr, 0);
  sysctlbyname("hw.perflevel0.l2cachesize", &machine.l2Bytes, &length, nullptr, 0);
}

std::string cpuModel() {
  char name[256] = "unknown";
  size_t length = sizeof name;
  sysctlbyname("machdep.cpu.brand_string", name, &length, nullptr, 0);
  return name;
}
#endif

}  // namespace

Machine inspectMachine() {
  // Where the system does not tell: the sizes of a plain desktop core.
  Machine machine{1, 32 << 10, 512 << 10, 8 << 20, "unknown"};
#ifdef __linux__
  const double quota = cgroupQuota();
  // A thread beyond the quota would be stopped for most of each period while the others wait for it: round down.
  machine.threads = std::max(1, std::min(coresInAffinity(), quota < 4096 ? int(quota) : 4096));
  machine.cpuModel = cpuModel();
  readCaches(machine);
#else
  machine.threads = std::max(1, int(std::thread::hardware_concurrency()));
#ifdef __APPLE__
  machine.cpuModel = cpuModel();
  readCaches(machine);
#endif
#endif
  return machine;
}

}  // namespace athanor
