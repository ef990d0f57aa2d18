// A few lines instead of a test framework: named tests, and a check that says where it failed.
#pragma once

#include <cstdio>

namespace suite {

inline int passed = 0, failed = 0;
inline bool isFailing = false;

inline void check(bool ok, const char* what, const char* file, int line) {
  if (ok) return;
  isFailing = true;
  std::printf("  %s:%d: not true: %s\n", file, line, what);
}

template <class Body> void test(const char* name, const Body& body) {
  isFailing = false;
  body();
  (isFailing ? failed : passed)++;
  if (isFailing) std::printf("FAILED %s\n", name);
}

}  // namespace suite

#define CHECK(condition) suite::check(bool(condition), #condition, __FILE__, __LINE__)

void testPool();
void testProgram();
void testExecutor();
