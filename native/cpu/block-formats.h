// Blocks of weights as floats: the formats of src/core/block-formats.ts, one block at a time.
#pragma once

#include <cmath>

#include "operand.h"

namespace athanor::ATHANOR_ISA {

inline float fromF16(uint16_t bits) {
  const int exponent = bits >> 10 & 31, mantissa = bits & 1023;
  const float sign = bits & 0x8000 ? -1.0f : 1.0f;
  if (exponent == 31) return mantissa == 0 ? sign * __builtin_inff() : __builtin_nanf("");
  return sign * (exponent == 0 ? std::ldexp(float(mantissa), -24) : std::ldexp(float(1024 + mantissa), exponent - 25));
}
inline float f16At(const uint8_t* p) {
  uint16_t bits;
  std::memcpy(&bits, p, 2);
  return fromF16(bits);
}

// Scale and minimum j of the twelve bytes that q4_k and q5_k have of them.
inline void scaleAndMin(const uint8_t* p, int j, int& scale, int& min) {
  scale = j < 4 ? p[j] & 63 : (p[j + 4] & 15) | (p[j - 4] >> 6) << 4;
  min = j < 4 ? p[j + 4] & 63 : p[j + 4] >> 4 | (p[j] >> 6) << 4;
}

inline void decodeQ80(const uint8_t* block, float* out) {
  const float d = f16At(block);
  for (int i = 0; i < 32; i++) out[i] = d * float(int8_t(block[2 + i]));
}
inline void decodeQ40(const uint8_t* block, float* out) {
  const float d = f16At(block);
  for (int i = 0; i < 16; i++) {
    out[i] = d * float((block[2 + i] & 15) - 8);
    out[i + 16] = d * float((block[2 + i] >> 4) - 8);
  }
}
inline void decodeQ4K(const uint8_t* block, float* out) {
  const float d = f16At(block), dMin = f16At(block + 2);
  for (int j = 0; j < 8; j++) {
    int scale, min;
    scaleAndMin(block + 4, j, scale, min);
    const uint8_t* from = block + 16 + 32 * (j / 2);
    for (int i = 0; i < 32; i++) out[32 * j + i] = d * float(scale * (from[i] >> 4 * (j % 2) & 15)) - dMin * float(min);
  }
}
inline void decodeQ5K(const uint8_t* block, float* out) {
  const float d = f16At(block), dMin = f16At(block + 2);
  for (int j = 0; j < 8; j++) {
    int scale, min;
    scaleAndMin(block + 4, j, scale, min);
    const uint8_t* from = block + 48 + 32 * (j / 2);
    for (int i = 0; i < 32; i++) {
      const int level = (from[i] >> 4 * (j % 2) & 15) | (block[16 + i] >> j & 1) << 4;
      out[32 * j + i] = d * float(scale * level) - dMin * float(min);
    }
  }
}
inline void decodeQ6K(const uint8_t* block, float* out) {
  const float d = f16At(block + 208);
  for (int i = 0; i < 256; i++) {
    const int part = i / 128, quarter = i / 32 % 4, l = i % 32;
    const int low = block[64 * part + 32 * (quarter % 2) + l] >> 4 * (quarter / 2) & 15;
    const int high = block[128 + 32 * part + l] >> 2 * quarter & 3;
    out[i] = d * float(int8_t(block[192 + i / 16]) * ((low | high << 4) - 32));
  }
}

inline void decodeBf16x2(const uint8_t* block, float* out) {
  bf16 values[2];
  std::memcpy(values, block, sizeof values);
  for (int i = 0; i < 2; i++) out[i] = fromBf16(values[i]);
}

// One block's values.
inline void decodeBlock(DType format, const uint8_t* block, float* out) {
  switch (format) {
    case DType::q8_0: return decodeQ80(block, out);
    case DType::q4_0: return decodeQ40(block, out);
    case DType::q4_k: return decodeQ4K(block, out);
    case DType::q5_k: return decodeQ5K(block, out);
    case DType::q6_k: return decodeQ6K(block, out);
    case DType::bf16x2: return decodeBf16x2(block, out);
    default: return;
  }
}

}  // namespace athanor::ATHANOR_ISA
