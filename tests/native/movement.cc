// Checks the kernels that move or sum data (gather, scatter, concat, permute, fill, iota, reduce) against plain loops.
#include "check.h"
#include "../../native/cpu/concat.cc"
#include "../../native/cpu/fill.cc"
#include "../../native/cpu/gather.cc"
#include "../../native/cpu/iota.cc"
#include "../../native/cpu/permute.cc"
#include "../../native/cpu/reduce.cc"
#include "../../native/cpu/scatter.cc"

using namespace check;

namespace {

DType anyFloat(Random& random) { return random.below(3) == 0 ? DType::bf16 : DType::f32; }
int64_t gapOf(Random& random) { return random.below(3) == 0 ? random.below(7) : 0; }
int64_t sizeOf(Random& random) {
  const int64_t sizes[] = {0, 1, 2, 3, 5, 8, 17, 33, 70, 130};
  return sizes[random.below(10)];
}
// Through the dtype of the destination.
double rounded(double value, DType dtype) { return dtype == DType::bf16 ? fromBf16(toBf16(float(value))) : float(value); }

void gathers(Pool& pool, int seed) {
  Random random{uint64_t(seed)};
  const int64_t V = 1 + sizeOf(random), C = sizeOf(random), A = seed == 5 ? 3000 : sizeOf(random), B = 1 + random.below(3);
  Tensor table({V, C}, anyFloat(random), gapOf(random)), ids({A, B}, DType::i32, gapOf(random)), y({A, B, C}, anyFloat(random), gapOf(random));
  table.normal(random);
  ids.fill([&](int64_t) { return double(random.below(V + 2) - 1); });
  std::vector<double> want;
  for (int64_t i = 0; i < A * B; i++)
    for (int64_t c = 0; c < C; c++) {
      const int64_t id = int64_t(ids.get(i));
      want.push_back(id < 0 ? 0 : id >= V ? NAN : table.get(id * C + c));
    }
  run(gather, pool, {table.view, ids.view}, {y.view}, {});
  expectClose(y, want, 0, 0, "gather seed " + std::to_string(seed));
}

void scatters(Pool& pool, int seed) {
  Random random{uint64_t(seed) + 1000};
  const bool add = seed % 2 == 0;
  const int64_t V = 1 + sizeOf(random), C = seed % 7 == 0 ? 700 : sizeOf(random), N = seed % 5 == 0 ? 900 : sizeOf(random);
  const DType type = seed % 11 == 3 ? DType::i32 : anyFloat(random);
  Tensor dest({V, C}, type, gapOf(random)), ids({N}, DType::i32), src({N, C}, type == DType::i32 ? type : anyFloat(random), gapOf(random));
  dest.normal(random, 9);
  src.normal(random, 9);
  ids.fill([&](int64_t) { return double(random.below(V + 2) - 1); });
  std::vector<double> want = dest.values();
  for (int64_t i = 0; i < N; i++)
    for (int64_t c = 0; c < C; c++) {
      const int64_t id = int64_t(ids.get(i));
      if (id < 0 || id >= V) continue;
      double& to = want[size_t(id * C + c)];
      to = type == DType::i32 ? (add ? to + src.get(i * C + c) : src.get(i * C + c)) : rounded(add ? float(to + src.get(i * C + c)) : src.get(i * C + c), type);
    }
  run(scatter, pool, {dest.view, ids.view, src.view}, {dest.view}, {double(add)});
  checks++;
  for (int64_t i = 0; i < V * C; i++)
    if (dest.get(i) != want[size_t(i)]) { failures++; std::printf("FAIL scatter seed %d element %lld: %g not %g\n", seed, (long long)i, dest.get(i), want[size_t(i)]); return; }
}

void concats(Pool& pool, int seed) {
  Random random{uint64_t(seed) + 2000};
  const int rank = 1 + int(random.below(3));
  std::vector<int64_t> shape;
  for (int i = 0; i < rank; i++) shape.push_back(sizeOf(random));
  const size_t axis = random.below(uint64_t(rank));
  const int k = 1 + int(random.below(4));
  std::vector<Tensor> inputs;
  int64_t total = 0;
  for (int i = 0; i < k; i++) {
    shape[axis] = sizeOf(random);
    total += shape[axis];
    inputs.emplace_back(shape, anyFloat(random), rank > 1 ? gapOf(random) : 0);
    inputs.back().normal(random);
  }
  shape[axis] = total;
  Tensor y(shape, anyFloat(random), rank > 1 ? gapOf(random) : 0);
  std::vector<double> want;
  std::vector<View> in;
  for (auto& t : inputs) in.push_back(t.view);
  int64_t inner = 1;
  for (size_t i = axis + 1; i < shape.size(); i++) inner *= shape[i];
  if (total * inner > 0)
    for (int64_t outer = 0; outer < y.size() / (total * inner); outer++)
      for (auto& t : inputs) {
        const int64_t n = t.view.shape[axis] * inner;
        for (int64_t i = 0; i < n; i++) want.push_back(t.get(outer * n + i));
      }
  run(concat, pool, in, {y.view}, {double(axis)});
  expectClose(y, want, 0, 0, "concat seed " + std::to_string(seed));
}

void permutes(Pool& pool, int seed) {
  Random random{uint64_t(seed) + 3000};
  const int rank = 1 + int(random.below(5));
  std::vector<int64_t> shape, out;
  std::vector<double> perm;
  for (int i = 0; i < rank; i++) { shape.push_back(rank > 3 ? random.below(8) : sizeOf(random)); perm.push_back(i); }
  for (int i = rank - 1; i > 0; i--) std::swap(perm[size_t(i)], perm[size_t(random.below(i + 1))]);
  for (const double p : perm) out.push_back(shape[size_t(p)]);
  const DType type = random.below(2) ? DType::bf16 : DType::f32;
  Tensor x(shape, type, gapOf(random)), y(out, type);
  x.normal(random);
  std::vector<double> want;
  for (int64_t at = 0; at < y.size(); at++) {
    int64_t rest = at, step = 1, from = 0;
    std::vector<int64_t> steps(size_t(rank), 1);
    for (int i = rank - 1; i >= 0; i--) { steps[size_t(i)] = step; step *= shape[size_t(i)]; }
    for (int i = rank - 1; i >= 0; i--) { from += rest % out[size_t(i)] * steps[size_t(perm[size_t(i)])]; rest /= out[size_t(i)]; }
    want.push_back(x.get(from));
  }
  run(permute, pool, {x.view}, {y.view}, perm);
  expectClose(y, want, 0, 0, "permute seed " + std::to_string(seed));
}

void reduces(Pool& pool, Pool& other, int seed) {
  Random random{uint64_t(seed) + 4000};
  const int rank = 1 + int(random.below(4)), axis = int(random.below(rank)), kind = int(random.below(2));
  std::vector<int64_t> shape;
  for (int i = 0; i < rank; i++) shape.push_back(rank > 2 ? random.below(20) : sizeOf(random));
  if (seed % 4 == 0) shape[size_t(axis)] = seed % 8 == 0 ? 5000 : 1031;
  if (seed % 4 == 0 && rank > 2) for (int i = 0; i < rank; i++) if (i != axis) shape[size_t(i)] %= 5;
  std::vector<int64_t> out = shape;
  out[size_t(axis)] = 1;
  Tensor x(shape, anyFloat(random), gapOf(random)), y(out), again(out);
  x.normal(random);
  if (seed % 9 == 4 && x.size() > 0) x.set(random.below(x.size()), NAN);
  int64_t inner = 1, n = shape[size_t(axis)];
  for (int i = axis + 1; i < rank; i++) inner *= shape[size_t(i)];
  std::vector<double> want;
  for (int64_t o = 0; o < y.size() / std::max<int64_t>(inner, 1); o++)
    for (int64_t c = 0; c < inner; c++) {
      double total = kind == 1 ? -INFINITY : 0;
      for (int64_t i = 0; i < n; i++) {
        const double v = x.get((o * n + i) * inner + c);
        total = kind == 0 ? total + v : v != v || total != total ? NAN : std::max(total, v);
      }
      want.push_back(total);
    }
  const int64_t pieces = n < 256 ? 0 : ceilDiv(n, std::max<int64_t>(128, ceilDiv(n, 32)));
  const int64_t outer = y.size() / std::max<int64_t>(inner, 1);
  const size_t bytes = outer * ceilDiv(inner, 64) >= 64 ? 0 : size_t(pieces > 1 ? pieces * outer * inner * 4 : 0);
  run(reduce, pool, {x.view}, {y.view}, {double(kind), double(axis)}, bytes);
  run(reduce, other, {x.view}, {again.view}, {double(kind), double(axis)}, bytes);
  expectClose(y, want, 2e-4, 1e-5, "reduce seed " + std::to_string(seed));
  expect(y.hash() == again.hash(), "reduce: other bits with other threads, seed " + std::to_string(seed));
}

void constants(Pool& pool) {
  for (const DType type : {DType::f32, DType::bf16, DType::i32})
    for (int64_t n = 0; n < 2 * LANES + 2; n++) {
      Tensor y({3, n}, type, 2), count({3, n}, type);
      run(fill, pool, {}, {y.view}, {2.5});
      run(iota, pool, {}, {count.view}, {});
      bool ok = true;
      for (int64_t i = 0; i < 3 * n; i++) ok = ok && y.get(i) == (type == DType::i32 ? 2 : 2.5) && count.get(i) == double(i);
      expect(ok, "fill or iota of " + std::to_string(n));
    }
}

}  // namespace

int main() {
  Pool pool(3), one(1);
  for (int seed = 0; seed < rounds(200); seed++) {
    gathers(pool, seed);
    scatters(pool, seed);
    concats(pool, seed);
    permutes(pool, seed);
    reduces(pool, one, seed);
  }
  constants(pool);
  return report("movement");
}
