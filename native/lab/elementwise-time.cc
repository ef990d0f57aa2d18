// Times the kernels that a step runs between its products: map, norms, rope, adamw, gather, scatter. Usage:
// elementwise-time threads. Prints the least time of several runs, elements and bytes a second.
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <vector>

#include "../cpu/adamw.cc"
#include "../cpu/gather.cc"
#include "../cpu/global-norm.cc"
#include "../cpu/layer-norm-backward.cc"
#include "../cpu/layer-norm.cc"
#include "../cpu/map.cc"
#include "../cpu/permute.cc"
#include "../cpu/reduce.cc"
#include "../cpu/rms-norm-backward.cc"
#include "../cpu/rms-norm.cc"
#include "../cpu/rope.cc"
#include "../cpu/scatter.cc"

using namespace athanor;
using namespace athanor::ATHANOR_ISA;

namespace {

double now(clockid_t clock) {
  timespec t;
  clock_gettime(clock, &t);
  return double(t.tv_sec) + 1e-9 * double(t.tv_nsec);
}

View tensor(std::vector<int64_t> shape, DType dtype = DType::f32) {
  View v{};
  v.rank = int32_t(shape.size());
  for (int i = 0; i < v.rank; i++) v.shape[i] = shape[size_t(i)];
  v.dtype = dtype;
  v.stride0 = v.cols();
  v.data = std::aligned_alloc(64, size_t(v.size() * elementBytes(dtype) + 63) / 64 * 64);
  for (int64_t i = 0; i < v.size(); i++) {
    const float x = float((uint64_t(i) * 2654435761u >> 8) & 0xffff) / 32768.0f - 1.0f;
    if (dtype == DType::bf16) v.as<bf16>()[i] = toBf16(x);
    else if (dtype == DType::i32) v.as<int32_t>()[i] = int32_t((uint64_t(i) * 2654435761u >> 8) % 1000);
    else v.as<float>()[i] = x;
  }
  return v;
}

Pool* pool;
std::byte* workspace;

void time(const char* name, Kernel kernel, std::vector<View> in, std::vector<View> out, std::vector<double> attrs) {
  const Call call{in.data(), out.data(), attrs.data(), workspace, pool, int32_t(in.size()), int32_t(out.size()), int32_t(attrs.size()), 64 << 20};
  const clockid_t clock = pool->threads() == 1 ? CLOCK_THREAD_CPUTIME_ID : CLOCK_MONOTONIC;
  double best = 1e9, total = 0, bytes = 0;
  for (int i = 0; i < 500 && (total < 0.5 || i < 5); i++) {
    const double start = now(clock);
    kernel(call);
    const double seconds = now(clock) - start;
    best = seconds < best ? seconds : best;
    total += seconds;
  }
  for (const View& v : in) bytes += double(v.size() * elementBytes(v.dtype));
  for (const View& v : out) bytes += double(v.size() * elementBytes(v.dtype));
  std::printf("%-34s %8.1f us  %6.2f G elements/s  %6.1f GB/s\n", name, best * 1e6, double(in[0].size()) / best / 1e9, bytes / best / 1e9);
}

}  // namespace

