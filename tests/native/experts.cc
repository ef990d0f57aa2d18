// Checks the operators over experts: routing against a sort, products against `linear` on each expert's rows (the same
// bits) in f32, bf16 and a block format, their gradients against float64, reorder there and back; strides, experts without
// rows, no tokens, numbers and offsets that make no sense; the same bits for 1, 2 and 4 threads. See README.md.
#include <algorithm>

#include "check.h"

#include "../../native/cpu/grouped-linear-grad.cc"
#include "../../native/cpu/grouped-linear.cc"
#include "../../native/cpu/linear.cc"
#include "../../native/cpu/reorder.cc"
#include "../../native/cpu/route.cc"

using namespace check;

namespace {

Pool pools[] = {Pool(1), Pool(2), Pool(4)};

size_t scratch(int threads, DType out, int64_t rows, int64_t k) {
  return size_t(std::max(gemm::workspaceBytes(out == DType::bf16, threads), rows * quant::tokenBytes(DType::q8_0, k)));
}

// Calls body for each number of threads; hash() must be the same after each.
void sameBits(const std::string& what, const std::function<void(Pool&)>& body, const std::function<uint64_t()>& hash) {
  uint64_t first = 0;
  for (Pool& pool : pools) {
    body(pool);
    if (&pool == pools) first = hash();
    expect(hash() == first, what + ": other bits with more threads");
  }
}

std::vector<int64_t> bestOf(const std::vector<double>& values, std::vector<int64_t> among, int64_t k) {
  std::stable_sort(among.begin(), among.end(), [&](int64_t i, int64_t j) {
    const double a = values[size_t(i)], b = values[size_t(j)];
    return std::isnan(a) != std::isnan(b) ? std::isnan(a) : a > b;
  });
  among.resize(size_t(k));
  return among;
}

void checkRoute(Random& random, int64_t n) {
  const int64_t nGroups = 1 + random.below(4), top = 1 + random.below(nGroups), size = 1 + random.below(9), count = nGroups * size;
  const int64_t k = 1 + random.below(std::min<int64_t>(8, top * size));
  Tensor scores({n, count}, random.below(2) ? DType::f32 : DType::bf16, random.below(3));
  scores.fill([&](int64_t) { return random.below(30) == 0 ? std::nan("") : double(random.below(7)) - 3; });
  Tensor experts({n, k}, DType::i32, random.below(3)), tokens({n, k}, DType::i32), order({n, k}, DType::i32, 1), places({n, k}, DType::i32), offsets({count + 1}, DType::i32);
  sameBits("route", [&](Pool& pool) {
    run(route, pool, {scores.view}, {experts.view, tokens.view, order.view, places.view, offsets.view}, {double(k), double(nGroups), double(top)},
        size_t(16 * n * nGroups + 8 * count));
  }, [&] { return experts.hash() ^ tokens.hash() ^ order.hash() ^ places.hash() ^ offsets.hash(); });
  std::vector<std::pair<int64_t, int64_t>> pairs;  // expert, pair
  for (int64_t i = 0; i < n; i++) {
    std::vector<double> row, strengths;
    std::vector<int64_t> groups, allowed;
    for (int64_t e = 0; e < count; e++) row.push_back(scores.get(i * count + e));
    for (int64_t g = 0; g < nGroups; g++) {
      std::vector<int64_t> members;
      for (int64_t e = 0; e < size; e++) members.push_back(g * size + e);
      double sum = 0;
      for (int64_t e : bestOf(row, members, std::min<int64_t>(2, size))) sum += row[size_t(e)];
      strengths.push_back(sum), groups.push_back(g);
    }
    auto kept = bestOf(strengths, groups, top);
    std::sort(kept.begin(), kept.end());
    for (int64_t g : kept) for (int64_t e = 0; e < size; e++) allowed.push_back(g * size + e);
    const auto want = bestOf(row, allowed, k);
    for (int64_t j = 0; j < k; j++) {
      expect(experts.get(i * k + j) == double(want[size_t(j)]), "route: experts");
      pairs.emplace_back(want[size_t(j)], i * k + j);
    }
  }
  std::stable_sort(pairs.begin(), pairs.end(), [](auto a, auto b) { return a.first < b.first; });
  for (int64_t r = 0; r < n * k; r++) {
    const auto [expert, pair] = pairs[size_t(r)];
    expect(order.get(r) == double(pair) && tokens.get(r) == double(pair / k) && places.get(pair) == double(r), "route: order");
    expect(offsets.get(expert) <= double(r) && double(r) < offsets.get(expert + 1), "route: offsets");
  }
  expect(offsets.get(0) == 0 && offsets.get(count) == double(n * k), "route: ends");
}

void checkReorder(Random& random, int64_t n) {
  const int64_t k = 1 + random.below(4), width = 1 + random.below(40);
  Tensor x({n, k, width}, random.below(2) ? DType::f32 : DType::bf16, random.below(3)), y({n, k, width}, x.view.dtype, random.below(3));
  Tensor ids({n, k}, DType::i32, random.below(2));
  x.normal(random);
  ids.fill([&](int64_t) { return double(random.below(n * k + 3) - 1); });
  sameBits("reorder", [&](Pool& pool) { run(reorder, pool, {x.view, ids.view, ids.view}, {y.view}, {}); }, [&] { return y.hash(); });
  for (int64_t i = 0; i < n * k * width; i++) {
    const int64_t id = int64_t(ids.get(i / width));
    const double want = id < 0 || id >= n * k ? std::nan("") : x.get(id * width + i % width);
    expect(std::isnan(want) ? std::isnan(y.get(i)) : y.get(i) == want, "reorder");
  }
}

// Rows and offsets among them; sometimes such that make no sense.
struct Rows {
  int64_t n, k, experts;
  Tensor offsets;
  Rows(Random& random, int64_t n) : n(n), k(1 + random.below(3)), experts(1 + random.below(5)), offsets({experts + 1}, DType::i32) {
    std::vector<int64_t> ends{0, n * k};
    for (int64_t e = 1; e < experts; e++) ends.push_back(random.below(n * k + 1));
    std::sort(ends.begin(), ends.end());
    const bool nonsense = random.below(4) == 0;
    offsets.fill([&](int64_t i) { return nonsense ? double(random.below(n * k + 7) - 3) : double(ends[size_t(i)]); });
  }
  int64_t bound(int64_t i) const { return std::max<int64_t>(0, std::min<int64_t>(n * k, int64_t(offsets.get(i)))); }
};

View rowAt(const Tensor& t, int64_t row) { return rowsOf(t.view, row, 1); }

void checkProduct(Random& random, int64_t tokens) {
  const Rows rows(random, tokens);
  const int kind = int(random.below(3));  // f32, bf16, q8_0
  const bool transposed = kind != 2 && random.below(2);
  const int64_t k = kind == 2 ? 32 * (1 + random.below(3)) : 1 + random.below(300), m = 1 + random.below(70);
  Tensor x({rows.n, rows.k, k}, random.below(2) ? DType::f32 : DType::bf16, random.below(3));
  Tensor y({rows.n, rows.k, m}, random.below(2) ? DType::f32 : DType::bf16, random.below(3)), alone({1, m}, y.view.dtype);
  x.normal(random);
  std::vector<Tensor> weights;
  std::vector<View> in{x.view, rows.offsets.view};
  for (int64_t e = 0; e < rows.experts; e++) {
    if (kind == 2) {
      weights.emplace_back(std::vector<int64_t>{m, k / 32 * 34 / 2}, DType::bf16);  // its bytes: any blocks with finite scales
      for (int64_t i = 0; i < weights.back().size(); i++) weights.back().view.as<bf16>()[i] = bf16(0x1c00 + random.below(0x0800));
    } else {
      weights.emplace_back(transposed ? std::vector<int64_t>{k, m} : std::vector<int64_t>{m, k}, kind == 0 ? DType::f32 : DType::bf16);
      weights.back().normal(random);
    }
    View w = weights.back().view;
    if (kind == 2) w.dtype = DType::q8_0, w.shape[1] = w.stride0 = k;
    in.push_back(w);
  }
  sameBits("groupedLinear", [&](Pool& pool) {
    run(groupedLinear, pool, in, {y.view}, {double(transposed)}, scratch(pool.threads(), y.view.dtype, rows.n * rows.k, k));
  }, [&] { return y.hash(); });
  for (int64_t r = 0; r < rows.n * rows.k; r++) {
    int64_t expert = -1;
    for (int64_t e = 0; e < rows.experts; e++) if (rows.bound(e) <= r && r < rows.bound(e + 1)) expert = e;
    if (expert < 0) {
      expect(std::isnan(y.get(r * m)) && std::isnan(y.get(r * m + m - 1)), "groupedLinear: a row of no expert");
      continue;
    }
    if (transposed) {
      for (int64_t j = 0; j < m; j++) {
        double sum = 0, size = 0;
        for (int64_t i = 0; i < k; i++) {
          const double term = x.get(r * k + i) * weights[size_t(expert)].get(i * m + j);
          sum += term, size += std::fabs(term);
        }
        const double bound = 1e-6 * size + (y.view.dtype == DType::bf16 ? 0x1p-8 * std::fabs(sum) : 0);
        expect(std::fabs(y.get(r * m + j) - sum) <= bound, "groupedLinear, transposed");
      }
      continue;
    }
    run(linear, pools[0], {rowAt(x, r), in[size_t(2 + expert)]}, {alone.view}, {}, scratch(1, y.view.dtype, 1, k));
    for (int64_t j = 0; j < m; j++) expect(y.get(r * m + j) == alone.get(j), "groupedLinear: other bits than linear");
  }
}

void checkGradient(Random& random, int64_t tokens) {
  const Rows rows(random, tokens);
  const int64_t m = 1 + random.below(40), k = 1 + random.below(40);
  Tensor a({rows.n, rows.k, m}, random.below(2) ? DType::f32 : DType::bf16, random.below(3)), b({rows.n, rows.k, k}, DType::f32, random.below(3));
  a.normal(random), b.normal(random);
  std::vector<Tensor> dw;
  std::vector<View> out;
  for (int64_t e = 0; e < rows.experts; e++) out.push_back(dw.emplace_back(std::vector<int64_t>{m, k}).view);
  sameBits("groupedLinearGrad", [&](Pool& pool) {
    run(groupedLinearGrad, pool, {a.view, b.view, rows.offsets.view}, out, {}, scratch(pool.threads(), DType::f32, 0, 0));
  }, [&] { uint64_t h = 0; for (const Tensor& t : dw) h = h * 31 + t.hash(); return h; });
  for (int64_t e = 0; e < rows.experts; e++) {
    std::vector<double> want(size_t(m * k));
    for (int64_t r = rows.bound(e); r < rows.bound(e + 1); r++)
      for (int64_t i = 0; i < m * k; i++) want[size_t(i)] += a.get(r * m + i / k) * b.get(r * k + i % k);
    expectClose(dw[size_t(e)], want, 1e-5 * double(1 + rows.n), 1e-5, "groupedLinearGrad");
  }
}

}  // namespace

int main() {
  for (int i = 0; i < rounds(300); i++) {
    Random random{uint64_t(i)};
    const int64_t n = random.below(6) == 0 ? random.below(2) : 1 + random.below(20);
    checkRoute(random, n);
    checkReorder(random, n);
    checkProduct(random, n);
    checkGradient(random, n);
  }
  return report("experts");
}
