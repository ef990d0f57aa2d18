// Checks linearCrossEntropy and linearCrossEntropyGrad of one instruction set against float64: vocabularies and numbers
// of tokens around the blocks' and chunks' borders, masked tokens, f32 and bf16, addends, the same bits for 1 and 3
// threads, and that exactly the workspace of the documented formula is used. See README.md.
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <vector>

#include "../../native/cpu/linear-cross-entropy-grad.cc"
#include "../../native/cpu/linear-cross-entropy.cc"

using namespace athanor;
using namespace athanor::ATHANOR_ISA;

namespace {

std::mt19937 random_(11);
int failures = 0;

void expect(bool ok, const char* what, const char* where) {
  if (ok) return;
  if (failures++ < 20) std::printf("FAILED %s: %s\n", what, where);
}

struct Tensor {
  std::vector<float> wide;
  std::vector<ATHANOR_ISA::bf16> half;
  View view{};
  Tensor(int64_t rows, int64_t cols, bool isHalf, float scale) : wide(size_t(rows * cols)), half(isHalf ? wide.size() : 0) {
    std::normal_distribution<float> normal(0, scale);
    for (size_t i = 0; i < wide.size(); i++) {
      wide[i] = normal(random_);
      if (isHalf) wide[i] = fromBf16(half[i] = toBf16(wide[i]));
    }
    view.dtype = isHalf ? DType::bf16 : DType::f32;
    view.rank = cols == 1 ? 1 : 2;
    view.shape[0] = rows, view.shape[1] = cols, view.stride0 = cols;
    view.data = isHalf ? static_cast<void*>(half.data()) : wide.data();
  }
  float at(size_t i) const { return view.dtype == DType::bf16 ? fromBf16(half[i]) : wide[i]; }
};

void call(Kernel kernel, std::vector<View> in, std::vector<View> out, int threads, double softcap = 0) {
  Pool pool(threads);
  const int64_t n = in[0].shape[0], v = in[1].shape[0];
  const int64_t most = std::max<int64_t>(256, (1 << 21) / v / 16 * 16), ld = (std::min(n, most) + 15) / 16 * 16 + 16;
  const bool dhIsBf16 = out.size() > 2 && out[2].dtype == DType::bf16;
  const size_t bytes = size_t(gemm::workspaceBytes(dhIsBf16, threads) + 4 * ld * (v + 2 * ((v + 255) / 256) + 2));
  std::byte* workspace = static_cast<std::byte*>(std::aligned_alloc(64, (bytes + 64 + 63) / 64 * 64));
  for (size_t i = 0; i < bytes; i++) workspace[i] = std::byte(0xff);
  for (int i = 0; i < 64; i++) workspace[bytes + i] = std::byte(0x5a);
  kernel({in.data(), out.data(), &softcap, workspace, &pool, int32_t(in.size()), int32_t(out.size()), 1, bytes});
  for (int i = 0; i < 64; i++) expect(workspace[bytes + i] == std::byte(0x5a), "workspace", "written beyond its end");
  std::free(workspace);
}

struct Case { int64_t n, v, c; bool half, dhHalf, addend; double softcap = 0; };

void check(const Case& s) {
  char where[100];
  std::snprintf(where, sizeof where, "n %d v %d c %d bf16 %d%d addend %d cap %g", int(s.n), int(s.v), int(s.c), s.half, s.dhHalf, s.addend, s.softcap);
  Tensor h(s.n, s.c, s.half, 1), w(s.v, s.c, s.half, 0.5f), d(s.n, 1, false, 1), dw(s.v, s.c, false, 1), dh(s.n, s.c, s.dhHalf, 1);
  Tensor logprob(s.n, 1, false, 1), lse(s.n, 1, false, 1), logprob2(logprob), lse2(lse);
  logprob2.view.data = logprob2.wide.data(), lse2.view.data = lse2.wide.data();
  std::vector<int32_t> targets(size_t(s.n));
  for (auto& t : targets) t = random_() % 5 == 0 ? -100 : int32_t(random_() % unsigned(s.v));
  View targetView{};
  targetView.dtype = DType::i32, targetView.rank = 1, targetView.shape[0] = s.n, targetView.stride0 = 1, targetView.data = targets.data();
  const std::vector<float> before = dw.wide;
  const std::vector<View> in = {h.view, w.view, targetView, d.view, s.addend ? dw.view : View{}};
  const std::vector<View> out = {logprob.view, lse.view, dh.view, dw.view};
  call(linearCrossEntropyGrad, in, out, 3, s.softcap);
  const std::vector<float> dw3 = dw.wide, dh3 = dh.wide, logprob3 = logprob.wide;
  const std::vector<ATHANOR_ISA::bf16> dhHalf3 = dh.half;
  dw.wide = before;  // same storage: sizes are equal
  call(linearCrossEntropyGrad, in, out, 1, s.softcap);
  expect(dw.wide == dw3 && dh.wide == dh3 && dh.half == dhHalf3 && logprob.wide == logprob3, "same bits for any number of threads", where);
  call(linearCrossEntropy, {h.view, w.view, targetView}, {logprob2.view, lse2.view}, 2, s.softcap);
  expect(logprob2.wide == logprob.wide && lse2.wide == lse.wide, "forward alone gives the same bits", where);

  std::vector<double> wantDw(before.size(), 0), wantDh(size_t(s.c)), sizeDh(size_t(s.c)), p(size_t(s.v)), sizeDw(before.size(), 0);
  if (s.addend) for (size_t i = 0; i < before.size(); i++) wantDw[i] = before[i], sizeDw[i] = std::fabs(before[i]);
  for (int64_t i = 0; i < s.n; i++) {
    double top = -1e300, total = 0, size = 0;
    for (int64_t v = 0; v < s.v; v++) {
      double x = 0;
      for (int64_t c = 0; c < s.c; c++) x += double(h.at(size_t(i * s.c + c))) * w.at(size_t(v * s.c + c)), size = std::max(size, std::fabs(x));
      if (s.softcap > 0) x = s.softcap * std::tanh(x / s.softcap);
      p[size_t(v)] = x, top = std::max(top, x);
    }
    for (int64_t v = 0; v < s.v; v++) total += std::exp(p[size_t(v)] - top);
    const double want = top + std::log(total);
    // Logits carry about √C roundings of their size; softmax passes them on once.
    const double error = 4 * std::sqrt(double(s.c + 64)) * std::ldexp(1.0, -24) * (size + 1);
    expect(std::fabs(lse.at(size_t(i)) - want) <= error + std::fabs(want) * 1e-7, "lse", where);
    const int32_t t = targets[size_t(i)];
    expect(std::fabs(logprob.at(size_t(i)) - (t < 0 ? 0 : p[size_t(t)] - want)) <= 2 * error + std::fabs(want) * 2e-7, "logprob", where);
    const double weight = t < 0 ? 0 : d.at(size_t(i));
    // An error of the lse or a logit changes p by p times as much, also where onehot − p nearly vanishes.
    std::fill(wantDh.begin(), wantDh.end(), 0.0);
    std::fill(sizeDh.begin(), sizeDh.end(), 0.0);
    for (int64_t v = 0; v < s.v; v++) {
      const double q = std::exp(p[size_t(v)] - want), slope = s.softcap > 0 ? 1 - p[size_t(v)] * p[size_t(v)] / (s.softcap * s.softcap) : 1;
      const double g = weight * ((v == t) - q) * slope, bound = std::fabs(weight) * ((v == t) + q);
      for (int64_t c = 0; c < s.c; c++) {
        wantDh[size_t(c)] += g * w.at(size_t(v * s.c + c));
        sizeDh[size_t(c)] += std::fabs(bound * w.at(size_t(v * s.c + c)));
        wantDw[size_t(v * s.c + c)] += g * h.at(size_t(i * s.c + c));
        sizeDw[size_t(v * s.c + c)] += std::fabs(bound * h.at(size_t(i * s.c + c)));
      }
    }
    for (int64_t c = 0; c < s.c; c++)
      expect(std::fabs(dh.at(size_t(i * s.c + c)) - wantDh[size_t(c)]) <= 2 * error * sizeDh[size_t(c)] + 1e-30 + (s.dhHalf ? std::fabs(wantDh[size_t(c)]) / 256 : 0), "dh", where);
  }
  const double relative = 16 * std::sqrt(double(s.c + s.n + 64)) * std::ldexp(1.0, -24);
  for (size_t i = 0; i < wantDw.size(); i++) expect(std::fabs(dw.at(i) - wantDw[i]) <= relative * sizeDw[i] + 1e-30, "dw", where);
}

// Logits that are not finite in a token without a target must not reach dw.
void checkMasked() {
  Tensor h(3, 8, false, 1), w(20, 8, false, 1), d(3, 1, false, 1), dw(20, 8, false, 1), dh(3, 8, false, 1), a(3, 1, false, 1), b(3, 1, false, 1);
  h.wide[8] = NAN;
  int32_t targets[3] = {4, -1, 19};
  View t{};
  t.dtype = DType::i32, t.rank = 1, t.shape[0] = 3, t.stride0 = 1, t.data = targets;
  call(linearCrossEntropyGrad, {h.view, w.view, t, d.view, View{}}, {a.view, b.view, dh.view, dw.view}, 1);
  expect(std::isnan(b.wide[1]) && a.wide[1] == 0, "lse says NaN, logprob stays 0", "masked");
  for (int i = 0; i < 8; i++) expect(dh.wide[size_t(8 + i)] == 0, "dh is 0", "masked");
}

}  // namespace

int main() {
  int cases = 0;
  for (int64_t n : {0, 1, 2, 15, 17, 64, 255, 257, 530})
    for (int64_t v : {1, 3, 65, 255, 256, 257, 1000})
      check({n, v, 1 + int64_t(random_() % 60), cases % 4 == 3, cases % 3 == 1, cases % 2 == 0, cases % 5 == 2 ? 3.0 : 0}), cases++;
  // Several chunks of tokens, with and without something to add to; and several blocks of K.
  check({600, 9000, 33, false, false, true}), check({530, 9001, 17, true, true, false}), check({300, 2300, 520, true, true, false}), cases += 3;
  checkMasked();
  std::printf("%d cases, %d failures\n", cases, failures);
  return failures == 0 ? 0 : 1;
}
