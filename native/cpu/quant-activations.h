// Activations as signed bytes, quantised on the fly for products with weights in a block format: q = round(x / scale),
// scale = max|x| / 127 over a block, which is that of the weights (32 or 256, as ggml's Q8_0 and Q8_K). Beside the bytes
// stands what a block's sum of products starts from, so that an offset of the weights costs nothing.
// A NaN in a block makes its scale NaN; an infinity makes it infinite, and everything finite beside it zero.
#pragma once

#include "operand.h"
#include <type_traits>

#include "quant-simd.h"

namespace athanor::ATHANOR_ISA::quant {

// Four consecutive values are one `quad`. q4_0; with VNNI also q8_0.
struct Bytes32 {
  int32_t quads[8], offset;
  float scale;
};
// q8_0 without VNNI: the values 0 and 2 of each quad as words, then 1 and 3.
struct Words32 {
  int32_t words[16];
  float scale;
};
struct BytesQ4K {
  int32_t quads[64], sums[4];  // pairs of words: sums of 32 values
  float scale;
};
struct BytesQ6K {
  int32_t quads[64], offsets[16];  // by 16 values
  float scale;
};

// Where the sums of Quads quads start that stand for weights less `factor`: −factor·Σa, as two words or as one lane.
template <int Quads> inline int32_t offsetOf(const int8_t* q, int factor) {
  int16_t pairs[2 * Quads];
  for (int i = 0; i < 2 * Quads; i++) pairs[i] = int16_t(q[2 * i] + q[2 * i + 1]);
  int low = 0, high = 0;
  for (int i = 0; i < Quads; i++) low += pairs[2 * i], high += pairs[2 * i + 1];
  if (ATHANOR_VNNI) return -factor * (low + high);
  return int32_t((uint32_t(-factor * low) & 0xffff) | uint32_t(-factor * high) << 16);
}

// Non-finite values, and ones so small that 127 / max overflows. Returns the scale.
inline float quantiseRare(const float* x, int n, float most, int8_t* q) {
  const bool isNaN = most != most, isInfinite = most == __builtin_inff();
  for (int i = 0; i < n; i++) {
    if (isNaN) q[i] = 0;
    else if (isInfinite) q[i] = x[i] == most ? 1 : x[i] == -most ? -1 : 0;
    else q[i] = most == 0 ? 0 : int8_t(std::lrint(double(x[i]) / double(most) * 127));
  }
  return isNaN || isInfinite ? most : most / 127;
}

// n values, a multiple of 16, to bytes. Returns the scale.
inline float quantiseRun(const float* x, int n, int8_t* q) {
  I32 bits{};  // |x| as integers: NaN is the largest
  for (int i = 0; i < n; i += LANES) {
    const I32 b = (I32)load(x + i) & 0x7fffffff;
    bits = b > bits ? b : bits;
  }
  int32_t top = 0;
  for (int l = 0; l < LANES; l++) top = bits[l] > top ? bits[l] : top;
  float most;
  std::memcpy(&most, &top, sizeof most);
  if (!(most > 1e-30f && most < __builtin_inff())) return quantiseRare(x, n, most, q);
  const F32 inverse = splat(127.0f / most);
  constexpr float TO_INTEGER = 12582912.0f;  // 1.5·2²³: the sum's last bits are the nearest integer
  for (int i = 0; i < n; i += LANES) {
    const I32 rounded = (I32)(load(x + i) * inverse + splat(TO_INTEGER));
    using I8 = int8_t __attribute__((vector_size(LANES)));
    const I8 bytes = __builtin_convertvector(rounded, I8);  // the last byte: 0x4b400000 has none
    std::memcpy(q + i, &bytes, sizeof bytes);
  }
  return most / 127;
}

inline void encode(const float* x, Bytes32& out, int factor) {
  int8_t q[32];
  out.scale = quantiseRun(x, 32, q);
  out.offset = offsetOf<8>(q, factor);
  std::memcpy(out.quads, q, sizeof q);
}
inline void encode(const float* x, Words32& out, int) {  // signed weights: nothing to subtract
  int8_t q[32];
  int16_t pairs[16], words[32];
  out.scale = quantiseRun(x, 32, q);
  std::memcpy(pairs, q, sizeof q);
  for (int i = 0; i < 16; i++) {
    words[i] = int16_t(int16_t(uint16_t(pairs[i]) << 8) >> 8);
    words[16 + i] = int16_t(pairs[i] >> 8);
  }
  std::memcpy(out.words, words, sizeof words);
}
inline void encode(const float* x, BytesQ4K& out) {
  int8_t q[256];
  int16_t sums[8];
  out.scale = quantiseRun(x, 256, q);
  for (int j = 0; j < 8; j++) {
    int sum = 0;
    for (int i = 0; i < 32; i++) sum += q[32 * j + i];
    sums[j] = int16_t(sum);
  }
  std::memcpy(out.sums, sums, sizeof sums);
  std::memcpy(out.quads, q, sizeof q);
}
inline void encode(const float* x, BytesQ6K& out) {
  int8_t q[256];
  out.scale = quantiseRun(x, 256, q);
  for (int j = 0; j < 16; j++) out.offsets[j] = offsetOf<4>(q + 16 * j, 32);
  std::memcpy(out.quads, q, sizeof q);
}

}  // namespace athanor::ATHANOR_ISA::quant
