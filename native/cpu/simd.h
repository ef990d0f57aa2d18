// Portable SIMD on GCC/Clang vector types: one source, compiled once per instruction set with ATHANOR_ISA set to the
// namespace and ATHANOR_LANES to the width. Everything here is per lane and IEEE; no operation depends on the width
// except the reductions, whose order is fixed for one instruction set.
#pragma once

#include <cstdint>
#include <cstring>

#if defined(__AVX2__) || defined(__AVX512F__)
#include <immintrin.h>
#endif

#ifndef ATHANOR_ISA
#error "compile with -DATHANOR_ISA=portable|avx2|avx512|avx512bf16|neon"
#endif
#ifndef ATHANOR_LANES
#error "compile with -DATHANOR_LANES=4|8|16"
#endif

namespace athanor::ATHANOR_ISA {

constexpr int LANES = ATHANOR_LANES;
using F32 = float __attribute__((vector_size(LANES * 4)));
using I32 = int32_t __attribute__((vector_size(LANES * 4)));
using U32 = uint32_t __attribute__((vector_size(LANES * 4)));
using U16 = uint16_t __attribute__((vector_size(LANES * 2)));
using bf16 = uint16_t;  // storage only

inline F32 load(const float* p) { F32 v; std::memcpy(&v, p, sizeof v); return v; }
inline void store(float* p, F32 v) { std::memcpy(p, &v, sizeof v); }
inline F32 splat(float x) { return x - F32{}; }  // x - 0 is x, also for -0
inline F32 zero() { return F32{}; }

// First n lanes from memory (0 < n < LANES), the rest zero; nothing beyond p[n-1] is touched.
#if ATHANOR_LANES == 16 && defined(__AVX512F__)
inline F32 loadPart(const float* p, int n) { return (F32)_mm512_maskz_loadu_ps(__mmask16((1u << n) - 1), p); }
inline void storePart(float* p, F32 v, int n) { _mm512_mask_storeu_ps(p, __mmask16((1u << n) - 1), (__m512)v); }
#elif ATHANOR_LANES == 8 && defined(__AVX2__)
alignas(64) constexpr int32_t PART_MASKS[16] = {-1, -1, -1, -1, -1, -1, -1, -1, 0, 0, 0, 0, 0, 0, 0, 0};
inline __m256i partMask(int n) { return _mm256_loadu_si256((const __m256i*)(PART_MASKS + 8 - n)); }
inline F32 loadPart(const float* p, int n) { return (F32)_mm256_maskload_ps(p, partMask(n)); }
inline void storePart(float* p, F32 v, int n) { _mm256_maskstore_ps(p, partMask(n), (__m256)v); }
#else
inline F32 loadPart(const float* p, int n) {
  float buffer[LANES] = {};
  for (int i = 0; i < n; i++) buffer[i] = p[i];
  return load(buffer);
}
inline void storePart(float* p, F32 v, int n) {
  float buffer[LANES];
  store(buffer, v);
  for (int i = 0; i < n; i++) p[i] = buffer[i];
}
#endif

// a * b + c with one rounding where the processor has it.
inline F32 fma(F32 a, F32 b, F32 c) {
#if ATHANOR_LANES == 16 && defined(__AVX512F__)
  return (F32)_mm512_fmadd_ps((__m512)a, (__m512)b, (__m512)c);
#elif ATHANOR_LANES == 8 && defined(__FMA__)
  return (F32)_mm256_fmadd_ps((__m256)a, (__m256)b, (__m256)c);
#else
  return a * b + c;
#endif
}

inline F32 select(I32 mask, F32 yes, F32 no) { return mask ? yes : no; }
inline F32 max(F32 a, F32 b) { return a > b ? a : b; }
inline F32 min(F32 a, F32 b) { return a < b ? a : b; }
inline F32 abs(F32 a) { return (F32)((I32)a & 0x7fffffff); }

// Pairwise, in an order that depends on LANES only: lane i with lane i + half, then half of that.
inline float sum(F32 v) {
#if defined(__AVX2__) && ATHANOR_LANES >= 8
#if ATHANOR_LANES == 16
  __m256 x[2];
  std::memcpy(x, &v, sizeof v);
  const __m256 eight = x[0] + x[1];
#else
  const __m256 eight = (__m256)v;
#endif
  const __m128 four = _mm256_castps256_ps128(eight) + _mm256_extractf128_ps(eight, 1);
  const __m128 two = four + _mm_movehl_ps(four, four);
  return two[0] + two[1];
#else
  float x[LANES];
  store(x, v);
  for (int half = LANES / 2; half > 0; half /= 2)
    for (int i = 0; i < half; i++) x[i] += x[i + half];
  return x[0];
#endif
}
inline float maximum(F32 v) {
  float x[LANES];
  store(x, v);
  for (int half = LANES / 2; half > 0; half /= 2)
    for (int i = 0; i < half; i++) x[i] = x[i] > x[i + half] ? x[i] : x[i + half];
  return x[0];
}

// bf16 is the upper half of an f32. Rounding is to nearest even; a NaN stays a (quiet) NaN.
inline float fromBf16(bf16 x) {
  uint32_t bits = uint32_t(x) << 16;
  float f;
  std::memcpy(&f, &bits, 4);
  return f;
}
inline bf16 toBf16(float f) {
  uint32_t bits;
  std::memcpy(&bits, &f, 4);
  if ((bits & 0x7fffffff) > 0x7f800000) return bf16((bits >> 16) | 0x40);
  return bf16((bits + 0x7fff + ((bits >> 16) & 1)) >> 16);
}
inline F32 load(const bf16* p) {
#if ATHANOR_LANES == 8 && defined(__AVX2__)
  return (F32)_mm256_slli_epi32(_mm256_cvtepu16_epi32(_mm_loadu_si128((const __m128i*)p)), 16);
#else
  U16 h;
  std::memcpy(&h, p, sizeof h);
  return (F32)(__builtin_convertvector(h, U32) << 16);
#endif
}
inline void store(bf16* p, F32 v) {
  const U32 bits = (U32)v;
  const U32 rounded = (bits + 0x7fff + ((bits >> 16) & 1)) >> 16;
  const U32 nan = (bits >> 16) | 0x40;
  const U32 chosen = v == v ? rounded : nan;
#if ATHANOR_LANES == 8 && defined(__AVX2__)
  const __m256i packed = _mm256_packus_epi32((__m256i)chosen, (__m256i)chosen);  // by 128-bit halves
  _mm_storeu_si128((__m128i*)p, _mm256_castsi256_si128(_mm256_permute4x64_epi64(packed, 8)));
#else
  const U16 h = __builtin_convertvector(chosen, U16);
  std::memcpy(p, &h, sizeof h);
#endif
}
inline F32 loadPart(const bf16* p, int n) {
  bf16 buffer[LANES] = {};
  for (int i = 0; i < n; i++) buffer[i] = p[i];
  return load(buffer);
}
inline void storePart(bf16* p, F32 v, int n) {
  bf16 buffer[LANES];
  store(buffer, v);
  for (int i = 0; i < n; i++) p[i] = buffer[i];
}
inline float toFloat(float x) { return x; }
inline float toFloat(bf16 x) { return fromBf16(x); }

}  // namespace athanor::ATHANOR_ISA
