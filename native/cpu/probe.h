// Loops that do nothing but multiply-adds, or nothing but reads: the limits that kernels are measured against.
#pragma once

#include "simd.h"

namespace athanor::ATHANOR_ISA::probe_detail {

// Independent chains: 2 units × 4–5 cycles of latency need 10; with the two operands they fit 16 registers.
constexpr int CHAINS = 12;

// Keeps a value in a register and the compiler from seeing through the loop.
template <class V>
inline void opaque(V& v) {
#if defined(__x86_64__)
  asm volatile("" : "+x"(v));
#else
  asm volatile("" : "+w"(v));
#endif
}

inline double fmaLoop(int64_t rounds) {
  F32 chain[CHAINS] = {};
  F32 a = splat(0.999f), b = splat(0.001f);
  opaque(a);
  opaque(b);
  for (F32& c : chain) opaque(c);  // else all chains are one to the compiler
  for (int64_t i = 0; i < rounds; i++) {
#pragma GCC unroll 12
    for (int j = 0; j < CHAINS; j++) chain[j] = fma(chain[j], a, b);
  }
  for (F32& c : chain) opaque(c);
  return 2.0 * LANES * CHAINS * double(rounds);
}

#if defined(__AVX512BF16__)
inline double bf16Loop(int64_t rounds) {
  __m512 chain[CHAINS] = {};
  __m512i a = _mm512_set1_epi16(0x3c00), b = _mm512_set1_epi16(0x3c00);
  asm volatile("" : "+v"(a), "+v"(b));
  for (__m512& c : chain) asm volatile("" : "+v"(c));
  for (int64_t i = 0; i < rounds; i++) {
#pragma GCC unroll 12
    for (int j = 0; j < CHAINS; j++) chain[j] = _mm512_dpbf16_ps(chain[j], (__m512bh)a, (__m512bh)b);
  }
  for (__m512& c : chain) asm volatile("" : "+v"(c));
  return 4.0 * LANES * CHAINS * double(rounds);  // two products a lane
}
constexpr auto BF16_LOOP = bf16Loop;
#else
constexpr double (*BF16_LOOP)(int64_t) = nullptr;
#endif

inline uint64_t readLoop(const std::byte* data, size_t bytes) {
  F32 a{}, b{}, c{}, d{};
  const auto* x = reinterpret_cast<const float*>(data);
  for (size_t i = 0; i + 4 * LANES <= bytes / sizeof(float); i += 4 * LANES) {
    a = max(a, load(x + i));
    b = max(b, load(x + i + LANES));
    c = max(c, load(x + i + 2 * LANES));
    d = max(d, load(x + i + 3 * LANES));
  }
  a = max(max(a, b), max(c, d));
  opaque(a);
  return uint64_t(a[0]);
}

}  // namespace athanor::ATHANOR_ISA::probe_detail
