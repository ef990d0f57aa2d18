// Unpacks a stretch of 256 values along K of one or two groups of rows (block-layout.h) into a panel in L1: bytes or words
// that the tiles of tokens multiply, and scales. What a format costs to unpack is then paid once for all tokens.
#pragma once

#include "block-layout.h"
#include "quant-activations.h"

namespace athanor::ATHANOR_ISA::quant {

constexpr int64_t PANEL_VALUES = 256;

// V groups of LANES rows side by side.
template <int V>
struct Panel {
  alignas(64) I32 weights[ATHANOR_VNNI ? 64 : 128][V];  // quads of bytes; q8_0 without VNNI: pairs of words
  I32 scales[16][V], mins[4][V];                        // of a part of the block, integers
  F32 factor[8][V], minFactor[V];                       // of a block
};

// One block of a group: as it lies there, or from a smaller group with lanes of zeros.
template <DType Format>
inline const uint8_t* wholeGroup(const uint8_t* block, int64_t rows, uint8_t* buffer) {
  if (rows == LANES) return block;
  constexpr BlockParts parts = partsOf(Format);
  std::memset(buffer, 0, size_t(blockSize(Format).bytes * LANES));
  for (int64_t u = 0; u < parts.units; u++) std::memcpy(buffer + u * 4 * LANES, block + u * 4 * rows, size_t(4 * rows));
  if (parts.halfAt >= 0) std::memcpy(buffer + parts.units * 4 * LANES, block + parts.units * 4 * rows, size_t(2 * rows));
  return buffer;
}

inline I32 unit(const uint8_t* block, int64_t u) { return loadLanes(block + u * 4 * LANES); }
inline I32 lowNibbles(I32 x) { return x & 0x0f0f0f0f; }
inline I32 highNibbles(I32 x) { return (I32)((U32)x >> 4) & 0x0f0f0f0f; }

// Each format: the type of its activations, blocks of a panel, and unpack(block, panel, v, number of the block).
struct Q80 {
  static constexpr DType FORMAT = DType::q8_0;
  using Activations = std::conditional_t<bool(ATHANOR_VNNI), Bytes32, Words32>;
  static void encode(const float* x, Activations& out) { quant::encode(x, out, 128); }
  template <int V> static void unpack(const uint8_t* block, Panel<V>& panel, int v, int64_t b) {
#pragma GCC unroll 8
    for (int u = 0; u < 8; u++) {
      const I32 w = unit(block, u);
      if constexpr (ATHANOR_VNNI) {
        panel.weights[8 * b + u][v] = w ^ I32(I32{} + int32_t(0x80808080));
      } else {
        panel.weights[16 * b + u][v] = (I32)((I16)((W16)w << 8) >> 8);
        panel.weights[16 * b + 8 + u][v] = (I32)((I16)w >> 8);
      }
    }
    panel.factor[b][v] = loadHalves(block + 32 * LANES);
  }
};

struct Q40 {
  static constexpr DType FORMAT = DType::q4_0;
  using Activations = Bytes32;
  static void encode(const float* x, Activations& out) { quant::encode(x, out, 8); }
  template <int V> static void unpack(const uint8_t* block, Panel<V>& panel, int v, int64_t b) {
#pragma GCC unroll 4
    for (int u = 0; u < 4; u++) {
      const I32 w = unit(block, u);
      panel.weights[8 * b + u][v] = lowNibbles(w);
      panel.weights[8 * b + 4 + u][v] = highNibbles(w);
    }
    panel.factor[b][v] = loadHalves(block + 16 * LANES);
  }
};

struct Q4K {
  static constexpr int PARTS = 8;  // sums that are scaled
  static constexpr DType FORMAT = DType::q4_k;
  using Activations = BytesQ4K;
  static void encode(const float* x, Activations& out) { quant::encode(x, out); }
  // What is not weights: the bytes of these lanes are scales and minima 0–3 and 4–7 (see scaleAndMin).
  struct Small {
    I32 scales[2], mins[2];
    F32 factor, minFactor;
    explicit Small(const uint8_t* block) {
      const I32 both = unit(block, 0), a = unit(block, 1), b = unit(block, 2), c = unit(block, 3);
      scales[0] = a & 0x3f3f3f3f, scales[1] = lowNibbles(c) | ((I32)((U32)a >> 2) & 0x30303030);
      mins[0] = b & 0x3f3f3f3f, mins[1] = highNibbles(c) | ((I32)((U32)b >> 2) & 0x30303030);
      const U16 d = __builtin_convertvector((U32)both & 0xffff, U16), dMin = __builtin_convertvector((U32)both >> 16, U16);
      factor = loadHalves(&d), minFactor = loadHalves(&dMin);
    }
  };
  template <int V> static void unpack(const uint8_t* block, Panel<V>& panel, int v, int64_t) {
    const Small small(block);
#pragma GCC unroll 8
    for (int j = 0; j < 8; j++) panel.scales[j][v] = scaleOf(small.scales[j / 4], j % 4);
#pragma GCC unroll 4
    for (int j = 0; j < 4; j++) panel.mins[j][v] = pairAsWords(small.mins[j / 2], j % 2);
#pragma GCC unroll 4
    for (int u = 0; u < 32; u++) {
      const I32 w = unit(block, 4 + u);
      panel.weights[u / 8 * 16 + u % 8][v] = lowNibbles(w);
      panel.weights[u / 8 * 16 + 8 + u % 8][v] = highNibbles(w);
    }
    panel.factor[0][v] = small.factor;
    panel.minFactor[v] = small.minFactor;
  }
};

// q4_k with a unit of fifth bits for each eight units of nibbles (bit j of a byte: of part j).
struct Q5K {
  static constexpr DType FORMAT = DType::q5_k;
  static constexpr int PARTS = 16;  // two a scale: 31·127·2·8 would pass 2¹⁵
  using Activations = BytesQ4K;
  static void encode(const float* x, Activations& out) { quant::encode(x, out); }
  // The fifth bits of part j, where they belong.
  static I32 fifth(I32 fifths, int j) { return (j < 4 ? (I32)((U32)fifths << (4 - j)) : (I32)((U32)fifths >> (j - 4))) & 0x10101010; }
  template <int V> static void unpack(const uint8_t* block, Panel<V>& panel, int v, int64_t) {
    const Q4K::Small small(block);
#pragma GCC unroll 16
    for (int j = 0; j < 16; j++) panel.scales[j][v] = scaleOf(small.scales[j / 8], j / 2 % 4);
#pragma GCC unroll 4
    for (int j = 0; j < 4; j++) panel.mins[j][v] = pairAsWords(small.mins[j / 2], j % 2);
#pragma GCC unroll 4
    for (int u = 0; u < 32; u++) {
      const I32 w = unit(block, 12 + u), fifths = unit(block, 4 + u % 8);
      panel.weights[u / 8 * 16 + u % 8][v] = lowNibbles(w) | fifth(fifths, u / 8 * 2);
      panel.weights[u / 8 * 16 + 8 + u % 8][v] = highNibbles(w) | fifth(fifths, u / 8 * 2 + 1);
    }
    panel.factor[0][v] = small.factor;
    panel.minFactor[v] = small.minFactor;
  }
};

struct Q6K {
  static constexpr int PARTS = 16;
  static constexpr DType FORMAT = DType::q6_k;
  using Activations = BytesQ6K;
  static void encode(const float* x, Activations& out) { quant::encode(x, out); }
  template <int V> static void unpack(const uint8_t* block, Panel<V>& panel, int v, int64_t) {
#pragma GCC unroll 2
    for (int u = 0; u < 16; u++) {
      const int part = u / 8, l = u % 8;
      const I32 a = unit(block, 16 * part + l), b = unit(block, 16 * part + 8 + l), high = unit(block, 32 + 8 * part + l);
      I32(*out)[V] = panel.weights + 32 * part + l;
      out[0][v] = lowNibbles(a) | ((I32)((U32)high << 4) & 0x30303030);
      out[8][v] = lowNibbles(b) | ((I32)((U32)high << 2) & 0x30303030);
      out[16][v] = highNibbles(a) | (high & 0x30303030);
      out[24][v] = highNibbles(b) | ((I32)((U32)high >> 2) & 0x30303030);
    }
#pragma GCC unroll 16
    for (int j = 0; j < 16; j++) panel.scales[j][v] = signedScaleOf(unit(block, 48 + j / 4), j % 4);
    panel.factor[0][v] = loadHalves(block + 208 * LANES);
  }
};

}  // namespace athanor::ATHANOR_ISA::quant
