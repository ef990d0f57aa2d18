// The searches of the k-quants and what else encoding blocks needs, a lane a group (quantise.cc): ggml's make_qkx2_quants
// and make_qx_quants (ggml/src/ggml-quants.c) as src/core/block-search.ts has them, operation for operation in f32.
#pragma once

#include "block-formats.h"

namespace athanor::ATHANOR_ISA::quantise_detail {

// Bits of the nearest f16, ties to even.
inline uint16_t toF16(float x) {
  uint32_t bits;
  std::memcpy(&bits, &x, 4);
  const uint16_t sign = uint16_t(bits >> 16 & 0x8000);
  const float size = std::fabs(x);
  if (x != x) return 0x7e00;
  if (size >= 65520.0f) return uint16_t(sign | 0x7c00);  // halfway from the largest number, 65504, to 2^16
  if (size < 0x1p-14f) {
    const float steps = size + 0.5f;  // the last bit of 0.5 is 2^-24, an f16's smallest step
    uint32_t sum;
    std::memcpy(&sum, &steps, 4);
    return uint16_t(sign | (sum - 0x3f000000));
  }
  uint32_t rest;
  std::memcpy(&rest, &size, 4);
  rest += 0xfff + (rest >> 13 & 1);  // a carry goes on into the exponent, as it should
  return uint16_t(sign | ((rest >> 13) - (112 << 10)));
}
inline void putHalf(uint8_t* out, float value) {
  const uint16_t bits = toF16(value);
  std::memcpy(out, &bits, 2);
}

constexpr float MAGIC = 12582912.0f;  // 1.5 · 2^23: a float of this size has steps of one

// ggml's nearest_int: the nearest whole number, ties to even; whatever the bits give beyond ±2^22, as there.
inline int nearestInt(float x) {
  const float moved = x + MAGIC;
  int32_t bits;
  std::memcpy(&bits, &moved, 4);
  return (bits & 0x7fffff) - 0x400000;
}
inline I32 within(I32 x, int low, int high) {
  const I32 below = x < low, above = x > high;
  x = (below & low) | (~below & x);
  return (above & high) | (~above & x);
}
inline I32 nearestWithin(F32 x, int low, int high) { return within(((I32)(x + MAGIC) & 0x7fffff) - 0x400000, low, high); }
inline F32 asFloats(I32 x) { return __builtin_convertvector(x, F32); }

// 1/d, and 0 for 0.
inline F32 inverseOf(F32 d) { return select(d == 0.0f, zero(), 1.0f / d); }

// Towards zero; what is no number or far too large becomes 0.
inline I32 truncated(F32 x) { return __builtin_convertvector(select(abs(x) < 0x1p30f, x, zero()), I32); }

// Ties away from zero, as roundf; the fraction is exact.
inline I32 roundAway(F32 x) {
  const I32 whole = truncated(x);
  const F32 rest = x - asFloats(whole);
  return whole - (rest >= 0.5f) + (rest <= -0.5f);  // a true comparison is −1
}

// Values i of the groups from x on, [group][i] → [i][group]; groups beyond `count` are copies of the first.
template <int GROUP> inline void transposeGroups(const float* x, int count, F32* out) {
  for (int i = 0; i < GROUP; i++)
    for (int g = 0; g < LANES; g++) out[i][g] = x[(g < count ? g : 0) * GROUP + i];
}

// The levels of groups whose rounded scale is `step`: (x + offset) / step. Where it is 0 the search's levels stay.
template <int GROUP> inline void refine(const F32* x, F32 step, F32 offset, int low, int high, int added, int32_t (*levels)[LANES]) {
  const I32 stays = step == 0.0f;
  for (int i = 0; i < GROUP; i++) {
    I32 old;
    std::memcpy(&old, levels[i], sizeof old);
    const I32 fresh = nearestWithin((x[i] + offset) / step, low, high) + added;
    old = (stays & old) | (~stays & fresh);
    std::memcpy(levels[i], &old, sizeof old);
  }
}

struct ScaleAndMin {
  F32 scale, min;
};

// What a search tries: levels from 0 to `levels`, and steps of 0.1 from `from` beside them on.
struct Grid {
  int levels, steps;
  float from;
};
constexpr Grid GRID_Q4K{15, 20, -1.0f}, GRID_Q5K{31, 15, -0.5f};

// Levels, a scale and a minimum (at most zero) for groups of 32: x ≈ scale·level + minimum.
template <Grid grid> inline ScaleAndMin searchScaleAndMin(const F32* x, int32_t (*levels)[LANES]) {
  constexpr int GROUP = 32, LEVELS = grid.levels, STEPS = grid.steps;
  F32 weights[GROUP], best[GROUP], squares = zero();
  for (int i = 0; i < GROUP; i++) squares += x[i] * x[i];
  F32 mean = squares / 32.0f;
  for (int g = 0; g < LANES; g++) mean[g] = std::sqrt(mean[g]);
  for (int i = 0; i < GROUP; i++) weights[i] = mean + abs(x[i]);
  F32 low = x[0], high = x[0], sumW = weights[0], sumX = weights[0] * x[0];
  for (int i = 1; i < GROUP; i++) {
    low = min(x[i], low);
    high = max(x[i], high);
    sumW += weights[i];
    sumX += weights[i] * x[i];
  }
  low = select(low > 0.0f, zero(), low);
  const I32 flat = high == low;
  const F32 first = float(LEVELS) / (high - low);
  ScaleAndMin found{1.0f / first, low};
  F32 bestError = zero();
  for (int i = 0; i < GROUP; i++) {
    best[i] = asFloats(nearestWithin(first * (x[i] - low), 0, LEVELS));
    const F32 diff = found.scale * best[i] + low - x[i];
    bestError += weights[i] * (diff * diff);
  }
  for (int step = 0; step <= STEPS; step++) {
    const F32 inverse = (grid.from + 0.1f * float(step) + float(LEVELS)) / (high - found.min);  // the minimum found so far
    F32 trial[GROUP], sumL = zero(), sumL2 = zero(), sumXl = zero();
    for (int i = 0; i < GROUP; i++) {
      trial[i] = asFloats(nearestWithin(inverse * (x[i] - found.min), 0, LEVELS));
      const F32 wl = weights[i] * trial[i];
      sumL += wl;
      sumL2 += wl * trial[i];
      sumXl += wl * x[i];
    }
    const F32 determinant = sumW * sumL2 - sumL * sumL;
    F32 scale = (sumW * sumXl - sumX * sumL) / determinant, offset = (sumL2 * sumX - sumL * sumXl) / determinant;
    const I32 over = offset > 0.0f;
    scale = select(over, sumXl / sumL2, scale);
    offset = select(over, zero(), offset);
    F32 error = zero();
    for (int i = 0; i < GROUP; i++) {
      const F32 diff = scale * trial[i] + offset - x[i];
      error += weights[i] * (diff * diff);
    }
    const I32 better = (determinant > 0.0f) & (error < bestError);
    for (int i = 0; i < GROUP; i++) best[i] = select(better, trial[i], best[i]);
    bestError = select(better, error, bestError);
    found.scale = select(better, scale, found.scale);
    found.min = select(better, offset, found.min);
  }
  for (int i = 0; i < GROUP; i++) {
    const I32 level = __builtin_convertvector(select(flat, zero(), best[i]), I32);
    std::memcpy(levels[i], &level, sizeof level);
  }
  return {select(flat, zero(), found.scale), select(flat, low, found.min)};
}

constexpr float TINY = 1e-15f;  // smaller ones count as zero (ggml's GROUP_MAX_EPS)

// Levels −32…31, kept with 32 added, and a scale for groups of 16: x ≈ scale·level, over a grid of 19 steps.
inline F32 searchScale(const F32* x, int32_t (*levels)[LANES]) {
  constexpr int GROUP = 16;
  F32 weights[GROUP], weighted[GROUP], largest = zero(), size = zero(), chosen = zero();
  for (int i = 0; i < GROUP; i++) {
    const I32 larger = abs(x[i]) > size;
    size = select(larger, abs(x[i]), size);
    largest = select(larger, x[i], largest);
    weights[i] = x[i] * x[i];
    weighted[i] = weights[i] * x[i];
  }
  F32 scale = zero(), best = zero();
  for (int n = 0; n <= 18; n++) {  // the middle of the grid, 32 levels, comes first and is taken as it is
    const int step = n == 0 ? 0 : n <= 9 ? n - 10 : n - 9;
    const F32 inverse = -(32.0f + 0.1f * float(step)) / largest;
    F32 sumLx = zero(), sumL2 = zero();
    for (int i = 0; i < GROUP; i++) {
      const F32 level = asFloats(nearestWithin(inverse * x[i], -32, 31));
      sumLx += weighted[i] * level;
      sumL2 += weights[i] * level * level;
    }
    const I32 better = n == 0 ? sumL2 == sumL2 : (sumL2 > 0.0f) & (sumLx * sumLx > best * sumL2);
    const F32 fresh = select(sumL2 == 0.0f, zero(), sumLx / sumL2);
    chosen = select(better, inverse, chosen);
    scale = select(better, fresh, scale);
    best = select(better, fresh * sumLx, best);
  }
  const I32 tiny = size < TINY;
  for (int i = 0; i < GROUP; i++) {
    const I32 level = ~tiny & (nearestWithin(chosen * x[i], -32, 31) + 32);
    std::memcpy(levels[i], &level, sizeof level);
  }
  return select(tiny, zero(), scale);
}

}  // namespace athanor::ATHANOR_ISA::quantise_detail
