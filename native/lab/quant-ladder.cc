// The ladder of y = x · wᵀ with w in a block format, each step checked against float64 and timed on one thread: one token
// (GB/s of weights, beside a pure read of the same bytes in the same process) and 64 tokens (GOP/s of multiply-adds).
//   g++ -std=c++20 -O3 -Wno-psabi -pthread -ffp-contract=off -DATHANOR_ISA=avx2 -DATHANOR_LANES=8 -mavx2 -mfma -mf16c
//       native/lab/quant-ladder.cc native/runtime/pool.cc
//
// 1 floats    every block of ggml's is decoded to floats, and multiplied by floats.
// 2 rows      q4_0 in ggml's order on AVX2: activations as bytes, a row's block is one register, eight lanes are added up
//             at the end of the row. Each row has a horizontal sum and reads its own stream.
// 3 lanes     rows interleaved, a lane is a row: no horizontal sums, one stream; a block is unpacked into a panel that all
//             tokens multiply.
// 4 pairs     two groups of rows at a time: a token's broadcasts are shared.
// 5 single    one token: no panel, blocks fetched ahead. (More tokens: step 4.) What is linked.
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <vector>

#include "../cpu/linear-blocks.h"
#include "../cpu/probe.h"

using namespace athanor;
using namespace athanor::ATHANOR_ISA;