int main(int argc, char** argv) {
  Pool own(argc > 1 ? std::atoi(argv[1]) : 1);
  pool = &own;
  workspace = static_cast<std::byte*>(std::aligned_alloc(64, 64 << 20));
  const int64_t N = 2048, C = 384, F = 1024;
  for (const DType type : {DType::f32, DType::bf16}) {
    std::printf("%s, %lld x %lld\n", type == DType::f32 ? "f32" : "bf16", (long long)N, (long long)F);
    const View a = tensor({N, F}, type), b = tensor({N, F}, type), d = tensor({N, F}, type), y = tensor({N, F}, type), z = tensor({N, F}, type), row = tensor({F}, type), col = tensor({N, 1}, type);
    time("map a + b", map, {a, b}, {y}, {3, 1, 1, 2, 0, 1, 0, 2});
    time("map a + row", map, {a, row}, {y}, {3, 1, 1, 2, 0, 1, 0, 2});
    time("map a * column", map, {a, col}, {y}, {3, 1, 3, 2, 0, 1, 0, 2});
    time("map silu gate", map, {a, b}, {y}, {5, 3, 14, 2, 0, 0, 0, 3, 3, 0, 2, 0, 3, 4, 3, 1, 0, 4});
    // s = σ(a), t = a·s, db = d·t, da = d·b·(s + t·(1 − s))
    time("map silu gate backward", map, {a, b, d}, {y, z},
         {8, 9, 14, 3, 0, 0, 0, 3, 4, 0, 3, 0, 3, 5, 2, 4, 0, 0, 6, 1, 0, 0, 2, 6, 6, 3, 0, 21, 6, 4, 6, 3, 3, 7, 2, 1, 0, 3, 6, 6, 7, 0, 8, 7, 7, 0, 0, 6, 5});
    time("map gelu (erf)", map, {a}, {y}, {4, 6, 0, 1, 0.70710678, 0, 0, 3, 2, 0, 1, 0, 15, 2, 2, 0, 0, 0, 1, 0.5, 0, 0, 21, 2, 2, 1, 1, 3, 3, 0, 2, 0, 3});
    time("map exp", map, {a}, {y}, {2, 1, 9, 1, 0, 0, 0, 1});
    time("map tanh", map, {a}, {y}, {2, 1, 13, 1, 0, 0, 0, 1});
    time("map gelu", map, {a}, {y}, {2, 1, 27, 1, 0, 0, 0, 1});
    time("map gelu backward", map, {a, d}, {y}, {4, 2, 28, 2, 0, 0, 0, 3, 3, 1, 2, 0, 3});
    const View x = tensor({N, C}, type), w = tensor({C}, type), dy = tensor({N, C}, type), out = tensor({N, C}, type), dx = tensor({N, C}, type), mean = tensor({N}), rstd = tensor({N}), dw = tensor({C}), db = tensor({C});
    time("rmsNorm", rmsNorm, {x, w}, {out, rstd}, {1e-5});
    time("rmsNormBackward", rmsNormBackward, {x, w, rstd, dy, View{}}, {dx, dw}, {});
    time("layerNorm", layerNorm, {x, w, w}, {out, mean, rstd}, {1e-5});
    time("layerNormBackward", layerNormBackward, {x, w, mean, rstd, dy, View{}}, {dx, dw, db}, {});
    View heads = x, headsOut = out;
    for (View* v : {&heads, &headsOut}) { v->rank = 3; v->shape[1] = 6; v->shape[2] = 64; }
    const View positions = tensor({N}, DType::i32), cos = tensor({1000, 32}), sin = tensor({1000, 32});
    time("rope", rope, {heads, positions, cos, sin}, {headsOut}, {0, 0});
    time("rope interleaved", rope, {heads, positions, cos, sin}, {headsOut}, {0, 1});
    const View table = tensor({1000, C}, type);
    time("gather", gather, {table, positions}, {out}, {});
    time("scatter add", scatter, {table, positions, x}, {table}, {1});
    View sum = dw;
    sum.rank = 2; sum.shape[0] = 1; sum.shape[1] = C;
    time("reduce rows", reduce, {x}, {sum}, {0, 0});
    const View turned = tensor({F, N}, type);
    time("permute 1,0", permute, {a}, {turned}, {1, 0});
  }
  const View p = tensor({4 << 20}), g = tensor({4 << 20}), m = tensor({4 << 20}), v = tensor({4 << 20}), lr = tensor({1}), step = tensor({1}, DType::i32), scale = tensor({1}), norm = tensor({1});
  for (int64_t i = 0; i < v.size(); i++) v.as<float>()[i] = 0.5f;
  step.as<int32_t>()[0] = 7;
  time("adamw 4M", adamw, {p, g, m, v, lr, step, scale}, {p, m, v}, {0.9, 0.95, 1e-8, 0.1});
  time("globalNorm 4M", globalNorm, {g}, {norm}, {});
}
