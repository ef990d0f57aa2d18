// One token × one group of rows: the weights go from their stream through registers into products, without a panel
// (quant-tile.h is the same arithmetic for more tokens, and gives the same bits). dot() adds a block to `acc`.
#pragma once

#include "quant-tile.h"

namespace athanor::ATHANOR_ISA::quant {

inline F32 withProduct(F32 acc, I32 sum, F32 factor) { return fma(toFloats(sum), factor, acc); }

inline F32 dot(Q80, const uint8_t* block, const Words32& a, F32 acc) {
  I32 even{}, odd{};
#pragma GCC unroll 8
  for (int u = 0; u < 8; u++) {
    const I32 w = unit(block, u);
    even += multiplyWords((I32)((I16)((W16)w << 8) >> 8), broadcast(a.words + u));
    odd += multiplyWords((I32)((I16)w >> 8), broadcast(a.words + 8 + u));
    inRegister(even);
    inRegister(odd);
  }
  return withProduct(acc, even + odd, productOf(loadHalves(block + 32 * LANES), a.scale));
}
inline F32 dot(Q80, const uint8_t* block, const Bytes32& a, F32 acc) {
  Sum sum = (Sum)broadcast(&a.offset);
#pragma GCC unroll 8
  for (int u = 0; u < 8; u++) add(sum, unit(block, u) ^ I32(I32{} + int32_t(0x80808080)), broadcast(a.quads + u));
  return withProduct(acc, total(sum), productOf(loadHalves(block + 32 * LANES), a.scale));
}

inline F32 dot(Q40, const uint8_t* block, const Bytes32& a, F32 acc) {
  Sum sum = (Sum)broadcast(&a.offset);
#pragma GCC unroll 4
  for (int u = 0; u < 4; u++) {
    const I32 w = unit(block, u);
    add(sum, lowNibbles(w), broadcast(a.quads + u));
    add(sum, highNibbles(w), broadcast(a.quads + 4 + u));
  }
  return withProduct(acc, total(sum), productOf(loadHalves(block + 16 * LANES), a.scale));
}

inline F32 dot(Q4K, const uint8_t* block, const BytesQ4K& a, F32 acc) {
  const Q4K::Small small(block);
  I32 sums{}, mins{};
#pragma GCC unroll 4
  for (int jj = 0; jj < 4; jj++) {  // two parts share their bytes
    Sum low{}, high{};
#pragma GCC unroll 8
    for (int u = 0; u < 8; u++) {
      const I32 w = unit(block, 4 + 8 * jj + u);
      add(low, lowNibbles(w), broadcast(a.quads + 16 * jj + u));
      add(high, highNibbles(w), broadcast(a.quads + 16 * jj + 8 + u));
    }
    sums += scaled(low, scaleOf(small.scales[jj / 2], 2 * jj % 4)) + scaled(high, scaleOf(small.scales[jj / 2], 2 * jj % 4 + 1));
    inRegister(sums);
    mins += multiplyWords(pairAsWords(small.mins[jj / 2], jj % 2), broadcast(a.sums + jj));
  }
  return withProduct(withProduct(acc, sums, productOf(small.factor, a.scale)), mins, -productOf(small.minFactor, a.scale));
}

inline F32 dot(Q5K, const uint8_t* block, const BytesQ4K& a, F32 acc) {
  const Q4K::Small small(block);
  I32 sums{}, mins{};
#pragma GCC unroll 4
  for (int jj = 0; jj < 4; jj++) {  // parts 2·jj and 2·jj + 1 share their bytes
    const I32 lowScale = scaleOf(small.scales[jj / 2], 2 * jj % 4), highScale = scaleOf(small.scales[jj / 2], 2 * jj % 4 + 1);
#pragma GCC unroll 2
    for (int half = 0; half < 2; half++) {
      Sum low{}, high{};
#pragma GCC unroll 4
      for (int u = 4 * half; u < 4 * half + 4; u++) {
        const I32 w = unit(block, 12 + 8 * jj + u), fifths = unit(block, 4 + u);
        add(low, lowNibbles(w) | Q5K::fifth(fifths, 2 * jj), broadcast(a.quads + 16 * jj + u));
        add(high, highNibbles(w) | Q5K::fifth(fifths, 2 * jj + 1), broadcast(a.quads + 16 * jj + 8 + u));
      }
      sums += scaled(low, lowScale) + scaled(high, highScale);
      inRegister(sums);
    }
    mins += multiplyWords(pairAsWords(small.mins[jj / 2], jj % 2), broadcast(a.sums + jj));
  }
  return withProduct(withProduct(acc, sums, productOf(small.factor, a.scale)), mins, -productOf(small.minFactor, a.scale));
}

inline F32 dot(Q6K, const uint8_t* block, const BytesQ6K& a, F32 acc) {
  I32 sums{};
  for (int half = 0; half < 4; half++) {  // 64 values: parts 8·part + {0, 2, 4, 6} + l, 16 values of each
    const int part = half / 2, l = half % 2;
    Sum sum[4];
#pragma GCC unroll 4
    for (int i = 0; i < 4; i++) sum[i] = (Sum)broadcast(a.offsets + 8 * part + 2 * i + l);
#pragma GCC unroll 4
    for (int u = 0; u < 4; u++) {
      const uint8_t* at = block + (16 * part + 4 * l + u) * 4 * LANES;
      const I32 low = unit(at, 0), high = unit(at, 8), top = unit(block, 32 + 8 * part + 4 * l + u);
      const int32_t* quads = a.quads + 32 * part + 4 * l + u;
      add(sum[0], lowNibbles(low) | ((I32)((U32)top << 4) & 0x30303030), broadcast(quads));
      add(sum[1], lowNibbles(high) | ((I32)((U32)top << 2) & 0x30303030), broadcast(quads + 8));
      add(sum[2], highNibbles(low) | (top & 0x30303030), broadcast(quads + 16));
      add(sum[3], highNibbles(high) | ((I32)((U32)top >> 2) & 0x30303030), broadcast(quads + 24));
    }
    const I32 scales[2] = {unit(block, 48 + 2 * part), unit(block, 49 + 2 * part)};
#pragma GCC unroll 4
    for (int i = 0; i < 4; i++) sums += scaled(sum[i], l == 0 ? signedScaleOf(scales[i / 2], 2 * i % 4) : signedScaleOf(scales[i / 2], 2 * i % 4 + 1));
    inRegister(sums);
  }
  return withProduct(acc, sums, productOf(loadHalves(block + 208 * LANES), a.scale));
}

}  // namespace athanor::ATHANOR_ISA::quant
