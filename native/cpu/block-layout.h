// How weights in a block format lie in memory. ggml's order is row by row; kernels want a lane to be a row. So groups of
// LANES rows are interleaved: for each block along K first its 4-byte units, [unit][row], then its half floats, [row].
// The last M % LANES rows are a smaller group. It is a permutation: the same number of bytes, one stream for a group.
#pragma once

#include "block-formats.h"

namespace athanor::ATHANOR_ISA {

// Where the units and the half float (if it stands alone) are in a block of ggml's.
struct BlockParts {
  int64_t units, unitsAt, halfAt;  // halfAt < 0: none
};
constexpr BlockParts partsOf(DType format) {
  switch (format) {
    case DType::q8_0: return {8, 2, 0};
    case DType::q4_0: return {4, 2, 0};
    case DType::q4_k: return {36, 0, -1};
    case DType::q5_k: return {44, 0, -1};
    case DType::bf16x2: return {1, 0, -1};
    default: return {52, 0, 208};  // q6_k
  }
}

// Calls copy(in a row-by-row buffer, in the interleaved one, bytes) for all parts of one row's block.
template <class Copy>
inline __attribute__((always_inline)) void eachPart(const BlockParts& parts, int64_t row, int64_t rows, const Copy& copy) {
  for (int64_t u = 0; u < parts.units; u++) copy(parts.unitsAt + 4 * u, (u * rows + row) * 4, 4);
  if (parts.halfAt >= 0) copy(parts.halfAt, parts.units * rows * 4 + row * 2, 2);
}

// All blocks of one group of `rows` rows, each `across` blocks long; `back` from interleaved to row by row.
template <DType Format, bool back>
inline void arrangeGroup(int64_t rows, int64_t across, const uint8_t* from, uint8_t* to) {
  constexpr BlockParts parts = partsOf(Format);
  constexpr int64_t bytes = blockSize(Format).bytes;
  for (int64_t b = 0; b < across; b++)
    for (int64_t r = 0; r < rows; r++) {
      const int64_t plain = (r * across + b) * bytes, mixed = b * rows * bytes;
      eachPart(parts, r, rows, [&](int64_t p, int64_t m, int n) {
        if (back) std::memcpy(to + plain + p, from + mixed + m, size_t(n));
        else std::memcpy(to + mixed + m, from + plain + p, size_t(n));
      });
    }
}

template <DType Format, bool back>
inline void arrangeRows(int64_t rows, int64_t across, const uint8_t* from, uint8_t* to) {
  const int64_t rowBytes = across * blockSize(Format).bytes;
  for (int64_t i = 0; i < rows; i += LANES) {
    const int64_t at = i * rowBytes;
    if (i + LANES <= rows) arrangeGroup<Format, back>(LANES, across, from + at, to + at);  // a constant: unrolled
    else arrangeGroup<Format, back>(rows - i, across, from + at, to + at);
  }
}

// A whole weight [rows, cols] to the kernels' order, or back.
inline void arrangeWeight(DType format, int64_t rows, int64_t cols, const uint8_t* from, uint8_t* to, bool back) {
  const int64_t across = cols / blockSize(format).values;
  const auto with = [&]<DType F>() { back ? arrangeRows<F, true>(rows, across, from, to) : arrangeRows<F, false>(rows, across, from, to); };
  switch (format) {
    case DType::q8_0: return with.template operator()<DType::q8_0>();
    case DType::q4_0: return with.template operator()<DType::q4_0>();
    case DType::q4_k: return with.template operator()<DType::q4_k>();
    case DType::q5_k: return with.template operator()<DType::q5_k>();
    case DType::q6_k: return with.template operator()<DType::q6_k>();
    case DType::bf16x2: return with.template operator()<DType::bf16x2>();
    default: return;
  }
}

// The values of one row, as f32 or bf16.
inline void decodeTo(std::byte* to, DType toType, const View& w, int64_t row) {
  const BlockSize size = blockSize(w.dtype);
  const BlockParts parts = partsOf(w.dtype);
  const int64_t across = w.cols() / size.values, first = row / LANES * LANES, rows = minOf(LANES, w.rows() - first);
  const uint8_t* group = w.as<uint8_t>() + first * across * size.bytes;
  uint8_t block[210];
  float values[256];
  for (int64_t b = 0; b < across; b++) {
    eachPart(parts, row - first, rows, [&](int64_t p, int64_t m, int n) {
      std::memcpy(block + p, group + b * rows * size.bytes + m, size_t(n));
    });
    decodeBlock(w.dtype, block, values);
    convertRun(to + b * size.values * elementBytes(toType), toType, values, DType::f32, size.values);
  }
}

}  // namespace athanor::ATHANOR_ISA
