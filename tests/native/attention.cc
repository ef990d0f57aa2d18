// Checks attention, its gradient and pagedAttention against double references: documents, windows, caps, grouped heads,
// odd sizes, row strides, bf16; the same bits for any number of threads and, for pagedAttention, any company.
#include "check.h"
#include "../../native/cpu/attention-backward.cc"
#include "../../native/cpu/attention.cc"
#include "../../native/cpu/paged-attention.cc"

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
  if (seed % 3 == 2)  // one row of one operand: NaN where the definition says so, and nowhere else
    for (Tensor* x : {&q, &k, &v, &dout})
      if (c.N > 0 && random.below(2)) x->set(random.below(x->size()), NAN);
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

size_t pagedBytes(int64_t N, int64_t H, int64_t D, int64_t Dv, int64_t L, int threads) {
  const int64_t Dp = up(D, LANES), Vp = up(Dv, LANES), chunks = (L + 767) / 768;
  int64_t bytes = threads * up((64 * D + 96 * 2 * LANES + 2 * 64 * Vp + 96 * (Dp + Vp) + 4 * 64 + 64) * 4, 64) + up((N + 1) * 4, 64);
  if (threads > 1 && chunks > 1) bytes += std::min<int64_t>(N * H, 2 * threads * 64) * chunks * (Vp + LANES) * 4;
  return size_t(bytes);
}

void paged(Pool& pool, Pool& one, Pool& many, int seed) {
  Random random(uint64_t(seed) + 9000);
  const int64_t sizes[] = {1, 3, 8, 16, 20, 33, 64}, lengths[] = {1, 5, 96, 97, 300, 768, 1700};
  const int64_t S = 1 + random.below(4), KV = 1 + random.below(3), H = KV * (seed % 30 == 9 ? 70 : 1 + random.below(5)), D = sizes[random.below(7)], Dv = random.below(2) ? D : sizes[random.below(7)];
  const int64_t L = lengths[random.below(seed % 3 ? 5 : 7)], slots = S * L + 3, window = random.below(3) == 0 ? 1 + random.below(200) : 0;
  const double scale = 1 / std::sqrt(double(D)), softcap = random.below(4) == 0 ? 3 : 0;
  const std::vector<double> attrs = {scale, double(window), softcap};
  Tensor k({slots, KV, D}, anyFloat(random), gapOf(random)), v({slots, KV, Dv}, anyFloat(random), gapOf(random)), table({S, L}, DType::i32, gapOf(random));
  k.normal(random); v.normal(random);
  if (seed % 3 == 2)
    for (Tensor* x : {&k, &v})
      for (int i = 0; i < 3; i++) x->set(random.below(x->size()), NAN);
  std::vector<int64_t> free;
  for (int64_t i = 0; i < slots; i++) free.push_back(i);
  table.fill([&](int64_t) { const size_t i = size_t(random.below(int64_t(free.size()))); const double slot = double(free[i]); free.erase(free.begin() + long(i)); return slot; });
  std::vector<std::pair<int64_t, int64_t>> tokens;  // runs of a prefill, or single ones
  for (int64_t runs = random.below(5); runs >= 0; runs--) {
    const int64_t seq = random.below(S), from = random.below(L), end = std::min(L, from + (random.below(2) ? 1 : random.below(90)));
    for (int64_t p = from; p < end; p++) tokens.push_back({seq, p});
    if (random.below(6) == 0) tokens.push_back({-1, -1});
  }
  const int64_t N = int64_t(tokens.size());
  Tensor q({N, H, D}, anyFloat(random), gapOf(random)), seqs({N}, DType::i32), positions({N}, DType::i32);
  q.normal(random, 2);
  seqs.fill([&](int64_t i) { return double(tokens[size_t(i)].first); });
  positions.fill([&](int64_t i) { return double(tokens[size_t(i)].second); });
  std::vector<double> want;
  for (int64_t n = 0; n < N; n++)
    for (int64_t h = 0; h < H; h++) {
      const int64_t g = h / (H / KV), last = tokens[size_t(n)].second, first = std::max<int64_t>(0, window ? last - window + 1 : 0);
      std::vector<double> out(size_t(Dv), 0);
      double total = 0;
      for (int64_t j = first; j <= last; j++) {
        const int64_t slot = int64_t(table.get(tokens[size_t(n)].first * L + j));
        double s = 0;
        for (int64_t e = 0; e < D; e++) s += q.get((n * H + h) * D + e) * k.get((slot * KV + g) * D + e);
        s *= scale;
        if (softcap > 0) s = softcap * std::tanh(s / softcap);
        total += std::exp(s);
        for (int64_t e = 0; e < Dv; e++) out[size_t(e)] += std::exp(s) * v.get((slot * KV + g) * Dv + e);
      }
      for (const double x : out) want.push_back(last < 0 ? 0 : x / total);
    }
  const std::string what = "pagedAttention seed " + std::to_string(seed) + " N=" + std::to_string(N) + " H=" + std::to_string(H) + "/" + std::to_string(KV) + " D=" + std::to_string(D) + "," + std::to_string(Dv) + " L=" + std::to_string(L);
  const DType type = anyFloat(random);
  Tensor out({N, H, Dv}, type);
  run(pagedAttention, pool, {q.view, k.view, v.view, table.view, seqs.view, positions.view}, {out.view}, attrs, pagedBytes(N, H, D, Dv, L, pool.threads()));
  expectClose(out, want, 1e-5, 1e-5, what);
  for (Pool* p : {&one, &many}) {
    Tensor again({N, H, Dv}, type, 5);
    run(pagedAttention, *p, {q.view, k.view, v.view, table.view, seqs.view, positions.view}, {again.view}, attrs, pagedBytes(N, H, D, Dv, L, p->threads()));
    expect(out.hash() == again.hash(), what + ": other bits with " + std::to_string(p->threads()) + " threads");
  }
  for (int64_t n = 0; n < N; n++) {
    View qn = q.view, sn = seqs.view, pn = positions.view, on = out.view;
    for (View* view : {&qn, &sn, &pn, &on}) { view->data = elementAt(*view, n * view->stride0); view->shape[0] = 1; }
    Tensor alone({1, H, Dv}, type);
    Pool& p = n % 2 ? many : one;
    run(pagedAttention, p, {qn, k.view, v.view, table.view, sn, pn}, {alone.view}, attrs, pagedBytes(1, H, D, Dv, L, p.threads()));
    bool same = true;  // (which NaN it is, IEEE 754 leaves open)
    for (int64_t i = 0; i < H * Dv; i++)
      same = same && (std::memcmp(elementAt(on, i), elementAt(alone.view, i), size_t(elementBytes(type))) == 0 || (std::isnan(scalarAt(on, i)) && std::isnan(alone.get(i))));
    expect(same, what + ": other bits alone, token " + std::to_string(n));
  }
}

