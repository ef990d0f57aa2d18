#include <thread>
#include <vector>

#include "runtime/pool.h"
#include "suite.h"

using athanor::Pool;
using suite::test;

void testPool() {
  test("Pool runs every task once, for any number of tasks and threads", [] {
    for (int threads : {1, 2, 3, 8}) {
      Pool pool(threads);
      CHECK(pool.threads() == threads);
      for (int tasks : {0, 1, 2, 3, 7, 64, 1001}) {
        std::vector<int> runs(size_t(tasks), 0);
        std::atomic<int> outside{0};
        pool.parallel(tasks, [&](int64_t task, int thread) {
          runs[size_t(task)]++;
          if (thread < 0 || thread >= threads) outside++;
        });
        for (int n : runs) CHECK(n == 1);
        CHECK(outside == 0);
      }
    }
  });

  test("Pool keeps regions apart when they follow each other at once", [] {
    Pool pool(4);
    int64_t sum = 0;
    for (int region = 0; region < 20000; region++) {
      int64_t values[5] = {};
      pool.parallel(5, [&](int64_t task, int) { values[task] = region + task; });
      for (int64_t value : values) sum += value;
    }
    CHECK(sum == 5 * (int64_t(20000) * 19999 / 2) + 20000 * 10);
  });

  test("Pool wakes workers that sleep", [] {
    Pool pool(3);
    for (int i = 0; i < 20; i++) {
      std::this_thread::sleep_for(std::chrono::milliseconds(2));  // beyond the time that a worker stays awake
      std::atomic<int> arrived{0};
      // Ends only when three threads are inside at once.
      pool.parallel(3, [&](int64_t, int) {
        arrived++;
        while (arrived < 3) std::this_thread::yield();
      });
      CHECK(arrived == 3);
    }
  });

  test("Pool ends while its workers are awake and while they sleep", [] {
    for (int i = 0; i < 50; i++) {
      Pool pool(4);
      if (i % 2 == 0) pool.parallel(8, [](int64_t, int) {});
      if (i % 10 == 0) std::this_thread::sleep_for(std::chrono::milliseconds(2));
    }
  });

  test("Pool serves several callers' pools in one process", [] {
    std::vector<std::thread> callers;
    std::atomic<int> total{0};
    for (int i = 0; i < 3; i++)
      callers.emplace_back([&] {
        Pool pool(2);
        for (int region = 0; region < 500; region++) pool.parallel(4, [&](int64_t, int) { total++; });
      });
    for (auto& caller : callers) caller.join();
    CHECK(total == 3 * 500 * 4);
  });
}
