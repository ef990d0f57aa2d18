// Time for the ladders.
#pragma once

#include <ctime>

// Processor time of this thread in seconds: a busy machine disturbs it least.
inline double seconds() {
  timespec t;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return double(t.tv_sec) + double(t.tv_nsec) * 1e-9;
}
