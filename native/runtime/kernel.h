// What a kernel sees: its operands, its immediates, scratch memory and the pool. No allocation, no exceptions, no
// knowledge of programs or of JavaScript. Every file in cpu/ includes this and nothing else of the runtime.
#pragma once

#include <cstddef>
#include <cstdint>

#include "pool.h"

namespace athanor {

// Codes of src/core/dtype.ts, in its order.
enum class DType : uint8_t { f32 = 0, bf16 = 1, f16 = 2, i32 = 3, u8 = 4, q8_0 = 5, q4_0 = 6, q4_k = 7, q6_k = 8, bf16x2 = 9, q5_k = 10 };
constexpr DType LAST_DTYPE = DType::q5_k;

// A block format has `values` values in `bytes` bytes; other types have blocks of one.
struct BlockSize {
  int64_t values, bytes;
};
constexpr BlockSize blockSize(DType dtype) {
  switch (dtype) {
    case DType::f32: case DType::i32: return {1, 4};
    case DType::bf16: case DType::f16: return {1, 2};
    case DType::u8: return {1, 1};
    case DType::q8_0: return {32, 34};
    case DType::q4_0: return {32, 18};
    case DType::q4_k: return {256, 144};
    case DType::q5_k: return {256, 176};
    case DType::q6_k: return {256, 210};
    case DType::bf16x2: return {2, 4};
  }
  return {1, 1};
}
constexpr bool isBlockFormat(DType dtype) { return blockSize(dtype).values > 1; }

constexpr int MAX_RANK = 6;

// A tensor in memory. All axes but the first are contiguous; the first may have any stride, so that a column slice
// of [N, C] is a view: element (i, j…) lies at i * stride0 + offset(j…).
struct View {
  void* data;
  int64_t shape[MAX_RANK];
  int64_t stride0;  // elements between rows (= cols() when contiguous)
  int32_t rank;     // 0 for a scalar
  DType dtype;

  template <class T> T* as() const { return static_cast<T*>(data); }
  int64_t rows() const { return rank == 0 ? 1 : shape[0]; }
  int64_t cols() const {
    int64_t n = 1;
    for (int i = 1; i < rank; i++) n *= shape[i];
    return n;
  }
  int64_t size() const { return rows() * cols(); }
  bool contiguous() const { return rank == 0 || rows() <= 1 || stride0 == cols(); }
};

// One instruction at run time. An absent optional input has data == nullptr.
struct Call {
  const View* in;
  const View* out;
  const double* attrs;  // the immediates in the order of the operator's attribute codec (src/core/ops)
  std::byte* workspace; // 64-byte aligned, as many bytes as the operator's `workspace` rule asked for
  Pool* pool;
  int32_t nIn, nOut, nAttrs;
  size_t workspaceBytes;
};

using Kernel = void (*)(const Call&);

// One per instruction set: kernels[opcode], nullptr where the operator is a view.
struct KernelTable {
  const char* isa;
  const Kernel* kernels;
  int count;
};

}  // namespace athanor
