// The ladder of causal attention forward, out = softmax(scale · q·kᵀ) · v for one head of T tokens, each step checked
// against float64 and timed on one thread. Never linked into the addon.
//   g++ -std=c++20 -O3 -Wno-psabi -pthread -DATHANOR_ISA=avx2 -DATHANOR_LANES=8 -mavx2 -mfma native/lab/attention-ladder.cc native/runtime/pool.cc
//
// 1 matrix    the definition: the T×T scores in memory, softmax by row, then the product with v; one number at a time.
// 2 online    a row at a time with the running maximum and sum (Milakov & Gimelshein 2018, arXiv 1805.02867; the T×T matrix
//             is gone, Dao et al. 2022, arXiv 2205.14135): dots over D, one exponential a score, v added row by row.
// 3 vectors   the same with vectors along D: a sum across lanes for every score, and the exponentials still one by one.
// 4 tiles     a tile of LANES queries side by side, a lane a query: no sums across lanes, exponentials a vector at a time,
//             k and v are read once for LANES queries.
// 5 attention.cc  what is linked: tiles of 64 queries and of keys, both products as register tiles, the maximum once a tile.
//
// T 1024, D 64 on a Zen 3 core (peak 102 GFLOP/s): 2.6, 4.9, 8.9, 15 and 72 GFLOP/s of the causal half.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <vector>

#include "../cpu/attention.cc"
#include "clock.h"

using namespace athanor;
using namespace athanor::ATHANOR_ISA;

namespace {

struct Head { int64_t T, D; const float *q, *k, *v; };  // [T, D] each
float scaleOf(const Head& h) { return 1 / std::sqrt(float(h.D)); }
using Version = void (*)(const Head&, float* out);

void matrix(const Head& h, float* out) {
  std::vector<float> scores(size_t(h.T * h.T));
  for (int64_t i = 0; i < h.T; i++) {
    float* row = scores.data() + i * h.T;
    float top = -INFINITY, total = 0;
    for (int64_t j = 0; j <= i; j++) {
      float dot = 0;
      for (int64_t c = 0; c < h.D; c++) dot += h.q[i * h.D + c] * h.k[j * h.D + c];
      row[j] = dot * scaleOf(h);
      top = std::max(top, row[j]);
    }
    for (int64_t j = 0; j <= i; j++) total += row[j] = std::exp(row[j] - top);
    for (int64_t c = 0; c < h.D; c++) {
      float sum = 0;
      for (int64_t j = 0; j <= i; j++) sum += row[j] * h.v[j * h.D + c];
      out[i * h.D + c] = sum / total;
    }
  }
}

// Adds a key's value under a new score to a row's running state.
struct Running { float top = -INFINITY, total = 0; };
float rescale(Running& r, float score, float& weight) {
  const float top = std::max(r.top, score), old = std::exp(r.top - top);
  weight = std::exp(score - top);
  r.total = r.total * old + weight;
  r.top = top;
  return old;
}

void online(const Head& h, float* out) {
  for (int64_t i = 0; i < h.T; i++) {
    float* row = out + i * h.D;
    std::fill(row, row + h.D, 0.0f);
    Running r;
    for (int64_t j = 0; j <= i; j++) {
      float dot = 0, weight;
      for (int64_t c = 0; c < h.D; c++) dot += h.q[i * h.D + c] * h.k[j * h.D + c];
      const float old = rescale(r, dot * scaleOf(h), weight);
      for (int64_t c = 0; c < h.D; c++) row[c] = row[c] * old + weight * h.v[j * h.D + c];
    }
    for (int64_t c = 0; c < h.D; c++) row[c] /= r.total;
  }
}

void vectors(const Head& h, float* out) {
  for (int64_t i = 0; i < h.T; i++) {
    float* row = out + i * h.D;
    std::fill(row, row + h.D, 0.0f);
    Running r;
    for (int64_t j = 0; j <= i; j++) {
      F32 dots = zero();
      float weight;
      for (int64_t c = 0; c < h.D; c += LANES) dots = fma(load(h.q + i * h.D + c), load(h.k + j * h.D + c), dots);
      const float old = rescale(r, sum(dots) * scaleOf(h), weight);
      for (int64_t c = 0; c < h.D; c += LANES) store(row + c, fma(load(h.v + j * h.D + c), splat(weight), load(row + c) * old));
    }
    for (int64_t c = 0; c < h.D; c++) row[c] /= r.total;
  }
}

void tiles(const Head& h, float* out) {
  std::vector<float> queries(size_t(h.D * LANES)), sums(size_t(h.D * LANES));  // [D][lane]
  for (int64_t begin = 0; begin < h.T; begin += LANES) {
    const int64_t count = std::min<int64_t>(LANES, h.T - begin);
    std::fill(sums.begin(), sums.end(), 0.0f);
    F32 top = splat(-1e30f), total = zero(), mine{};
    for (int l = 0; l < LANES; l++) mine[l] = float(begin + std::min<int64_t>(l, count - 1));
    for (int64_t c = 0; c < h.D; c++)
      for (int l = 0; l < LANES; l++) queries[size_t(c * LANES + l)] = h.q[std::min(begin + l, h.T - 1) * h.D + c];
    for (int64_t j = 0; j < begin + count; j++) {
      F32 dots = zero();
      for (int64_t c = 0; c < h.D; c++) dots = fma(load(queries.data() + c * LANES), splat(h.k[j * h.D + c]), dots);
      const F32 score = select(mine >= float(j), dots * scaleOf(h), splat(-INFINITY)), higher = max(score, top);
      const F32 old = expNonPositive(top - higher), weight = expNonPositive(score - higher);
      total = fma(total, old, weight);
      top = higher;
      for (int64_t c = 0; c < h.D; c++)
        store(sums.data() + c * LANES, fma(splat(h.v[j * h.D + c]), weight, load(sums.data() + c * LANES) * old));
    }
    for (int64_t l = 0; l < count; l++)
      for (int64_t c = 0; c < h.D; c++) out[(begin + l) * h.D + c] = sums[size_t(c * LANES + l)] / total[l];
  }
}

void linked(const Head& h, float* out) {
  static Pool pool(1);
  static std::vector<std::byte> memory(size_t(16) << 20);
  const auto tensor = [&](const float* data) {
    View view{};
    view.data = const_cast<float*>(data), view.rank = 3, view.dtype = DType::f32, view.stride0 = h.D;
    view.shape[0] = h.T, view.shape[1] = 1, view.shape[2] = h.D;
    return view;
  };
  std::vector<int32_t> starts(size_t(h.T), 0);
  std::vector<float> lse(size_t(h.T));
  View start = tensor(nullptr), statistics = tensor(lse.data());
  start.data = starts.data(), start.rank = 1, start.stride0 = 1, start.dtype = DType::i32;
  statistics.rank = 2, statistics.stride0 = 1;
  const View in[] = {tensor(h.q), tensor(h.k), tensor(h.v), start}, outs[] = {tensor(out), statistics};
  const double attrs[] = {scaleOf(h), 0, 0};
  auto* aligned = reinterpret_cast<std::byte*>((reinterpret_cast<uintptr_t>(memory.data()) + 63) / 64 * 64);
  attention({in, outs, attrs, aligned, &pool, 4, 2, 3, memory.size() - 64});
}

// The definition in float64.
std::vector<double> exact(const Head& h) {
  std::vector<double> out(size_t(h.T * h.D)), p(size_t(h.T), 0.0);
  for (int64_t i = 0; i < h.T; i++) {
    double top = -INFINITY, total = 0;
    for (int64_t j = 0; j <= i; j++) {
      double dot = 0;
      for (int64_t c = 0; c < h.D; c++) dot += double(h.q[i * h.D + c]) * h.k[j * h.D + c];
      top = std::max(top, p[size_t(j)] = dot / std::sqrt(double(h.D)));
    }
    for (int64_t j = 0; j <= i; j++) total += p[size_t(j)] = std::exp(p[size_t(j)] - top);
    for (int64_t c = 0; c < h.D; c++) {
      double sum = 0;
      for (int64_t j = 0; j <= i; j++) sum += p[size_t(j)] * h.v[j * h.D + c];
      out[size_t(i * h.D + c)] = sum / total;
    }
  }
  return out;
}

}  // namespace