// Errors of a caller must not read outside the cache.
void pagedErrors(Pool& pool) {
  Tensor q({3, 1, 8}), k({4, 1, 8}), v({4, 1, 8}), table({1, 4}, DType::i32), seqs({3}, DType::i32), positions({3}, DType::i32), out({3, 1, 8});
  Random random(1);
  q.normal(random); k.normal(random); v.normal(random);
  table.fill([](int64_t i) { return i == 3 ? 99 : double(i); });
  seqs.fill([](int64_t i) { return i == 0 ? 5.0 : 0.0; });
  positions.fill([](int64_t i) { return i == 0 ? 0.0 : i == 1 ? 4.0 : 3.0; });
  run(pagedAttention, pool, {q.view, k.view, v.view, table.view, seqs.view, positions.view}, {out.view}, {1, 0, 0}, pagedBytes(3, 1, 8, 8, 4, pool.threads()));
  for (int64_t i = 0; i < 24; i++) expect(std::isnan(out.get(i)), "pagedAttention: a bad sequence, position or slot gives NaN");
}

}  // namespace

int main() {
  Pool pool(3), one(1), many(24);
  for (int seed = 0; seed < rounds(160); seed++) training(pool, one, many, seed);
  for (int seed = 0; seed < rounds(120); seed++) paged(pool, one, many, seed);
  pagedErrors(pool);
  return report("attention");
}