namespace {

double seconds() { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

struct Work {
  DType format;
  int64_t rows, k, tokens;
  std::vector<uint8_t> plain;         // ggml's order
  std::vector<float> x, y;
  uint8_t* mixed = nullptr;           // interleaved
  std::byte* workspace = nullptr;
  Pool pool{1};
  int64_t across() const { return k / blockSize(format).values; }
  int64_t bytes() const { return rows * across() * blockSize(format).bytes; }
};

View viewOf(void* data, int64_t rows, int64_t cols, DType dtype) {
  View v{};
  v.data = data, v.rank = 2, v.shape[0] = rows, v.shape[1] = cols, v.stride0 = cols, v.dtype = dtype;
  return v;
}

// Step 1.
void floats(Work& t) {
  const BlockSize size = blockSize(t.format);
  float w[256];
  std::fill(t.y.begin(), t.y.end(), 0.0f);
  for (int64_t m = 0; m < t.rows; m++)
    for (int64_t b = 0; b < t.across(); b++) {
      decodeBlock(t.format, t.plain.data() + (m * t.across() + b) * size.bytes, w);
      for (int64_t n = 0; n < t.tokens; n++) {
        F32 sum = zero();
        for (int64_t i = 0; i < size.values; i += LANES) sum = fma(load(w + i), load(t.x.data() + n * t.k + b * size.values + i), sum);
        t.y[size_t(n * t.rows + m)] += ATHANOR_ISA::sum(sum);
      }
    }
}

// Step 2.
#if ATHANOR_LANES == 8 && defined(__AVX2__)
void rows(Work& t) {
  std::vector<int8_t> bytes(size_t(t.tokens * t.k));
  std::vector<float> scales(size_t(t.tokens * t.across()));
  for (int64_t i = 0; i < t.tokens * t.across(); i++) scales[size_t(i)] = quant::quantiseRun(t.x.data() + 32 * i, 32, bytes.data() + 32 * i);
  for (int64_t m = 0; m < t.rows; m++)
    for (int64_t n = 0; n < t.tokens; n++) {
      F32 acc = zero();
      for (int64_t b = 0; b < t.across(); b++) {
        const uint8_t* block = t.plain.data() + (m * t.across() + b) * 18;
        const __m128i both = _mm_loadu_si128(reinterpret_cast<const __m128i*>(block + 2));
        const __m256i nibbles = _mm256_and_si256(_mm256_set_m128i(_mm_srli_epi16(both, 4), both), _mm256_set1_epi8(15));
        const __m256i w = _mm256_sub_epi8(nibbles, _mm256_set1_epi8(8)), a = (__m256i)quant::loadLanes(bytes.data() + n * t.k + 32 * b);
        const I32 products = (I32)_mm256_maddubs_epi16(_mm256_sign_epi8(w, w), _mm256_sign_epi8(a, w));
        const I32 sums = quant::multiplyWords(products, I32{} + 0x00010001);
        acc = fma(quant::toFloats(sums), splat(_cvtsh_ss(uint16_t(block[0] | block[1] << 8)) * scales[size_t(n * t.across() + b)]), acc);
      }
      t.y[size_t(n * t.rows + m)] = ATHANOR_ISA::sum(acc);
    }
}
#endif

// Steps 3 to 5.
template <class Format, int V> void panels(const quant::Problem& p) {
  quant::quantiseTokens<Format>(p);
  for (int64_t row = 0; row < p.w.rows(); row += V * LANES) quant::runGroups<Format, V>(p, row, LANES, 0, p.x.rows());
}
template <class Format> void step(Work& t, int number) {
  const View in[2] = {viewOf(t.x.data(), t.tokens, t.k, DType::f32), viewOf(t.mixed, t.rows, t.k, t.format)};
  const View out = viewOf(t.y.data(), t.tokens, t.rows, DType::f32);
  const Call call{in, &out, nullptr, t.workspace, &t.pool, 2, 1, 0, 0};
  const quant::Problem p{call, in[0], in[1], out, quant::tokenBytes(t.format, t.k)};
  if (number == 3) panels<Format, 1>(p);
  else if (number == 4) panels<Format, 2>(p);
  else quant::linearOfBlocks(call);
}
void interleaved(Work& t, int number) {
  switch (t.format) {
    case DType::q8_0: return step<quant::Q80>(t, number);
    case DType::q4_0: return step<quant::Q40>(t, number);
    case DType::q4_k: return step<quant::Q4K>(t, number);
    case DType::q5_k: return step<quant::Q5K>(t, number);
    default: return step<quant::Q6K>(t, number);
  }
}

// Whether some rows agree with float64, activations' rounding allowed for.
bool isRight(const Work& t) {
  const BlockSize size = blockSize(t.format);
  float w[256];
  for (int64_t m = 0; m < t.rows; m += t.rows / 7)
    for (int64_t n = 0; n < t.tokens; n += 9) {
      double want = 0, allowed = 1e-3;
      for (int64_t b = 0; b < t.across(); b++) {
        decodeBlock(t.format, t.plain.data() + (m * t.across() + b) * size.bytes, w);
        for (int64_t i = 0; i < size.values; i++) {
          const double x = t.x[size_t(n * t.k + b * size.values + i)];
          want += x * w[i], allowed += std::fabs(w[i]) * 4.5 / 254;  // |x| < 4.5
        }
      }
      if (!(std::fabs(t.y[size_t(n * t.rows + m)] - want) <= allowed)) return false;
    }
  return true;
}

double best(int rounds, const auto& body) {
  double least = 1e9;
  for (int r = 0; r < rounds; r++) {
    const double start = seconds();
    body();
    least = std::min(least, seconds() - start);
  }
  return least;
}

bool climb(const char* name, DType format, int64_t rows_, int64_t tokens) {
  Work t{format, rows_, 2048, tokens, {}, {}, {}};
  const BlockSize size = blockSize(format);
  std::mt19937 random(3);
  std::normal_distribution<float> normal;
  t.plain.resize(size_t(t.bytes()));
  for (uint8_t& byte : t.plain) byte = uint8_t(random());
  for (int64_t b = 0; b < t.rows * t.across(); b++) {  // scales of a usual size
    uint8_t* block = t.plain.data() + b * size.bytes;
    for (const int64_t at : {format == DType::q6_k ? int64_t(208) : 0, format == DType::q4_k || format == DType::q5_k ? int64_t(2) : -1})
      if (at >= 0) block[at + 1] = 0x20;
  }
  for (int64_t i = 0; i < tokens * t.k; i++) t.x.push_back(std::fmax(-4.4f, std::fmin(4.4f, normal(random))));
  t.y.resize(size_t(tokens * t.rows));
  t.mixed = static_cast<uint8_t*>(std::aligned_alloc(64, size_t(t.bytes() + 63) / 64 * 64));
  t.workspace = static_cast<std::byte*>(std::aligned_alloc(64, size_t(tokens * quant::tokenBytes(format, t.k))));
  arrangeWeight(format, t.rows, t.k, t.plain.data(), t.mixed, false);
  const double limit = double(t.bytes()) / best(5, [&] { probe_detail::readLoop(reinterpret_cast<std::byte*>(t.mixed), size_t(t.bytes()) / 1024 * 1024); });
  if (tokens == 1) std::printf("%s, one token: reading alone %.1f GB/s\n", name, limit * 1e-9);
  bool right = true;
  const char* const names[] = {"1 floats", "2 rows", "3 lanes", "4 pairs", "5 single"};
  for (int number = 1; number <= 5; number++) {
    if (number == 2 && (format != DType::q4_0 || ATHANOR_LANES != 8)) continue;
    std::fill(t.y.begin(), t.y.end(), 0.0f);
    const double time = best(number == 1 ? 1 : 5, [&] {
      if (number == 1) floats(t);
#if ATHANOR_LANES == 8 && defined(__AVX2__)
      else if (number == 2) rows(t);
#endif
      else interleaved(t, number);
    });
    const bool ok = isRight(t);
    right = right && ok;
    if (tokens == 1) std::printf("  %-9s %6.1f GB/s %3.0f%%%s\n", names[number - 1], double(t.bytes()) / time * 1e-9, double(t.bytes()) / time / limit * 100, ok ? "" : "  WRONG");
    else std::printf("%s, %d tokens  %-9s %6.1f GOP/s%s\n", name, int(tokens), names[number - 1], 2.0 * double(t.rows * t.k * tokens) / time * 1e-9, ok ? "" : "  WRONG");
  }
  std::free(t.mixed);
  std::free(t.workspace);
  return right;
}

}  // namespace

int main() {
  bool right = true;
  const struct { const char* name; DType format; } formats[] = {{"q8_0", DType::q8_0}, {"q4_0", DType::q4_0}, {"q4_k", DType::q4_k}, {"q5_k", DType::q5_k}, {"q6_k", DType::q6_k}};
  for (const auto& f : formats) {
    right = climb(f.name, f.format, 49152, 1) && right;  // 57 to 107 MB: beyond every cache
    right = climb(f.name, f.format, 2048, 64) && right;
  }
  return right ? 0 : 1;
}
