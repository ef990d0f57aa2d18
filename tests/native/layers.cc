// Checks rmsNorm, layerNorm, their gradients, rope, adamw and globalNorm against double references.
#include "check.h"
#include "../../native/cpu/adamw.cc"
#include "../../native/cpu/global-norm.cc"
#include "../../native/cpu/layer-norm-backward.cc"
#include "../../native/cpu/layer-norm.cc"
#include "../../native/cpu/rms-norm-backward.cc"
#include "../../native/cpu/rms-norm.cc"
#include "../../native/cpu/rope.cc"

using namespace check;

namespace {

DType anyFloat(Random& random) { return random.below(3) == 0 ? DType::bf16 : DType::f32; }
int64_t gapOf(Random& random) { return random.below(3) == 0 ? random.below(7) : 0; }

// Both norms: rms has neither mean nor bias, and may have rows of [N, H, C].
void norms(Pool& pool, Pool& other, int seed, bool rms) {
  Random random(uint64_t(seed) * 2 + rms);
  const int64_t rowChoices[] = {0, 1, 2, 15, 17, 64, 130, 1100}, colChoices[] = {1, 2, 7, 8, 31, 64, 97, 384};
  const int64_t N = rowChoices[random.below(8)], C = colChoices[random.below(8)];
  const double eps = 1e-5;
  const int64_t heads = rms && N % 2 == 0 && random.below(2) ? 2 : 1;
  const auto shape = heads > 1 ? std::vector<int64_t>{N / heads, heads, C} : std::vector<int64_t>{N, C};
  const bool hasBias = !rms && random.below(2), adds = random.below(2), over = adds && random.below(2);
  Tensor x(shape, anyFloat(random), gapOf(random)), w({C}, anyFloat(random)), b({C}, anyFloat(random)), dy(shape, anyFloat(random), gapOf(random));
  Tensor y(shape, anyFloat(random), gapOf(random)), mean({N}), rstd(heads > 1 ? std::vector<int64_t>{N / heads, heads} : std::vector<int64_t>{N});
  x.normal(random, 2); w.normal(random); b.normal(random); dy.normal(random);
  std::vector<double> wantY, wantMean, wantRstd, wantDx, dw(size_t(C), 0), db(size_t(C), 0);
  Tensor dx(shape, anyFloat(random), gapOf(random)), addend(shape, over ? dx.view.dtype : anyFloat(random), gapOf(random)), dx2(shape, dx.view.dtype);
  addend.normal(random);
  for (int64_t i = 0; i < N; i++) {
    double m = 0, square = 0, meanG = 0, dot = 0;
    for (int64_t c = 0; c < C && !rms; c++) m += x.get(i * C + c) / double(C);
    for (int64_t c = 0; c < C; c++) square += (x.get(i * C + c) - m) * (x.get(i * C + c) - m) / double(C);
    const double r = 1 / std::sqrt(square + eps);
    wantMean.push_back(m);
    wantRstd.push_back(r);
    for (int64_t c = 0; c < C; c++) {
      const double h = (x.get(i * C + c) - m) * r, g = w.get(c) * dy.get(i * C + c);
      wantY.push_back(h * w.get(c) + (hasBias ? b.get(c) : 0));
      if (!rms) meanG += g / double(C);
      dot += g * h / double(C);
      dw[size_t(c)] += dy.get(i * C + c) * h;
      db[size_t(c)] += dy.get(i * C + c);
    }
    for (int64_t c = 0; c < C; c++) {
      const double h = (x.get(i * C + c) - m) * r, g = w.get(c) * dy.get(i * C + c);
      wantDx.push_back(r * (g - meanG - h * dot) + (adds ? addend.get(i * C + c) : 0));
    }
  }
  const std::string what = std::string(rms ? "rmsNorm" : "layerNorm") + " seed " + std::to_string(seed) + " " + std::to_string(N) + "x" + std::to_string(C);
  Tensor dweight({C}), dbias({C}), dweight2({C}), dbias2({C});
  const size_t bytes = size_t(ceilDiv(N, std::max<int64_t>(16, ceilDiv(N, 64))) * C * 4 * (rms ? 1 : 2));
  const View plus = adds ? addend.view : absent, to = over ? addend.view : dx.view;
  if (rms) {
    run(rmsNorm, pool, {x.view, w.view}, {y.view, rstd.view}, {eps});
    run(rmsNormBackward, other, {x.view, w.view, rstd.view, dy.view, plus}, {dx2.view, dweight2.view}, {}, bytes);
    run(rmsNormBackward, pool, {x.view, w.view, rstd.view, dy.view, plus}, {to, dweight.view}, {}, bytes);
  } else {
    run(layerNorm, pool, {x.view, w.view, hasBias ? b.view : absent}, {y.view, mean.view, rstd.view}, {eps});
    run(layerNormBackward, other, {x.view, w.view, mean.view, rstd.view, dy.view, plus}, {dx2.view, dweight2.view, dbias2.view}, {}, bytes);
    run(layerNormBackward, pool, {x.view, w.view, mean.view, rstd.view, dy.view, plus}, {to, dweight.view, dbias.view}, {}, bytes);
    expectClose(mean, wantMean, 1e-6, 1e-6, what + " mean");
    expectClose(dbias, db, 3e-5, 1e-5, what + " dbias");
    expect(dbias.hash() == dbias2.hash(), what + ": other dbias bits with other threads");
  }
  // A row of one or two elements that nearly cancel has a large rstd: its gradients lose the digits that dx cancels.
  expectClose(y, wantY, 1e-5, 1e-5, what + " y");
  expectClose(rstd, wantRstd, 0, C < 3 ? 1e-4 : 2e-6, what + " rstd");
  const double loose = C < 3 ? 0.05 : 1;
  if (C >= 7) expectClose(over ? addend : dx, wantDx, 4e-5 * loose, 3e-5, what + " dx");
  expectClose(dweight, dw, C < 3 ? 1e-3 : 1e-4, C < 3 ? 1e-3 : 1e-5, what + " dweight");
  expect((over ? addend : dx).hash() == dx2.hash() && dweight.hash() == dweight2.hash(), what + ": other bits with other threads or in place");
}

void ropes(Pool& pool, int seed) {
  Random random(uint64_t(seed) + 5000);
  const int64_t N = random.below(40), H = 1 + random.below(5), half = random.below(2) ? random.below(40) : random.below(9), T = 50;
  const int64_t D = 2 * half + (random.below(2) ? random.below(7) : 0);
  const bool inverse = random.below(2), interleaved = random.below(2), over = random.below(2);
  Tensor x({N, H, D}, anyFloat(random), gapOf(random)), y({N, H, D}, over ? x.view.dtype : anyFloat(random), gapOf(random));
  Tensor positions({N}, DType::i32), cosines({T, half}, DType::f32, gapOf(random)), sines({T, half});
  x.normal(random);
  cosines.normal(random);
  sines.normal(random);
  positions.fill([&](int64_t) { return double(random.below(T + (seed % 5 == 0))); });
  std::vector<double> want = x.values();
  for (int64_t i = 0; i < N * H; i++) {
    const int64_t position = int64_t(positions.get(i / H));
    for (int64_t j = 0; j < D && position >= T; j++) want[size_t(i * D + j)] = NAN;
    for (int64_t j = 0; j < half && position < T; j++) {
      const int64_t a = i * D + (interleaved ? 2 * j : j), b = i * D + (interleaved ? 2 * j + 1 : j + half);
      const double c = cosines.get(position * half + j), s = sines.get(position * half + j) * (inverse ? -1 : 1);
      want[size_t(a)] = x.get(a) * c - x.get(b) * s;
      want[size_t(b)] = x.get(b) * c + x.get(a) * s;
    }
  }
  run(rope, pool, {x.view, positions.view, cosines.view, sines.view}, {over ? x.view : y.view}, {double(inverse), double(interleaved)});
  expectClose(over ? x : y, want, 1e-5, 1e-6, "rope seed " + std::to_string(seed));
}

void optimizers(Pool& pool, Pool& other, int seed) {
  Random random(uint64_t(seed) + 6000);
  const int64_t N = random.below(9) * 7, C = seed == 3 ? 9000 : 1 + random.below(70), gap = gapOf(random);
  Tensor p({N, C}, DType::f32, gap), g({N, C}, DType::f32, gapOf(random)), m({N, C}, DType::f32, gap), v({N, C}, DType::f32, gap), lr({1}), step({1}, DType::i32), scale({1});
  p.normal(random); g.normal(random); m.normal(random, 0.1);
  v.fill([&](int64_t) { return random.uniform(); });
  lr.set(0, 0.01); step.set(0, double(1 + random.below(50))); scale.set(0, 0.7);
  const double b1 = 0.9, b2 = 0.95, eps = 1e-8, wd = 0.1, t = step.get(0);
  std::vector<double> wantP, wantM, wantV;
  for (int64_t i = 0; i < N * C; i++) {
    const double grad = g.get(i) * scale.get(0), m1 = b1 * m.get(i) + (1 - b1) * grad, v1 = b2 * v.get(i) + (1 - b2) * grad * grad;
    wantM.push_back(m1);
    wantV.push_back(v1);
    wantP.push_back(p.get(i) * (1 - lr.get(0) * wd) - lr.get(0) * (m1 / (1 - std::pow(b1, t))) / (std::sqrt(v1 / (1 - std::pow(b2, t))) + eps));
  }
  double square = 0;
  for (const Tensor* x : {&p, &g, &m})
    for (int64_t i = 0; i < N * C; i++) square += x->get(i) * x->get(i);
  Tensor norm({1}), norm2({1});
  size_t bytes = 0;
  for (const Tensor* x : {&p, &g, &m}) bytes += size_t(x->view.contiguous() ? ceilDiv(N * C, 16384) : N * ceilDiv(C, 16384)) * 8;
  run(globalNorm, pool, {p.view, g.view, m.view}, {norm.view}, {}, bytes);
  run(globalNorm, other, {p.view, g.view, m.view}, {norm2.view}, {}, bytes);
  expectClose(norm, {std::sqrt(square)}, 0, 1e-7, "globalNorm seed " + std::to_string(seed));
  expect(norm.hash() == norm2.hash(), "globalNorm: other bits with other threads");
  run(adamw, pool, {p.view, g.view, m.view, v.view, lr.view, step.view, scale.view}, {p.view, m.view, v.view}, {b1, b2, eps, wd});
  const std::string what = "adamw seed " + std::to_string(seed);
  expectClose(p, wantP, 1e-6, 1e-6, what + " p");
  expectClose(m, wantM, 1e-7, 1e-6, what + " m");
  expectClose(v, wantV, 1e-7, 1e-6, what + " v");
}

}  // namespace

int main() {
  Pool pool(3), one(1);
  for (int seed = 0; seed < rounds(150); seed++) {
    norms(pool, one, seed, true);
    norms(pool, one, seed, false);
    ropes(pool, seed);
    optimizers(pool, one, seed);
  }
  return report("layers");
}
