// What happens to a finished tile of C: bias and addend in, rounding to the type of C, partial widths; and the run of one
// tile's rows over the panels of a block of B.
#pragma once

#include "../runtime/kernel.h"
#include "gemm-micro.h"

namespace athanor::ATHANOR_ISA::gemm {

// A matrix in memory, f32 or bf16.
struct Operand {
  const void* data;  // nullptr: absent
  int64_t stride;    // elements from row to row, as stored
  DType dtype;
  bool transposed;   // A stored [K, M], B stored [N, K]

  const char* at(int64_t row, int64_t column) const {
    return static_cast<const char*>(data) + (row * stride + column) * (dtype == DType::bf16 ? 2 : 4);
  }
};

// Where a tile's sums start from and go to.
struct Finish {
  Operand from;       // what is added: the addend, or the sums so far; data == nullptr: nothing
  Operand to;
  const float* bias;  // padded to a multiple of NR; nullptr: none
};

template <int Rows, class T>
inline __attribute__((always_inline)) void addTile(F32 (&acc)[Rows][NV], const T* from, int64_t stride, int columns) {
#pragma GCC unroll 16
  for (int i = 0; i < Rows; i++)
#pragma GCC unroll 4
    for (int v = 0; v < NV; v++)
      if (columns >= (v + 1) * LANES)
        acc[i][v] += load(from + i * stride + v * LANES);
      else if (columns > v * LANES)
        acc[i][v] += loadPart(from + i * stride + v * LANES, columns - v * LANES);
}

template <int Rows, class T>
inline __attribute__((always_inline)) void storeTile(const F32 (&acc)[Rows][NV], T* to, int64_t stride, int columns) {
#pragma GCC unroll 16
  for (int i = 0; i < Rows; i++)
#pragma GCC unroll 4
    for (int v = 0; v < NV; v++)
      if (columns >= (v + 1) * LANES)
        store(to + i * stride + v * LANES, acc[i][v]);
      else if (columns > v * LANES)
        storePart(to + i * stride + v * LANES, acc[i][v], columns - v * LANES);
}

// The frequent case (everything f32, full width) stays in registers; the others pass through memory in L1.
template <int Rows>
inline __attribute__((always_inline)) void finishTile(F32 (&acc)[Rows][NV], const Finish& f, int64_t row, int64_t column,
                                                      int64_t j, int columns) {
  const char* from = f.from.data ? f.from.at(row, column + j) : nullptr;
  char* to = const_cast<char*>(f.to.at(row, column + j));
  if (f.bias)
#pragma GCC unroll 16
    for (int i = 0; i < Rows; i++)
#pragma GCC unroll 4
      for (int v = 0; v < NV; v++) acc[i][v] += load(f.bias + j + v * LANES);
  if (columns == NR && f.to.dtype == DType::f32 && (!from || f.from.dtype == DType::f32)) {
    if (from) addTile<Rows>(acc, reinterpret_cast<const float*>(from), f.from.stride, NR);
    storeTile<Rows>(acc, reinterpret_cast<float*>(to), f.to.stride, NR);
    return;
  }
  F32 t[Rows][NV];
  std::memcpy(t, acc, sizeof t);
  asm volatile("" : : "r"(t) : "memory");  // keeps the rare branches from costing registers in the loop above
  if (from && f.from.dtype == DType::bf16) addTile<Rows>(t, reinterpret_cast<const bf16*>(from), f.from.stride, columns);
  if (from && f.from.dtype == DType::f32) addTile<Rows>(t, reinterpret_cast<const float*>(from), f.from.stride, columns);
  if (f.to.dtype == DType::bf16)
    storeTile<Rows>(t, reinterpret_cast<bf16*>(to), f.to.stride, columns);
  else
    storeTile<Rows>(t, reinterpret_cast<float*>(to), f.to.stride, columns);
}

// Rows × all panels of a block: a is the tile's slice of A, (row, column) the place of its first element in C.
template <int Rows, Layout layout, class Lane>
void runTile(const char* a, int64_t rowBytes, int64_t steps, const float* panels, const Finish& f, int64_t row,
             int64_t column, int64_t columns) {
  // While this tile is multiplied, memory is asked for the next one's rows, an equal share during each panel.
  const int64_t share = (steps * NR + columns - 1) / columns * 4;
  for (int64_t j = 0; j < columns; j += NR) {
    if (layout == Layout::rows) {
      const char* next = a + Rows * rowBytes + j / NR * share;
      for (int i = 0; i < Rows; i++)
        for (int64_t k = 0; k < share; k += 64) __builtin_prefetch(next + i * rowBytes + k);
    }
#pragma GCC unroll 16
    for (int i = 0; i < Rows; i++) __builtin_prefetch(f.to.at(row + i, column + j));
    F32 acc[Rows][NV];
    multiply<Rows, layout, Lane>(steps, a, rowBytes, panels + j * (steps + 1), acc);
    finishTile<Rows>(acc, f, row, column, j, columns - j >= NR ? NR : int(columns - j));
  }
}

// body.template operator()<Rows>() for a number of rows that is known at run time only, 1 … Most.
template <int Most, class Body> inline void withRows(int rows, const Body& body) {
  if (rows == Most)
    body.template operator()<Most>();
  else if constexpr (Most > 1)
    withRows<Most - 1>(rows, body);
}

}  // namespace athanor::ATHANOR_ISA::gemm
