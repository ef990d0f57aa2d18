// Checks products with weights in a block format, and what reads such weights, against float64 over the decoded values:
// every format, rows around the width of a group, whole and part panels of K, one to nine and many tokens, f32 and bf16,
// bias and addend, strides; the same bits for 1, 2 and 4 threads, and for a token alone and among others. See README.md.
// Two bounds. Integers up to 127 as activations are quantised exactly, so that only f32 sums are left: 8·√blocks·2⁻²⁴
// relative to Σ|w·x|. Normal activations move by at most half a step each: Σ over blocks of max|x|/254 · Σ|w|.
#include "check.h"

#include "../../native/cpu/dequantise.cc"
#include "../../native/cpu/gather.cc"
#include "../../native/cpu/linear.cc"

using namespace check;

namespace {

constexpr DType FORMATS[] = {DType::q8_0, DType::q4_0, DType::q4_k, DType::q5_k, DType::q6_k};
const char* nameOf(DType format) {
  return format == DType::q8_0 ? "q8_0" : format == DType::q4_0 ? "q4_0" : format == DType::q4_k ? "q4_k" : format == DType::q5_k ? "q5_k" : "q6_k";
}

// A half float of a size that weights have, or (rarely) a denormal one.
uint16_t half(Random& random) {
  const uint16_t sign = uint16_t(random.below(2) << 15);
  return uint16_t(sign | (random.below(20) == 0 ? random.below(1024) : 0x1c00 + random.below(0x0800)));
}

// Random blocks in ggml's order; all bytes but the half floats may be anything.
struct Weight {
  std::vector<uint8_t> plain;
  uint8_t* memory;  // of exactly the bytes
  View view{};
  std::vector<double> values;
  Weight(DType format, int64_t rows, int64_t cols, uint64_t seed) {
    const BlockSize size = blockSize(format);
    const int64_t blocks = rows * cols / size.values;
    plain.resize(size_t(blocks * size.bytes));
    Random random(seed);
    for (uint8_t& byte : plain) byte = uint8_t(random.below(256));
    float decoded[256];
    for (int64_t b = 0; b < blocks; b++) {
      uint8_t* block = plain.data() + b * size.bytes;
      const uint16_t d = half(random), dMin = half(random);
      std::memcpy(block + (format == DType::q6_k ? 208 : 0), &d, 2);
      if (format == DType::q4_k || format == DType::q5_k) std::memcpy(block + 2, &dMin, 2);
      decodeBlock(format, block, decoded);
      values.insert(values.end(), decoded, decoded + size.values);
    }
    memory = static_cast<uint8_t*>(std::malloc(plain.size() + 1));
    arrangeWeight(format, rows, cols, plain.data(), memory, false);
    view.data = memory, view.rank = 2, view.shape[0] = rows, view.shape[1] = cols, view.stride0 = cols, view.dtype = format;
    std::vector<uint8_t> back(plain.size());
    arrangeWeight(format, rows, cols, memory, back.data(), true);
    expect(back == plain, "arranged and back");
  }
  Weight(const Weight&) = delete;
  ~Weight() { std::free(memory); }
};

struct Case {
  DType format;
  int64_t rows, blocks, tokens;
  bool exact = false, half = false, bias = false, addend = false, inPlace = false;
  std::string text() const {
    char buffer[160];
    std::snprintf(buffer, sizeof buffer, "%s [%d, %d blocks] × %d tokens exact %d bf16 %d bias %d addend %d%d", nameOf(format),
                  int(rows), int(blocks), int(tokens), exact, half, bias, addend, inPlace);
    return buffer;
  }
};

size_t workspaceOf(DType format, int64_t k, int64_t tokens) { return size_t(quant::tokenBytes(format, k) * tokens); }

// Integers with ±127 in every block of 32, so that their scale is 1; or normal values.
void fillActivations(Tensor& x, Random& random, bool exact) {
  x.fill([&](int64_t i) { return !exact ? random.normal() : i % 32 == 7 ? (i % 3 ? 127 : -127) : double(random.below(255) - 127); });
}

// How far x · wᵀ may be off because of what activations lose.
double quantisationError(const Tensor& x, const Weight& w, int64_t n, int64_t m, bool exact) {
  if (exact) return 0;
  const int64_t k = x.view.cols(), block = blockSize(w.view.dtype).values;
  double error = 0;
  for (int64_t b = 0; b < k; b += block) {
    double most = 0, weights = 0;
    for (int64_t i = b; i < b + block; i++) {
      most = std::fmax(most, std::fabs(x.get(n * k + i)));
      weights += std::fabs(w.values[size_t(m * k + i)]);
    }
    error += most / 254 * (1 + 1e-5) * weights;
  }
  return error;
}

void checkProduct(const Case& c, Random& random) {
  const std::string where = c.text();
  const int64_t k = c.blocks * blockSize(c.format).values;
  const Weight w(c.format, c.rows, k, random.bits());
  const DType dtype = c.half ? DType::bf16 : DType::f32;
  Tensor x({c.tokens, k}, dtype, 3 * (c.rows % 2)), bias({c.rows}, dtype), addend({c.tokens, c.rows}, dtype, 5);
  fillActivations(x, random, c.exact);
  bias.normal(random), addend.normal(random);
  uint64_t bits = 0;
  for (const int threads : {1, 2, 4}) {
    Pool pool(threads);
    Tensor y({c.tokens, c.rows}, dtype, c.inPlace ? 5 : 2);
    if (c.inPlace) y.fill([&](int64_t i) { return addend.get(i); });
    const View added = !c.addend ? absent : c.inPlace ? y.view : addend.view;
    run(linear, pool, {x.view, w.view, c.bias ? bias.view : absent, added}, {y.view}, {}, workspaceOf(c.format, k, c.tokens));
    if (threads > 1) { expect(y.hash() == bits, where + ": the same bits for any number of threads"); continue; }
    bits = y.hash();
    bool right = true;
    for (int64_t n = 0; n < c.tokens && right; n++)
      for (int64_t m = 0; m < c.rows && right; m++) {
        double sum = c.bias ? bias.get(m) : 0, size = std::fabs(sum);
        for (int64_t i = 0; i < k; i++) sum += x.get(n * k + i) * w.values[size_t(m * k + i)], size += std::fabs(x.get(n * k + i) * w.values[size_t(m * k + i)]);
        if (c.addend) sum += addend.get(n * c.rows + m), size += std::fabs(addend.get(n * c.rows + m));
        // The two parts of q4_k and q5_k can be much larger than their difference: dmin·m is bounded by 64 halves of 2⁻².
        const double parts = c.format == DType::q4_k || c.format == DType::q5_k ? 4 * size + double(k) * 16 * 127 : size;
        double bound = 8 * std::sqrt(double(c.blocks + 2)) * 0x1p-24 * parts + quantisationError(x, w, n, m, c.exact) * 1.0001;
        if (c.half) bound += 0x1p-8 * std::fabs(sum);
        const double got = y.get(n * c.rows + m);
        right = std::fabs(got - sum) <= bound;
        if (!right) std::printf("%g instead of %g ± %g\n", got, sum, bound);
      }
    expect(right, where + ": agrees with float64");
  }
}

// A token's result does not depend on the tokens beside it; a NaN or an infinity stays in its own token.
void checkTokens(DType format, Random& random) {
  const int64_t k = 3 * 256, rows = 2 * LANES + 3, tokens = 75;
  const Weight w(format, rows, k, random.bits());
  Tensor x({tokens, k}), y({tokens, rows}), poisoned({tokens, rows});
  x.normal(random);
  Pool pool(2);
  run(linear, pool, {x.view, w.view}, {y.view}, {}, workspaceOf(format, k, tokens));
  for (const int64_t count : {1, 2, 3, 5, 9, 17}) {
    Tensor some({count, rows});
    View part = x.view;
    part.shape[0] = count, part.data = x.view.as<float>() + (tokens - count) * k;
    run(linear, pool, {part, w.view}, {some.view}, {}, workspaceOf(format, k, count));
    bool same = true;
    for (int64_t i = 0; i < count * rows; i++) same = same && some.get(i) == y.get((tokens - count) * rows + i);
    expect(same, std::string(nameOf(format)) + ": a token has the same bits in any batch");
  }
  x.set(5 * k + 300, std::nan("")), x.set(70 * k + 10, INFINITY);
  x.fill([&](int64_t i) { return i / k == 9 ? 0.0 : i / k == 10 ? (i % 7 ? 0x1p-140 : -0x1p-130) : x.get(i); });
  run(linear, pool, {x.view, w.view}, {poisoned.view}, {}, workspaceOf(format, k, tokens));
  bool right = true;
  for (int64_t n = 0; n < tokens; n++)
    for (int64_t m = 0; m < rows; m++) {
      const double value = poisoned.get(n * rows + m);
      right = right && (n == 5 ? std::isnan(value) : n == 70 ? !std::isfinite(value) : n == 9 ? value == 0
                      : n == 10 ? std::fabs(value) < 1e-30 : value == y.get(n * rows + m));
    }
  expect(right, std::string(nameOf(format)) + ": NaN and infinity stay in their tokens");
}

// Every value of every row, exactly.
void checkReading(DType format, int64_t rows, Random& random) {
  const int64_t k = 2 * blockSize(format).values;
  const Weight w(format, rows, k, random.bits());
  Pool pool(2);
  Tensor all({rows, k}, DType::f32, 3), some({rows + 2, k}, DType::bf16), ids({rows + 2}, DType::i32);
  ids.fill([&](int64_t i) { return double(i - 1); });
  run(dequantise, pool, {w.view}, {all.view}, {});
  run(gather, pool, {w.view, ids.view}, {some.view}, {});
  bool right = true;
  for (int64_t i = 0; i < rows * k; i++)
    right = right && all.get(i) == w.values[size_t(i)] && some.get(k + i) == fromBf16(toBf16(float(w.values[size_t(i)])));
  for (int64_t i = 0; i < k; i++) right = right && some.get(i) == 0 && std::isnan(some.get((rows + 1) * k + i));
  expect(right, std::string(nameOf(format)) + ": dequantise and gather give every row");
}

void checkHalves() {
  for (uint32_t h = 0; h < 65536; h += LANES) {
    uint16_t bits[LANES];
    for (int l = 0; l < LANES; l++) bits[l] = uint16_t(h + uint32_t(l));
    const F32 values = quant::loadHalves(bits);
    for (int l = 0; l < LANES; l++) {
      const float want = fromF16(bits[l]);
      if (!(values[l] == want || (std::isnan(want) && std::isnan(values[l])))) expect(false, "half floats");
    }
  }
}

// The planner's rule (src/core/block-workspace.ts) gives the same: tests/core/block-workspace.test.ts has this table.
void checkWorkspace() {
  const struct { DType format; int64_t k, bytes; } table[] = {{DType::q8_0, 64, 192}, {DType::q8_0, 2048, 4352}, {DType::q4_0, 32, 64},
    {DType::q4_0, 5632, 7040}, {DType::q4_k, 256, 320}, {DType::q4_k, 2048, 2240}, {DType::q5_k, 512, 576}, {DType::q6_k, 512, 704}, {DType::q6_k, 0, 0}};
  for (const auto& row : table) expect(quant::tokenBytes(row.format, row.k) == row.bytes, std::string(nameOf(row.format)) + ": workspace of a token");
}

}  // namespace

int main() {
  Random random(5);
  checkWorkspace();
  checkHalves();
  for (const DType format : FORMATS) {
    for (const int64_t rows : {1, LANES - 1, LANES, LANES + 1, 2 * LANES + 3, 5 * LANES}) {
      checkReading(format, rows, random);
      for (int64_t tokens = 1; tokens <= 9; tokens++) {
        const int64_t blocks = 1 + random.below(blockSize(format).values == 32 ? 19 : 3);
        const bool addend = random.below(2);
        checkProduct({format, rows, blocks, tokens, random.below(2) == 0, random.below(4) == 0, random.below(2) == 0, addend, addend && random.below(2)}, random);
      }
    }
    checkProduct({format, 3 * LANES + 1, 9, 70, true, false, true, false, false}, random);
    for (const Case& none : {Case{format, 0, 1, 3}, Case{.format = format, .rows = 5, .blocks = 0, .tokens = 3, .bias = true}, Case{format, 5, 1, 0}}) checkProduct(none, random);
    checkTokens(format, random);
  }
  return report("quant");
}
