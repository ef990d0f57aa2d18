// Times attention forward and backward alone. Usage: attention-time B H KV T D threads; prints milliseconds (the least of
// several runs) and GFLOP/s counting the causal half only (2 products forward, 5 backward).
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <vector>

#include "../cpu/attention-backward.cc"
#include "../cpu/attention.cc"

using namespace athanor;
using namespace athanor::ATHANOR_ISA;

namespace {

View tensor(std::vector<float>& memory, std::vector<int64_t> shape) {
  View v{};
  v.rank = int32_t(shape.size());
  for (int i = 0; i < v.rank; i++) v.shape[i] = shape[size_t(i)];
  v.dtype = DType::f32;
  v.stride0 = v.cols();
  memory.resize(size_t(v.size()));
  for (size_t i = 0; i < memory.size(); i++) memory[i] = float((i * 2654435761u >> 8) & 0xffff) / 32768.0f - 1.0f;
  v.data = memory.data();
  return v;
}

// With one thread the processor time of this thread, which other programs disturb less; otherwise the time on the wall.
double now(clockid_t clock) {
  timespec t;
  clock_gettime(clock, &t);
  return double(t.tv_sec) + 1e-9 * double(t.tv_nsec);
}

template <class F> double least(int threads, const F& f) {
  const clockid_t clock = threads == 1 ? CLOCK_THREAD_CPUTIME_ID : CLOCK_MONOTONIC;
  double best = 1e9, total = 0;
  for (int i = 0; i < 200 && (total < 1.5 || i < 3); i++) {
    const double start = now(clock);
    f();
    const double seconds = now(clock) - start;
    best = seconds < best ? seconds : best;
    total += seconds;
  }
  return best;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 7) return std::printf("usage: attention-time B H KV T D threads\n"), 2;
  const int64_t B = std::atoi(argv[1]), H = std::atoi(argv[2]), KV = std::atoi(argv[3]), T = std::atoi(argv[4]), D = std::atoi(argv[5]), N = B * T;
  Pool pool(std::atoi(argv[6]));
  std::vector<float> m[10];
  std::vector<int32_t> starts;
  for (int64_t i = 0; i < N; i++) starts.push_back(int32_t(i / T * T));
  View q = tensor(m[0], {N, H, D}), k = tensor(m[1], {N, KV, D}), v = tensor(m[2], {N, KV, D}), out = tensor(m[3], {N, H, D}), lse = tensor(m[4], {N, H});
  View dout = tensor(m[5], {N, H, D}), dq = tensor(m[6], {N, H, D}), dk = tensor(m[7], {N, KV, D}), dv = tensor(m[8], {N, KV, D});
  View s = lse;
  s.rank = 1; s.shape[0] = N; s.stride0 = 1; s.dtype = DType::i32; s.data = starts.data();
  const size_t bytes = 64 << 20;
  std::byte* workspace = static_cast<std::byte*>(std::aligned_alloc(64, bytes));
  const double attrs[] = {1 / __builtin_sqrt(double(D)), 0, 0};
  const View in[] = {q, k, v, s}, outs[] = {out, lse}, inBackward[] = {q, k, v, s, out, lse, dout}, grads[] = {dq, dk, dv};
  const Call forward{in, outs, attrs, workspace, &pool, 4, 2, 3, bytes}, backward{inBackward, grads, attrs, workspace, &pool, 7, 3, 3, bytes};
  const double f = least(pool.threads(), [&] { attention(forward); }), b = least(pool.threads(), [&] { attentionBackward(backward); });
  const double product = double(B) * double(H) * double(T) * double(T + 1) / 2 * double(D) * 2;
  std::printf("B%lld H%lld/%lld T%lld D%lld: forward %.3f ms (%.1f GFLOP/s), backward %.3f ms (%.1f GFLOP/s), both %.3f ms\n", (long long)B, (long long)H,
              (long long)KV, (long long)T, (long long)D, f * 1e3, 2 * product / f / 1e9, b * 1e3, 5 * product / b / 1e9, (f + b) * 1e3);
}
