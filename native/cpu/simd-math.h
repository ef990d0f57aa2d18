// Elementary functions on simd.h's vectors. Polynomials are those of Moshier's Cephes library (single precision)
// unless a comment says otherwise; the largest errors, in units in the last place against a double reference, are
// measured by tests/native/elementwise.cc and stand beside each function (8 lanes with FMA; 4 lanes without FMA in
// brackets where they differ). All of them: NaN in, NaN out; results below the smallest denormal become 0.
#pragma once

#include <cmath>

#include "simd.h"

namespace athanor::ATHANOR_ISA {

using F64 = double __attribute__((vector_size(LANES * 4)));
using I64 = int64_t __attribute__((vector_size(LANES * 4)));
using F32Half = float __attribute__((vector_size(LANES * 2)));
constexpr int HALF_LANES = LANES / 2;

// Adding 1.5 * 2^23 to a float leaves its nearest integer in the low bits of the sum; the same for double at 2^52.
constexpr float ROUNDER = 12582912.0f;
constexpr double ROUNDER64 = 6755399441055744.0;

inline F32 sqrt(F32 x) {
#if ATHANOR_LANES == 16 && defined(__AVX512F__)
  return (F32)_mm512_maskz_sqrt_ps(0xffff, (__m512)x);
#elif ATHANOR_LANES == 8 && defined(__AVX2__)
  return (F32)_mm256_sqrt_ps((__m256)x);
#else
  F32 y{};
  for (int i = 0; i < LANES; i++) y[i] = __builtin_sqrtf(x[i]);
  return y;
#endif
}

inline F32 floor(F32 x) {
#if ATHANOR_LANES == 16 && defined(__AVX512F__)
  return (F32)_mm512_maskz_roundscale_ps(0xffff, (__m512)x, _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC);
#elif ATHANOR_LANES == 8 && defined(__AVX2__)
  return (F32)_mm256_floor_ps((__m256)x);
#else
  F32 y{};
  for (int i = 0; i < LANES; i++) y[i] = __builtin_floorf(x[i]);
  return y;
#endif
}

// 2^n for n in [-126, 127].
inline F32 power2(I32 n) { return (F32)(((U32)n + 127) << 23); }

// e^r for |r| <= ln(2)/2.
inline F32 expReduced(F32 r) {
  F32 p = splat(1.9875691500e-4f);
  p = fma(p, r, splat(1.3981999507e-3f));
  p = fma(p, r, splat(8.3334519073e-3f));
  p = fma(p, r, splat(4.1665795894e-2f));
  p = fma(p, r, splat(1.6666665459e-1f));
  p = fma(p, r, splat(5.0000001201e-1f));
  return fma(p, r * r, r) + 1.0f;
}

// e^x, 1.0 ulp [1.2], denormal results included. The scale is applied in two halves, so that neither leaves the range.
inline F32 exp(F32 x) {
  x = select(x > 89.0f, splat(89.0f), x);
  x = select(x < -104.0f, splat(-104.0f), x);
  const F32 shifted = fma(x, splat(1.44269504088896341f), splat(ROUNDER));
  const I32 n = (I32)((U32)shifted - (U32)splat(ROUNDER));  // unsigned: a NaN's bits may wrap
  const F32 whole = shifted - ROUNDER;
  F32 r = fma(whole, splat(-0.693359375f), x);
  r = fma(whole, splat(2.12194440e-4f), r);
  const I32 half = n >> 1;
  return expReduced(r) * power2(half) * power2(n - half);
}

// 2^x for x <= 0 (softmax): exactly 0 below -126, exactly 1 at 0; 1.0 ulp.
inline F32 exp2NonPositive(F32 x) {
  const F32 safe = select(x < -126.0f, splat(-126.0f), x);
  const F32 shifted = safe + ROUNDER;
  const I32 n = (I32)((U32)shifted - (U32)splat(ROUNDER));  // unsigned: a NaN's bits may wrap
  const F32 f = safe - (shifted - ROUNDER);
  const F32 f2 = f * f;
  const F32 high = fma(splat(1.535336188319500e-4f), f2, fma(splat(1.339887440266574e-3f), f, splat(9.618437357674640e-3f)));
  const F32 low = fma(fma(splat(5.550332471162809e-2f), f, splat(2.402264791363012e-1f)), f2, fma(splat(6.931472028550421e-1f), f, splat(1.0f)));
  const F32 p = fma(high, f2 * f2, low);
  return (F32)((I32)(p * power2(n)) & ~(I32)(x < -126.0f));
}

// Natural logarithm, 1.0 ulp; log(0) = -Inf, log of a negative number is NaN, denormals included.
inline F32 log(F32 x) {
  const I32 tiny = (I32)(x < 1.17549435e-38f);
  const F32 scaled = select(tiny, x * 8388608.0f, x);
  const I32 bits = (I32)((U32)scaled - 0x3f3504f3u);  // the mantissa's interval becomes [sqrt(1/2), sqrt(2))
  const I32 exponent = (bits >> 23) - (tiny & 23);
  const F32 m = (F32)((bits & 0x007fffff) + 0x3f3504f3) - 1.0f;
  const F32 e = __builtin_convertvector(exponent, F32);
  F32 p = splat(7.0376836292e-2f);
  p = fma(p, m, splat(-1.1514610310e-1f));
  p = fma(p, m, splat(1.1676998740e-1f));
  p = fma(p, m, splat(-1.2420140846e-1f));
  p = fma(p, m, splat(1.4249322787e-1f));
  p = fma(p, m, splat(-1.6668057665e-1f));
  p = fma(p, m, splat(2.0000714765e-1f));
  p = fma(p, m, splat(-2.4999993993e-1f));
  p = fma(p, m, splat(3.3333331174e-1f));
  const F32 m2 = m * m;
  F32 y = p * m2 * m;
  y = fma(e, splat(-2.12194440e-4f), y);
  y = fma(m2, splat(-0.5f), y);
  F32 result = fma(e, splat(0.693359375f), m + y);
  result = select(x == 0.0f, splat(-__builtin_inff()), result);
  result = select(x == __builtin_inff(), x, result);
  return select((x < 0.0f) | (x != x), splat(__builtin_nanf("")), result);
}

// e^x for x <= 0; 0 below -87.3, where the result would be denormal.
inline F32 expNonPositive(F32 x) {
  const F32 safe = select(x < -87.3f, splat(-87.3f), x);
  const F32 shifted = fma(safe, splat(1.44269504088896341f), splat(ROUNDER));
  const I32 n = (I32)((U32)shifted - (U32)splat(ROUNDER));
  const F32 whole = shifted - ROUNDER;
  F32 r = fma(whole, splat(-0.693359375f), safe);
  r = fma(whole, splat(2.12194440e-4f), r);
  return (F32)((I32)(expReduced(r) * power2(n)) & ~(I32)(x < -87.3f));
}

// 1 / (1 + e^-x), 2.2 ulp, 0 below -87.3; written with e^-|x| so that the far negative side keeps its digits.
inline F32 sigmoid(F32 x) {
  const F32 e = expNonPositive((F32)((I32)x | (int32_t)0x80000000));
  return select(x < 0.0f, e, splat(1.0f)) / (1.0f + e);
}

// Hyperbolic tangent, 1.3 ulp.
inline F32 tanh(F32 x) {
  const F32 z = x * x;
  F32 p = splat(-5.70498872745e-3f);
  p = fma(p, z, splat(2.06390887954e-2f));
  p = fma(p, z, splat(-5.37397155531e-2f));
  p = fma(p, z, splat(1.33314422036e-1f));
  p = fma(p, z, splat(-3.33332819422e-1f));
  const F32 small = fma(p * z, x, x);
  const F32 big = 1.0f - 2.0f / (exp(abs(x) * 2.0f) + 1.0f);
  const I32 sign = (I32)x & (int32_t)0x80000000;
  return select(abs(x) < 0.625f, small, (F32)((I32)big | sign));
}

// What GELU's tanh form needs: with v = 2 sqrt(2/pi) (x + 0.044715 x^3), e = e^-|v| (exactly 0 below 2^-126) and
// 1 / (1 + e). Log2(e) is in the polynomial's factors, so that e is one power of two; its relative error grows with |v|,
// but then e is next to nothing. The square is bounded so that dv/dx stays finite.
struct GeluGate { F32 square, e, inverse; };
constexpr float GELU_SCALE = 1.5957691216057308f, GELU_CUBE = 0.07135481282752f;  // 2 sqrt(2/pi), times 0.044715
inline GeluGate geluGate(F32 x) {
  const F32 square = min(x * x, splat(1e8f));
  const F32 gate = fma(square, splat(GELU_CUBE * 1.44269504f), splat(GELU_SCALE * 1.44269504f));
  const F32 e = exp2NonPositive((F32)((I32)(x * gate) | (int32_t)0x80000000));
  return {square, e, 1.0f / (1.0f + e)};
}

// x sigmoid(v): absolute error below 2^-23 max(1, |x|).
inline F32 gelu(F32 x) {
  const GeluGate g = geluGate(x);
  return x * select(x < 0.0f, g.e * g.inverse, g.inverse);
}

// Its derivative, s + x s (1 - s) dv/dx; s (1 - s) is e / (1 + e)^2 on both sides. Absolute error below 2^-21.
inline F32 geluSlope(F32 x) {
  const GeluGate g = geluGate(x);
  const F32 low = g.e * g.inverse;
  const F32 rise = fma(g.square, splat(3 * GELU_CUBE), splat(GELU_SCALE));
  return fma(x * rise, low * g.inverse, select(x < 0.0f, low, g.inverse));
}

// Error function, 1.0 ulp. Two polynomials after N. Juffa: odd below 0.93, 1 - e^-t·P(t) above.
inline F32 erf(F32 x) {
  const F32 t = abs(x), s = x * x;
  F32 r = fma(splat(-1.72853470e-5f), t, splat(3.83197126e-4f));
  const F32 u = fma(splat(-3.88396438e-3f), t, splat(2.42546219e-2f));
  r = fma(r, s, u);
  r = fma(r, t, splat(-1.06777877e-1f));
  r = fma(r, t, splat(-6.34846687e-1f));
  r = fma(r, t, splat(-1.28717512e-1f));
  r = fma(r, t, -t);
  const F32 tail = 1.0f - exp(select(t > 4.0f, splat(-40.0f), r));  // beyond 3.92 the result rounds to 1
  const I32 sign = (I32)x & (int32_t)0x80000000;
  F32 p = splat(-5.96761703e-4f);
  p = fma(p, s, splat(4.99119423e-3f));
  p = fma(p, s, splat(-2.67681349e-2f));
  p = fma(p, s, splat(1.12819925e-1f));
  p = fma(p, s, splat(-3.76125336e-1f));
  p = fma(p, s, splat(1.28379166e-1f));
  const F32 result = select(t > 0.927734375f, (F32)((I32)tail | sign), fma(p, x, x));
  return select(x != x, x, result);
}

// The two halves of a vector as doubles, and back.
struct Pair64 { F64 low, high; };
inline Pair64 widen(F32 x) {
  F32Half half[2];
  std::memcpy(half, &x, sizeof x);
  return {__builtin_convertvector(half[0], F64), __builtin_convertvector(half[1], F64)};
}
inline F32 narrow(Pair64 x) {
  const F32Half half[2] = {__builtin_convertvector(x.low, F32Half), __builtin_convertvector(x.high, F32Half)};
  F32 y;
  std::memcpy(&y, half, sizeof y);
  return y;
}

// x modulo pi/2 in [-pi/4, pi/4], and the quadrant in the low two bits. The first part of pi/2 has 33 bits, so that its
// multiples are exact below the limit even without FMA.
inline F64 reduceQuarter(F64 x, I64& quadrant) {
  const F64 shifted = x * 0.63661977236758134308 + ROUNDER64;
  quadrant = (I64)shifted;
  const F64 n = shifted - ROUNDER64;
  return (x - n * 1.57079632673412561417) - n * 6.07710050650619224932e-11;
}
constexpr float TRIGONOMETRIC_LIMIT = 1e6f;

// sin(x + quarter·pi/2), 1.6 ulp below the limit; single lanes beyond it go through the C library.
inline F32 sinQuarter(F32 x, int quarter) {
  const Pair64 wide = widen(x);
  I64 quadrants[2];
  const F32 r = narrow({reduceQuarter(wide.low, quadrants[0]), reduceQuarter(wide.high, quadrants[1])});
  I32 quadrant{};
  for (int i = 0; i < LANES; i++) quadrant[i] = (int32_t)quadrants[i / HALF_LANES][i % HALF_LANES] + quarter;
  const F32 z = r * r;
  F32 s = fma(splat(-1.9515295891e-4f), z, splat(8.3321608736e-3f));
  s = fma(s, z, splat(-1.6666654611e-1f));
  s = fma(s * z, r, r);
  F32 c = fma(splat(2.443315711809948e-5f), z, splat(-1.388731625493765e-3f));
  c = fma(c, z, splat(4.166664568298827e-2f));
  c = fma(c, z * z, fma(z, splat(-0.5f), splat(1.0f)));
  const I32 sign = (quadrant & 2) << 30;
  F32 y = (F32)((I32)select((quadrant & 1) != 0, c, s) ^ sign);
  for (int i = 0; i < LANES; i++)
    if (!(__builtin_fabsf(x[i]) < TRIGONOMETRIC_LIMIT))
      y[i] = float(quarter == 0 ? std::sin(double(x[i])) : std::cos(double(x[i])));
  return y;
}
inline F32 sin(F32 x) { return sinQuarter(x, 0); }
inline F32 cos(F32 x) { return sinQuarter(x, 1); }

// log2 of a positive normal double to about 1e-13, by the series of atanh: log m = 2 atanh((m - 1) / (m + 1)).
inline F64 log2Wide(F64 x) {
  const I64 bits = (I64)x - 0x3fe6a09e667f3bcd;  // mantissa in [sqrt(1/2), sqrt(2))
  const I64 exponent = bits >> 52;
  const F64 m = (F64)((bits & 0x000fffffffffffff) + 0x3fe6a09e667f3bcd);
  const F64 e = (F64)(exponent + (I64)(F64{} + ROUNDER64)) - ROUNDER64;
  const F64 s = (m - 1.0) / (m + 1.0), s2 = s * s;
  F64 p = s2 * (1.0 / 17) + 1.0 / 15;
  p = p * s2 + 1.0 / 13;
  p = p * s2 + 1.0 / 11;
  p = p * s2 + 1.0 / 9;
  p = p * s2 + 1.0 / 7;
  p = p * s2 + 1.0 / 5;
  p = p * s2 + 1.0 / 3;
  p = p * s2 + 1.0;
  return e + s * p * 2.88539008177792681472;  // 2 / ln 2
}

// 2^x to about 1e-11, x within double's exponents.
inline F64 exp2Wide(F64 x) {
  const F64 shifted = x + ROUNDER64;
  const I64 n = (I64)shifted - (I64)(F64{} + ROUNDER64);
  const F64 r = (x - (shifted - ROUNDER64)) * 0.69314718055994530942;
  F64 p = r * (1.0 / 3628800) + 1.0 / 362880;
  p = p * r + 1.0 / 40320;
  p = p * r + 1.0 / 5040;
  p = p * r + 1.0 / 720;
  p = p * r + 1.0 / 120;
  p = p * r + 1.0 / 24;
  p = p * r + 1.0 / 6;
  p = p * r + 0.5;
  p = p * r + 1.0;
  p = p * r + 1.0;
  return p * (F64)((n + 1023) << 52);
}

inline F64 powWide(F64 a, F64 b) {
  F64 y = b * log2Wide(a);
  y = y > 200.0 ? F64{} + 200.0 : y;
  y = y < -200.0 ? F64{} - 200.0 : y;
  return exp2Wide(y);
}

// a^b for a >= 0, correctly rounded but for rare ties (through double); NaN for a < 0, and a^0 = 1 for every a, as in C.
inline F32 pow(F32 a, F32 b) {
  const float inf = __builtin_inff();
  const Pair64 base = widen(select((a > 0.0f) & (a < inf), a, splat(1.0f))), power = widen(b);
  F32 y = narrow({powWide(base.low, power.low), powWide(base.high, power.high)});
  const F32 whenZero = select(b > 0.0f, zero(), splat(inf));
  y = select(a == 0.0f, whenZero, y);
  y = select(a == inf, select(b > 0.0f, splat(inf), zero()), y);
  // An infinite power meets log2(1) = 0 as NaN: 1 to any power is 1.
  y = select((a == 1.0f) & (b == b), splat(1.0f), y);
  y = select((a < 0.0f) | (a != a) | (b != b), splat(__builtin_nanf("")), y);
  return select(b == 0.0f, splat(1.0f), y);
}

}  // namespace athanor::ATHANOR_ISA