int main() {
  const struct { const char* name; Version run; } ladder[] = {{"1 matrix", matrix}, {"2 online", online}, {"3 vectors", vectors}, {"4 tiles", tiles}, {"5 attention.cc", linked}};
  bool right = true;
  for (const int64_t T : {int64_t(64), int64_t(250), int64_t(1024)}) {
    const int64_t D = 64;
    std::mt19937 random(1);
    std::normal_distribution<float> normal;
    std::vector<float> m[3], out(size_t(T * D));
    for (auto& values : m)
      for (int64_t i = 0; i < T * D; i++) values.push_back(normal(random));
    const Head head{T, D, m[0].data(), m[1].data(), m[2].data()};
    const std::vector<double> want = exact(head);
    for (const auto& [name, run] : ladder) {
      double best = 1e9, total = 0, error = 0;
      for (int i = 0; i < 1000 && (total < 0.3 || i < 3); i++) {
        const double start = seconds();
        run(head, out.data());
        const double took = seconds() - start;
        best = std::min(best, took), total += took;
      }
      for (size_t i = 0; i < out.size(); i++) error = std::max(error, std::fabs(out[i] - want[i]));
      right = right && error < 1e-5;
      std::printf("T %5lld  %-15s %9.3f ms %7.2f GFLOP/s  largest error %.1e%s\n", (long long)T, name, best * 1e3,
                  2.0 * double(T) * double(T + 1) * double(D) / best / 1e9, error, error < 1e-5 ? "" : "  WRONG");
    }
  }
  return right ? 0 : 1;
}
