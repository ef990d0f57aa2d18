// Checks attention, its gradient and pagedAttention against double references: documents, windows, caps, grouped heads,
// odd sizes, row strides, bf16; the same bits for any number of threads and, for pagedAttention, any company.
#include "check.h"
#include "../../native/cpu/attention-backward.cc"
#include "../../native/cpu/attention.cc"

using namespace check;

namespace {

struct Case {
  int64_t N, H, KV, D, Dv, window;
  double scale, softcap;
  std::vector<int64_t> starts;
};

Case draw(Random& random, int seed) {
  const int64_t tokens[] = {0, 1, 2, 7, 63, 64, 65, 100, 200, 333}, sizes[] = {1, 3, 4, 8, 16, 20, 33, 64};
  Case c;
  c.N = tokens[random.below(10)];
  if (seed % 40 == 0) c.N = 700;
  c.KV = 1 + random.below(3);
  c.H = c.KV * (1 + random.below(3));
  c.D = sizes[random.below(8)];
  c.Dv = random.below(2) ? c.D : sizes[random.below(8)];
  c.window = random.below(3) == 0 ? 1 + random.below(90) : 0;
  c.softcap = random.below(4) == 0 ? 3 : 0;
  c.scale = 1 / std::sqrt(double(c.D));
  const int64_t longest = random.below(2) ? 1000 : 1 + random.below(150);
  for (int64_t i = 0, start = 0; i < c.N; i++) {
    if (i - start >= longest || (longest < 1000 && random.below(60) == 0)) start = i;
    c.starts.push_back(start);
  }
  return c;
}

struct Reference { std::vector<double> out, lse, dq, dk, dv; };

Reference reference(const Case& c, const Tensor& q, const Tensor& k, const Tensor& v, const Tensor& dout) {
  Reference r;
  r.out.assign(size_t(c.N * c.H * c.Dv), 0); r.lse.assign(size_t(c.N * c.H), 0); r.dq.assign(size_t(c.N * c.H * c.D), 0);
  r.dk.assign(size_t(c.N * c.KV * c.D), 0); r.dv.assign(size_t(c.N * c.KV * c.Dv), 0);
  for (int64_t i = 0; i < c.N; i++)
    for (int64_t h = 0; h < c.H; h++) {
      const int64_t g = h / (c.H / c.KV), from = std::max<int64_t>(c.starts[size_t(i)], c.window ? i - c.window + 1 : 0);
      std::vector<double> s, slope;
      double top = -INFINITY, total = 0, delta = 0;
      for (int64_t j = from; j <= i; j++) {
        double x = 0, d = c.scale;
        for (int64_t e = 0; e < c.D; e++) x += q.get((i * c.H + h) * c.D + e) * k.get((j * c.KV + g) * c.D + e);
        x *= c.scale;
        if (c.softcap > 0) { const double t = std::tanh(x / c.softcap); x = c.softcap * t; d *= 1 - t * t; }
        s.push_back(x); slope.push_back(d);
        top = std::max(top, x);
      }
      for (const double x : s) total += std::exp(x - top);
      const double lse = top + std::log(total);
      r.lse[size_t(i * c.H + h)] = lse;
      double* out = r.out.data() + (i * c.H + h) * c.Dv;
      for (int64_t j = from; j <= i; j++)
        for (int64_t e = 0; e < c.Dv; e++) out[e] += std::exp(s[size_t(j - from)] - lse) * v.get((j * c.KV + g) * c.Dv + e);
      for (int64_t e = 0; e < c.Dv; e++) delta += out[e] * dout.get((i * c.H + h) * c.Dv + e);
      for (int64_t j = from; j <= i; j++) {
        const double p = std::exp(s[size_t(j - from)] - lse);
        double dp = 0;
        for (int64_t e = 0; e < c.Dv; e++) {
          const double d = dout.get((i * c.H + h) * c.Dv + e);
          dp += d * v.get((j * c.KV + g) * c.Dv + e);
          r.dv[size_t((j * c.KV + g) * c.Dv + e)] += p * d;
        }
        const double ds = p * (dp - delta) * slope[size_t(j - from)];
        for (int64_t e = 0; e < c.D; e++) {
          r.dq[size_t((i * c.H + h) * c.D + e)] += ds * k.get((j * c.KV + g) * c.D + e);
          r.dk[size_t((j * c.KV + g) * c.D + e)] += ds * q.get((i * c.H + h) * c.D + e);
        }
      }
    }
  return r;
}

int64_t up(int64_t a, int64_t b) { return (a + b - 1) / b * b; }

size_t forwardBytes(const Case& c, int threads) {
  const int64_t Dp = up(c.D, LANES), Vp = up(c.Dv, LANES);
  return size_t(threads * up((64 * c.D + 96 * 2 * LANES + 64 * Vp + 96 * (Dp + Vp) + 2 * 64 + 64) * 4, 64));
}
size_t backwardBytes(const Case& c, int threads, bool f32) {
  const int64_t Dp = up(c.D, LANES), Vp = up(c.Dv, LANES);
  int64_t bytes = threads * up((64 * (c.D + c.Dv) + 2 * 64 * 48 + 64 * (2 * Dp + Vp) + 48 * (Dp + Vp) + 2 * 64 + 64) * 4, 64) + up(((c.N + 255) / 256 + 2) * 4, 64);
  if (!f32 || c.D % LANES || c.Dv % LANES) bytes += c.N * c.KV * (Dp + Vp) * 4;
  return size_t(bytes);
}

DType anyFloat(Random& random) { return random.below(4) == 0 ? DType::bf16 : DType::f32; }
int64_t gapOf(Random& random) { return random.below(3) == 0 ? random.below(50) : 0; }

void training(Pool& pool, Pool& other, Pool& many, int seed) {
  Random random(uint64_t(seed) + 1);
  const Case c = draw(random, seed);
  Tensor q({c.N, c.H, c.D}, anyFloat(random), gapOf(random)), k({c.N, c.KV, c.D}, anyFloat(random), gapOf(random)), v({c.N, c.KV, c.Dv}, anyFloat(random), gapOf(random));
  Tensor dout({c.N, c.H, c.Dv}, anyFloat(random), gapOf(random)), starts({c.N}, DType::i32);
  q.normal(random, 2); k.normal(random); v.normal(random); dout.normal(random);
  starts.fill([&](int64_t i) { return double(c.starts[size_t(i)]); });
  const Reference want = reference(c, q, k, v, dout);
  const std::string what = "seed " + std::to_string(seed) + " N=" + std::to_string(c.N) + " H=" + std::to_string(c.H) + "/" + std::to_string(c.KV) + " D=" + std::to_string(c.D) + "," + std::to_string(c.Dv) + " window " + std::to_string(c.window);
  const std::vector<double> attrs = {c.scale, double(c.window), c.softcap};

  Tensor out({c.N, c.H, c.Dv}, anyFloat(random), gapOf(random)), lse({c.N, c.H}), out2({c.N, c.H, c.Dv}, out.view.dtype), lse2({c.N, c.H});
  run(attention, pool, {q.view, k.view, v.view, starts.view}, {out.view, lse.view}, attrs, forwardBytes(c, pool.threads()));
  run(attention, other, {q.view, k.view, v.view, starts.view}, {out2.view, lse2.view}, attrs, forwardBytes(c, other.threads()));
  expectClose(out, want.out, 1e-5, 1e-5, "attention out " + what);
  expectClose(lse, want.lse, 1e-5, 1e-5, "attention lse " + what);
  expect(out.hash() == out2.hash() && lse.hash() == lse2.hash(), "attention: other bits with other threads, " + what);

  Tensor exactOut({c.N, c.H, c.Dv}), exactLse({c.N, c.H});  // the gradient alone, not the forward pass's rounding
  exactOut.fill([&](int64_t i) { return want.out[size_t(i)]; });
  exactLse.fill([&](int64_t i) { return want.lse[size_t(i)]; });
  const DType type = anyFloat(random), dqType = anyFloat(random);
  uint64_t hash[3] = {};
  int turn = 0;
  for (Pool* p : {&pool, &other, &many}) {
    Tensor dq({c.N, c.H, c.D}, dqType, gapOf(random)), dk({c.N, c.KV, c.D}, type, gapOf(random)), dv({c.N, c.KV, c.Dv}, type, gapOf(random));
    run(attentionBackward, *p, {q.view, k.view, v.view, starts.view, exactOut.view, exactLse.view, dout.view}, {dq.view, dk.view, dv.view}, attrs, backwardBytes(c, p->threads(), type == DType::f32));
    const std::string which = what + " threads " + std::to_string(p->threads());
    expectClose(dq, want.dq, 5e-5, 5e-5, "attentionBackward dq " + which);
    expectClose(dk, want.dk, 1e-4, 5e-5, "attentionBackward dk " + which);
    expectClose(dv, want.dv, 1e-4, 5e-5, "attentionBackward dv " + which);
    hash[turn++] = (dk.hash() * 31 + dv.hash()) * 31 + dq.hash();
  }
  expect(hash[0] == hash[1] && hash[0] == hash[2], "attentionBackward: other bits with other threads, " + what);
}

}  // namespace

int main() {
  Pool pool(3), one(1), many(24);
  for (int seed = 0; seed < 160; seed++) training(pool, one, many, seed);
  return report("attention");
}
