// Integer products for weights in a block format. A register holds LANES lanes of four bytes or two words; a lane is one
// row of weights (or one token's values, broadcast), so that nothing is ever added across lanes.
//   AVX2, AVX-512: bytes by vpmaddubsw, summed as words; words by vpmaddwd.
//   AVX-512 VNNI:  bytes by vpdpbusd, summed as they are multiplied. ATHANOR_EMULATE_VNNI is for tests elsewhere.
//   others:        the same on GCC's vectors. (NEON's sdot is not used: there was no machine to measure it on.)
#pragma once

#include "simd.h"

#if (defined(__AVX512VNNI__) && ATHANOR_LANES == 16) || defined(ATHANOR_EMULATE_VNNI)
#define ATHANOR_VNNI 1
#else
#define ATHANOR_VNNI 0
#endif

namespace athanor::ATHANOR_ISA::quant {

using I16 = int16_t __attribute__((vector_size(LANES * 4)));
using W16 = uint16_t __attribute__((vector_size(LANES * 4)));

inline I32 loadLanes(const void* p) { I32 v; std::memcpy(&v, p, sizeof v); return v; }
inline I32 broadcast(const int32_t* p) { return *p - I32{}; }

// Per word: w₀·a₀ + w₁·a₁ of unsigned and signed bytes; the products used here stay far below saturation.
inline I16 multiplyBytes(I32 w, I32 a) {
#if ATHANOR_LANES == 16 && defined(__AVX512BW__)
  return (I16)_mm512_maddubs_epi16((__m512i)w, (__m512i)a);
#elif ATHANOR_LANES == 8 && defined(__AVX2__)
  return (I16)_mm256_maddubs_epi16((__m256i)w, (__m256i)a);
#else
  return (I16)((W16)w & 255) * ((I16)((W16)a << 8) >> 8) + (I16)((W16)w >> 8) * ((I16)a >> 8);
#endif
}

// Per lane: x₀·y₀ + x₁·y₁ of signed words.
inline I32 multiplyWords(I32 x, I32 y) {
#if ATHANOR_LANES == 16 && defined(__AVX512BW__)
  return (I32)_mm512_madd_epi16((__m512i)x, (__m512i)y);
#elif ATHANOR_LANES == 8 && defined(__AVX2__)
  return (I32)_mm256_madd_epi16((__m256i)x, (__m256i)y);
#else
  return ((I32)((U32)x << 16) >> 16) * ((I32)((U32)y << 16) >> 16) + (x >> 16) * (y >> 16);
#endif
}

// Keeps a running sum in its register: integer additions may be reordered, and a compiler that does so computes all
// products of a block first and spills them (a factor of 2).
template <class V> inline void inRegister(V& v) {
#if defined(__AVX512F__)
  asm("" : "+v"(v));
#elif defined(__x86_64__) && (ATHANOR_LANES == 4 || (ATHANOR_LANES == 8 && defined(__AVX2__)))
  asm("" : "+x"(v));
#elif defined(__aarch64__)
  asm("" : "+w"(v));
#else
  (void)v;
#endif
}

inline F32 toFloats(I32 x) { return __builtin_convertvector(x, F32); }

// The same word in both halves of a lane; `x` within 16 bits.
inline I32 bothWords(I32 x) { return (x & 0xffff) | (I32)((U32)x << 16); }

// Byte i of each lane as both its words, unsigned or signed; bytes 2i and 2i + 1 as its words.
#if (ATHANOR_LANES == 8 && defined(__AVX2__)) || (ATHANOR_LANES == 16 && defined(__AVX512BW__))
inline I32 shuffleBytes(I32 x, uint32_t lane) {  // the same four numbers in every lane, ≥ 128 for zero
  const I32 order = I32{} + int32_t(lane);
#if ATHANOR_LANES == 8
  const __m256i base = _mm256_setr_epi32(0, 0x04040404, 0x08080808, 0x0c0c0c0c, 0, 0x04040404, 0x08080808, 0x0c0c0c0c);
  return (I32)_mm256_shuffle_epi8((__m256i)x, _mm256_add_epi8((__m256i)order, base));
#else
  const __m512i base = _mm512_set4_epi32(0x0c0c0c0c, 0x08080808, 0x04040404, 0);
  return (I32)_mm512_shuffle_epi8((__m512i)x, _mm512_add_epi8((__m512i)order, base));
#endif
}
inline I32 byteAsWords(I32 x, int i) { return shuffleBytes(x, 0x80008000u + 0x00010001u * uint32_t(i)); }
inline I32 signedAsWords(I32 x, int i) { return (I32)((I16)shuffleBytes(x, 0x00800080u + 0x01000100u * uint32_t(i)) >> 8); }
inline I32 pairAsWords(I32 x, int i) { return shuffleBytes(x, 0x80018000u + 0x00020002u * uint32_t(i)); }
#else
inline I32 byteAsWords(I32 x, int i) { return bothWords(x >> 8 * i & 255); }
inline I32 signedAsWords(I32 x, int i) { return bothWords((I32)((U32)x << (24 - 8 * i)) >> 24); }
inline I32 pairAsWords(I32 x, int i) { return (x >> 16 * i & 255) | (x >> 16 * i & 0xff00) << 8; }
#endif

// A running sum of products of unsigned weights and signed values; what the format subtracts from its weights (8, 32,
// 128) is where the sum starts. In words it may wrap on the way: only its end must fit.
#if ATHANOR_VNNI
using Sum = I32;
inline void add(Sum& sum, I32 w, I32 a) {
#if defined(ATHANOR_EMULATE_VNNI)
  const auto byte = [](U32 x, int i) { return (I32)(x >> 8 * i & 255); };
  const auto signedByte = [](U32 x, int i) { return (I32)(x << (24 - 8 * i)) >> 24; };
  for (int i = 0; i < 4; i++) sum += byte((U32)w, i) * signedByte((U32)a, i);
#else
  sum = (I32)_mm512_dpbusd_epi32((__m512i)sum, (__m512i)w, (__m512i)a);
#endif
}
// What `scaled` multiplies by: byte i of each lane.
inline I32 total(Sum sum) { return sum; }
inline I32 scaled(Sum sum, I32 scale) { return sum * scale; }
inline I32 scaleOf(I32 x, int i) { return x >> 8 * i & 255; }
inline I32 signedScaleOf(I32 x, int i) { return (I32)((U32)x << (24 - 8 * i)) >> 24; }
#else
using Sum = I16;
inline void add(Sum& sum, I32 w, I32 a) {
  sum += multiplyBytes(w, a);
  inRegister(sum);
}
inline I32 total(Sum sum) { return multiplyWords((I32)sum, I32{} + 0x00010001); }
inline I32 scaled(Sum sum, I32 scale) { return multiplyWords((I32)sum, scale); }
inline I32 scaleOf(I32 x, int i) { return byteAsWords(x, i); }
inline I32 signedScaleOf(I32 x, int i) { return signedAsWords(x, i); }
#endif

// LANES half floats.
inline F32 loadHalves(const void* p) {
#if ATHANOR_LANES == 16 && defined(__AVX512F__)
  // (masked, since g++ 12 warns of its own header otherwise)
  return (F32)_mm512_maskz_cvtph_ps(__mmask16(0xffff), _mm256_loadu_si256(static_cast<const __m256i*>(p)));
#elif ATHANOR_LANES == 8 && defined(__F16C__)
  return (F32)_mm256_cvtph_ps(_mm_loadu_si128(static_cast<const __m128i*>(p)));
#else
  U16 bits;
  std::memcpy(&bits, p, sizeof bits);
  const U32 wide = __builtin_convertvector(bits, U32), rest = wide & 0x7fff;
  // The exponent's bias goes from 15 to 127 by a product, which is right for denormal halves too.
  const F32 finite = (F32)(rest << 13) * splat(0x1p112f);
  const U32 magnitude = rest >= 0x7c00 ? (rest << 13 | 0x7f800000u) : (U32)finite;
  return (F32)(magnitude | (wide & 0x8000) << 16);
#endif
}

}  // namespace athanor::ATHANOR_ISA::quant
