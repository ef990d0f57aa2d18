// Tests of native/runtime without Node and without the kernels, so that sanitizers see all of it:
// node scripts/build.mjs --sanitize
#include "suite.h"

int main() {
  testPool();
  testProgram();
  testExecutor();
  std::printf("%d passed, %d failed\n", suite::passed, suite::failed);
  return suite::failed == 0 ? 0 : 1;
}
