// Packing of B into panels of NR columns, [k][NR], padded with zero columns; conversion of bf16 happens on the way.
// B as [K, N] is copied; B given as [N, K] (a weight matrix in y = x·wᵀ) is transposed in registers, LANES × LANES at a time.
#pragma once

#include "gemm-micro.h"

namespace athanor::ATHANOR_ISA::gemm {

// Rows ahead that a copy asks memory for: a row is a page or so away from the next, too far for the hardware to follow.
constexpr int64_t PREFETCH_ROWS = 12;

// Longest block of K, and the distance of tiles of transposed A: not a multiple of 4096 bytes, which would put all tiles
// into the same sets of L1. For the same reason panels of B are (kc + 1) · NR apart. With NC (gemm.h) 256 × 256 the
// block of B is 257 KiB, half of the 512 KiB of L2 that Zen 3 has, and A is read once for 256 columns; among 128 … 512
// by 96 … 256 it was the best for weight gradients (85% against 70 to 80) and within 2 points of the best elsewhere.
constexpr int64_t KC = 256;
constexpr int64_t TILE_STRIDE = KC * MR + 16;
// A tile's height in whole vectors, as it is copied.
constexpr int TILE_WIDTH = (MR + LANES - 1) / LANES * LANES;
static_assert(TILE_WIDTH - MR <= 16);

// {a, b}[I...], indices from LANES on taken from b.
template <int... I> inline F32 shuffle(F32 a, F32 b) {
#if defined(__clang__)
  return __builtin_shufflevector(a, b, I...);
#else
  return __builtin_shuffle(a, b, I32{I...});
#endif
}

// r[i][j] ↔ r[j][i], by log2(LANES) stages of shuffles that are one instruction each on x86: interleave, then exchange
// pairs, quadruples and octets of elements.
#if ATHANOR_LANES == 4
inline void transpose(F32 (&r)[4]) {
  const F32 a = shuffle<0, 4, 1, 5>(r[0], r[1]), b = shuffle<2, 6, 3, 7>(r[0], r[1]);
  const F32 c = shuffle<0, 4, 1, 5>(r[2], r[3]), d = shuffle<2, 6, 3, 7>(r[2], r[3]);
  r[0] = shuffle<0, 1, 4, 5>(a, c);
  r[1] = shuffle<2, 3, 6, 7>(a, c);
  r[2] = shuffle<0, 1, 4, 5>(b, d);
  r[3] = shuffle<2, 3, 6, 7>(b, d);
}
#elif ATHANOR_LANES == 8
// Four rows become, in each 128-bit half, the transposition of their 4×4 blocks.
inline void transposeFour(F32& r0, F32& r1, F32& r2, F32& r3) {
  const F32 a = shuffle<0, 8, 1, 9, 4, 12, 5, 13>(r0, r1), b = shuffle<2, 10, 3, 11, 6, 14, 7, 15>(r0, r1);
  const F32 c = shuffle<0, 8, 1, 9, 4, 12, 5, 13>(r2, r3), d = shuffle<2, 10, 3, 11, 6, 14, 7, 15>(r2, r3);
  r0 = shuffle<0, 1, 8, 9, 4, 5, 12, 13>(a, c);
  r1 = shuffle<2, 3, 10, 11, 6, 7, 14, 15>(a, c);
  r2 = shuffle<0, 1, 8, 9, 4, 5, 12, 13>(b, d);
  r3 = shuffle<2, 3, 10, 11, 6, 7, 14, 15>(b, d);
}
inline void transpose(F32 (&r)[8]) {
  transposeFour(r[0], r[1], r[2], r[3]);
  transposeFour(r[4], r[5], r[6], r[7]);
#pragma GCC unroll 4
  for (int i = 0; i < 4; i++) {
    const F32 low = r[i], high = r[i + 4];
    r[i] = shuffle<0, 1, 2, 3, 8, 9, 10, 11>(low, high);
    r[i + 4] = shuffle<4, 5, 6, 7, 12, 13, 14, 15>(low, high);
  }
}
#elif ATHANOR_LANES == 16
inline void transposeFour(F32& r0, F32& r1, F32& r2, F32& r3) {
  const F32 a = shuffle<0, 16, 1, 17, 4, 20, 5, 21, 8, 24, 9, 25, 12, 28, 13, 29>(r0, r1);
  const F32 b = shuffle<2, 18, 3, 19, 6, 22, 7, 23, 10, 26, 11, 27, 14, 30, 15, 31>(r0, r1);
  const F32 c = shuffle<0, 16, 1, 17, 4, 20, 5, 21, 8, 24, 9, 25, 12, 28, 13, 29>(r2, r3);
  const F32 d = shuffle<2, 18, 3, 19, 6, 22, 7, 23, 10, 26, 11, 27, 14, 30, 15, 31>(r2, r3);
  r0 = shuffle<0, 1, 16, 17, 4, 5, 20, 21, 8, 9, 24, 25, 12, 13, 28, 29>(a, c);
  r1 = shuffle<2, 3, 18, 19, 6, 7, 22, 23, 10, 11, 26, 27, 14, 15, 30, 31>(a, c);
  r2 = shuffle<0, 1, 16, 17, 4, 5, 20, 21, 8, 9, 24, 25, 12, 13, 28, 29>(b, d);
  r3 = shuffle<2, 3, 18, 19, 6, 7, 22, 23, 10, 11, 26, 27, 14, 15, 30, 31>(b, d);
}
inline void transpose(F32 (&r)[16]) {
#pragma GCC unroll 4
  for (int i = 0; i < 16; i += 4) transposeFour(r[i], r[i + 1], r[i + 2], r[i + 3]);
  // Now r[4q + i] holds, in its 128-bit quarter c, the elements (rows 4q…4q+3, column 4c + i): transpose the quarters.
#pragma GCC unroll 4
  for (int i = 0; i < 4; i++) {
    const F32 a = shuffle<0, 1, 2, 3, 8, 9, 10, 11, 16, 17, 18, 19, 24, 25, 26, 27>(r[i], r[i + 4]);
    const F32 b = shuffle<4, 5, 6, 7, 12, 13, 14, 15, 20, 21, 22, 23, 28, 29, 30, 31>(r[i], r[i + 4]);
    const F32 c = shuffle<0, 1, 2, 3, 8, 9, 10, 11, 16, 17, 18, 19, 24, 25, 26, 27>(r[i + 8], r[i + 12]);
    const F32 d = shuffle<4, 5, 6, 7, 12, 13, 14, 15, 20, 21, 22, 23, 28, 29, 30, 31>(r[i + 8], r[i + 12]);
    // a = quarters 0, 2 of both; b = quarters 1, 3.
    r[i] = shuffle<0, 1, 2, 3, 8, 9, 10, 11, 16, 17, 18, 19, 24, 25, 26, 27>(a, c);
    r[i + 4] = shuffle<0, 1, 2, 3, 8, 9, 10, 11, 16, 17, 18, 19, 24, 25, 26, 27>(b, d);
    r[i + 8] = shuffle<4, 5, 6, 7, 12, 13, 14, 15, 20, 21, 22, 23, 28, 29, 30, 31>(a, c);
    r[i + 12] = shuffle<4, 5, 6, 7, 12, 13, 14, 15, 20, 21, 22, 23, 28, 29, 30, 31>(b, d);
  }
}
#endif

// One panel from B as [N, K]: b points at the element (first column of the panel, first k), `columns` of NR exist. T is the
// type of an element, or float for pairs of bf16, whose bits are moved as they are.
template <class T>
inline void packPanelTransposed(const char* b, int64_t rowBytes, int columns, int64_t kc, float* out) {
  for (int v = 0; v < NV; v++) {
    const char* rows = b + v * LANES * rowBytes;
    const int present = columns - v * LANES;
    float* o = out + v * LANES;
    int64_t k = 0;
    if (present >= LANES)
      for (; k + LANES <= kc; k += LANES) {
        F32 r[LANES];
#pragma GCC unroll 16
        for (int l = 0; l < LANES; l++) {
          const char* p = rows + l * rowBytes + k * int64_t(sizeof(T));
          r[l] = load(reinterpret_cast<const T*>(p));
          __builtin_prefetch(p + NR * rowBytes);  // the next panel: its rows are too short for the hardware
        }
        transpose(r);
#pragma GCC unroll 16
        for (int l = 0; l < LANES; l++) store(o + (k + l) * NR, r[l]);
      }
    for (; k < kc; k++)
      for (int l = 0; l < LANES; l++) {
        T x{};
        if (l < present) std::memcpy(&x, rows + l * rowBytes + k * int64_t(sizeof(T)), sizeof x);
        o[k * NR + l] = toFloat(x);
      }
  }
}

// A block of panels from B as [K, N], row by row so that memory is read in long runs.
template <class T> inline void packPanels(const T* b, int64_t stride, int64_t columns, int64_t kc, float* out) {
  for (int64_t k = 0; k < kc; k++) {
    const T* row = b + k * stride;
    float* o = out + k * NR;
    int64_t j = 0;
    for (; j + NR <= columns; j += NR, o += NR * (kc + 1)) {
      __builtin_prefetch(row + PREFETCH_ROWS * stride + j);
#pragma GCC unroll 4
      for (int v = 0; v < NV; v++) store(o + v * LANES, load(row + j + v * LANES));
    }
    if (j < columns)
      for (int l = 0; l < NR; l++) o[l] = j + l < columns ? toFloat(row[j + l]) : 0.0f;
  }
}

// Tiles of A stored as [K, M]: tile t's rows start at rows[t] and lie as [k][MR] from out + t * TILE_STRIDE. Several at
// once, since a visit to a row of A costs more than the copy. Whole vectors are copied where `readable` elements of a
// row of A allow: what is too much is overwritten by the next k, and after the last lies in the space between tiles.
template <class T>
void copyTransposed(const T* a, int64_t stride, int64_t kc, const int64_t* rows, int tiles, int64_t readable, float* out) {
  int whole = tiles;
  while (whole > 0 && rows[whole - 1] + TILE_WIDTH > readable) whole--;
  for (int64_t k = 0; k < kc; k++) {
    const T* from = a + k * stride;
    for (int64_t i = rows[0]; i < rows[tiles]; i += 64 / int64_t(sizeof(T)))
      __builtin_prefetch(from + PREFETCH_ROWS * stride + i);
    for (int t = 0; t < whole; t++)
#pragma GCC unroll 4
      for (int v = 0; v < TILE_WIDTH; v += LANES)
        store(out + t * TILE_STRIDE + k * MR + v, load(from + rows[t] + v));
    for (int t = whole; t < tiles; t++)
      for (int64_t i = rows[t]; i < rows[t + 1]; i++) out[t * TILE_STRIDE + k * MR + i - rows[t]] = toFloat(from[i]);
  }
}

}  // namespace athanor::ATHANOR_ISA::gemm
