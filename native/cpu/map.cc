// map: an elementwise expression over broadcast operands, interpreted tile by tile. Every register is a tile of a few
// hundred floats and all tiles together stay in L1, so an instruction costs its arithmetic plus L1 traffic, and its
// dispatch is shared by a whole tile. Operands that lie in memory as the tile needs them are used in place.
// Formula: src/core/ops/map.ts. Limits (checked by the operator): 192 registers, 512 instructions, 48 operands.
#include "operand.h"
#include "simd-math.h"

namespace athanor::ATHANOR_ISA {
namespace map_detail {

constexpr int TILE_FLOATS = 6144;  // 24 KB of a 32 KB L1; the rest is for operands used in place
constexpr int LONGEST_TILE = 256;  // 128 to 512 are equal within noise; 1024 loses a third on SiLU gates
constexpr int MAX_REGISTERS = 192, MAX_INSTRUCTIONS = 512, MAX_OPERANDS = 48;

enum Function : int {
  CONST, ADD, SUB, MUL, DIV, MAX, MIN, NEG, ABS, EXP, LOG, SQRT, RSQRT, TANH, SIGMOID, ERF, FLOOR, LT, LE, EQ, SELECT,
  FMA, SQUARE, RECIP, SIN, COS, POW, GELU, GELU_SLOPE
};

struct Instruction { int function, to, a, b, c; float value; };

// An operand against the collapsed space of the output: strides in elements, 0 where it is broadcast.
struct Operand {
  std::byte* data;
  DType dtype;
  int reg;
  int64_t stride[MAX_RANK];
  bool inPlace;   // its register may point straight at its memory
  bool constant;  // the same value everywhere: its tile is filled once
};

struct Expression {
  Instruction code[MAX_INSTRUCTIONS];
  Operand operands[MAX_OPERANDS];  // inputs, then outputs
  int nIn, nOut, nCode, nRegisters;
  int rank;                        // of the collapsed space, at least 2
  int64_t shape[MAX_RANK];
  int64_t tileRows, tileCols;      // a tile covers tileRows of the last axis but one, tileCols of the last
  int64_t rowTiles, colTiles, outer;
  int tileFloats;
};

struct Block { int64_t rows, cols, offset[MAX_OPERANDS]; };

template <class F> inline void unary(float* to, const float* a, int n, const F& f) {
  for (int i = 0; i < n; i += LANES) store(to + i, f(load(a + i)));
}
template <class F> inline void binary(float* to, const float* a, const float* b, int n, const F& f) {
  for (int i = 0; i < n; i += LANES) store(to + i, f(load(a + i), load(b + i)));
}
template <class F> inline void ternary(float* to, const float* a, const float* b, const float* c, int n, const F& f) {
  for (int i = 0; i < n; i += LANES) store(to + i, f(load(a + i), load(b + i), load(c + i)));
}
inline F32 truth(I32 mask) { return (F32)(mask & 0x3f800000); }

// n is a multiple of LANES. max and min give NaN if either operand is NaN, as Math.max does.
void execute(const Instruction& op, float* const* r, int n) {
  float* to = r[op.to];
  const float *a = r[op.a], *b = r[op.b], *c = r[op.c];
  switch (op.function) {
    case CONST: { const F32 v = splat(op.value); for (int i = 0; i < n; i += LANES) store(to + i, v); return; }
    case ADD: return binary(to, a, b, n, [](F32 x, F32 y) { return x + y; });
    case SUB: return binary(to, a, b, n, [](F32 x, F32 y) { return x - y; });
    case MUL: return binary(to, a, b, n, [](F32 x, F32 y) { return x * y; });
    case DIV: return binary(to, a, b, n, [](F32 x, F32 y) { return x / y; });
    case MAX: return binary(to, a, b, n, [](F32 x, F32 y) { return select((x > y) | (x != x), x, y); });
    case MIN: return binary(to, a, b, n, [](F32 x, F32 y) { return select((x < y) | (x != x), x, y); });
    case NEG: return unary(to, a, n, [](F32 x) { return -x; });
    case ABS: return unary(to, a, n, [](F32 x) { return abs(x); });
    case EXP: return unary(to, a, n, [](F32 x) { return exp(x); });
    case LOG: return unary(to, a, n, [](F32 x) { return log(x); });
    case SQRT: return unary(to, a, n, [](F32 x) { return sqrt(x); });
    case RSQRT: return unary(to, a, n, [](F32 x) { return 1.0f / sqrt(x); });
    case TANH: return unary(to, a, n, [](F32 x) { return tanh(x); });
    case SIGMOID: return unary(to, a, n, [](F32 x) { return sigmoid(x); });
    case ERF: return unary(to, a, n, [](F32 x) { return erf(x); });
    case FLOOR: return unary(to, a, n, [](F32 x) { return floor(x); });
    case LT: return binary(to, a, b, n, [](F32 x, F32 y) { return truth(x < y); });
    case LE: return binary(to, a, b, n, [](F32 x, F32 y) { return truth(x <= y); });
    case EQ: return binary(to, a, b, n, [](F32 x, F32 y) { return truth(x == y); });
    case SELECT: return ternary(to, a, b, c, n, [](F32 x, F32 y, F32 z) { return select(x != 0.0f, y, z); });
    case FMA: return ternary(to, a, b, c, n, [](F32 x, F32 y, F32 z) { return fma(x, y, z); });
    case SQUARE: return unary(to, a, n, [](F32 x) { return x * x; });
    case RECIP: return unary(to, a, n, [](F32 x) { return 1.0f / x; });
    case SIN: return unary(to, a, n, [](F32 x) { return sin(x); });
    case COS: return unary(to, a, n, [](F32 x) { return cos(x); });
    case POW: return binary(to, a, b, n, [](F32 x, F32 y) { return pow(x, y); });
    case GELU: return unary(to, a, n, [](F32 x) { return gelu(x); });
    case GELU_SLOPE: return unary(to, a, n, [](F32 x) { return geluSlope(x); });
  }
}

float valueAt(const Operand& x, int64_t offset) {
  if (x.dtype == DType::f32) return reinterpret_cast<const float*>(x.data)[offset];
  if (x.dtype == DType::bf16) return fromBf16(reinterpret_cast<const bf16*>(x.data)[offset]);
  return float(reinterpret_cast<const int32_t*>(x.data)[offset]);
}

// Rounds toward zero; what no i32 can hold saturates and NaN becomes 0, as in JavaScript's typed conversions of Wasm.
int32_t truncate(float x) {
  if (!(x > -2147483648.0f)) return x != x ? 0 : INT32_MIN;
  return x >= 2147483648.0f ? INT32_MAX : int32_t(x);
}

void copyInRow(float* tile, const Operand& x, int64_t offset, int64_t stride, int64_t n) {
  if (stride == 0) {
    const F32 v = splat(valueAt(x, offset));
    eachVector(n, [&](int64_t i, auto tag) { store(tile + i, v, tag); });
  } else if (stride == 1 && x.dtype == DType::f32) {
    const float* from = reinterpret_cast<const float*>(x.data) + offset;
    eachVector(n, [&](int64_t i, auto tag) { store(tile + i, load(from + i, tag), tag); });
  } else if (stride == 1 && x.dtype == DType::bf16) {
    const bf16* from = reinterpret_cast<const bf16*>(x.data) + offset;
    eachVector(n, [&](int64_t i, auto tag) { store(tile + i, load(from + i, tag), tag); });
  } else {
    for (int64_t i = 0; i < n; i++) tile[i] = valueAt(x, offset + i * stride);
  }
}

void copyOutRow(const Operand& y, int64_t offset, int64_t stride, const float* tile, int64_t n) {
  if (y.dtype == DType::i32) {
    int32_t* to = reinterpret_cast<int32_t*>(y.data) + offset;
    for (int64_t i = 0; i < n; i++) to[i * stride] = truncate(tile[i]);
  } else if (y.dtype == DType::bf16) {
    bf16* to = reinterpret_cast<bf16*>(y.data) + offset;
    if (stride == 1) return eachVector(n, [&](int64_t i, auto tag) { store(to + i, load(tile + i, tag), tag); });
    for (int64_t i = 0; i < n; i++) to[i * stride] = toBf16(tile[i]);
  } else {
    float* to = reinterpret_cast<float*>(y.data) + offset;
    if (stride == 1) return eachVector(n, [&](int64_t i, auto tag) { store(to + i, load(tile + i, tag), tag); });
    for (int64_t i = 0; i < n; i++) to[i * stride] = tile[i];
  }
}

// Strides of `view` along the axes of an output of rank `rank` (numpy's rules, right-aligned).
void broadcastStrides(const View& view, int rank, int64_t* stride) {
  int64_t step = 1;
  for (int i = 0; i < rank; i++) stride[i] = 0;
  for (int i = view.rank - 1, axis = rank - 1; i >= 0; i--, axis--) {
    if (view.shape[i] != 1) stride[axis] = i == 0 ? view.stride0 : step;
    step *= view.shape[i];
  }
}

// Joins axes that every operand walks as one, and drops axes of length 1; then chooses the tile.
void collapse(Expression& e, const View& out) {
  const int count = e.nIn + e.nOut;
  int rank = 0;
  for (int axis = 0; axis < out.rank; axis++) {
    if (out.shape[axis] == 1) continue;
    bool joins = rank > 0;
    for (int k = 0; joins && k < count; k++)
      joins = e.operands[k].stride[rank - 1] == e.operands[k].stride[axis] * out.shape[axis];
    if (!joins) e.shape[rank++] = 1;
    e.shape[rank - 1] *= out.shape[axis];
    for (int k = 0; k < count; k++) e.operands[k].stride[rank - 1] = e.operands[k].stride[axis];
  }
  while (rank < 2) {  // leading axes of length 1
    for (int i = rank; i > 0; i--) e.shape[i] = e.shape[i - 1];
    e.shape[0] = 1;
    for (int k = 0; k < count; k++) {
      for (int i = rank; i > 0; i--) e.operands[k].stride[i] = e.operands[k].stride[i - 1];
      e.operands[k].stride[0] = 0;
    }
    rank++;
  }
  e.rank = rank;
  const int64_t cols = e.shape[rank - 1], rows = e.shape[rank - 2];
  const int64_t longest = minOf(LONGEST_TILE, TILE_FLOATS / e.nRegisters) / LANES * LANES;
  e.tileFloats = int(longest);
  e.tileCols = minOf(cols, longest);
  e.tileRows = cols >= longest ? 1 : minOf(rows, longest / cols);
  if (e.tileRows > LANES) e.tileRows = e.tileRows / LANES * LANES;  // whole vectors whatever the columns
  e.rowTiles = ceilDiv(rows, e.tileRows);
  e.colTiles = ceilDiv(cols, e.tileCols);
  e.outer = 1;
  for (int i = 0; i < rank - 2; i++) e.outer *= e.shape[i];
}

bool overlap(const Call& call, int in, int out) {
  const auto end = [](const View& v) { return elementAt(v, maxOf(v.rows() - 1, 0) * v.stride0 + v.cols()); };
  const View &x = call.in[in], &y = call.out[out];
  return static_cast<std::byte*>(x.data) < end(y) && static_cast<std::byte*>(y.data) < end(x);
}

// An input is read in place unless its register is written, or is itself an output (which another output could overwrite
// before it is copied); an output is written in place when its register is
// written once and no input that shares its memory is read after that.
void chooseInPlace(Expression& e, const Call& call) {
  int writes[MAX_REGISTERS] = {}, firstWrite[MAX_REGISTERS] = {};
  for (int i = 0; i < e.nCode; i++)
    if (writes[e.code[i].to]++ == 0) firstWrite[e.code[i].to] = i;
  for (int k = 0; k < e.nIn; k++) {
    Operand& x = e.operands[k];
    x.inPlace = x.dtype == DType::f32 && writes[k] == 0;
    x.constant = writes[k] == 0;
    for (int i = 0; i < e.rank; i++) x.constant = x.constant && x.stride[i] == 0;
    for (int other = e.nIn; other < e.nIn + e.nOut; other++) x.inPlace = x.inPlace && e.operands[other].reg != k;
  }
  for (int k = e.nIn; k < e.nIn + e.nOut; k++) {
    Operand& y = e.operands[k];
    y.constant = false;
    y.inPlace = y.dtype == DType::f32 && y.reg >= e.nIn && writes[y.reg] == 1;
    for (int other = e.nIn; other < k; other++) y.inPlace = y.inPlace && e.operands[other].reg != y.reg;
    for (int in = 0; y.inPlace && in < e.nIn; in++) {
      if (!e.operands[in].inPlace || !overlap(call, in, k - e.nIn)) continue;
      for (int i = firstWrite[y.reg] + 1; i < e.nCode; i++)
        if (e.code[i].a == in || e.code[i].b == in || e.code[i].c == in) y.inPlace = false;
    }
  }
}

void decode(Expression& e, const Call& call) {
  const double* attr = call.attrs;
  e.nRegisters = int(attr[0]);
  e.nCode = int(attr[1]);
  e.nIn = call.nIn;
  e.nOut = call.nOut;
  attr += 2;
  for (int i = 0; i < e.nCode; i++, attr += 5) {
    Instruction& op = e.code[i];
    op = {int(attr[0]), int(attr[1]), 0, int(attr[3]), int(attr[4]), float(attr[2])};
    if (op.function != CONST) op.a = int(attr[2]);
  }
  const int rank = call.out[0].rank;
  for (int k = 0; k < e.nIn + e.nOut; k++) {
    const View& view = k < e.nIn ? call.in[k] : call.out[k - e.nIn];
    e.operands[k].data = static_cast<std::byte*>(view.data);
    e.operands[k].dtype = view.dtype;
    e.operands[k].reg = k < e.nIn ? k : int(attr[k - e.nIn]);
    broadcastStrides(view, rank, e.operands[k].stride);
  }
}

// Where tile number `tile` lies in every operand.
Block locate(const Expression& e, int64_t tile) {
  const int64_t col = tile % e.colTiles * e.tileCols, row = tile / e.colTiles % e.rowTiles * e.tileRows;
  int64_t outer = tile / (e.colTiles * e.rowTiles);
  Block block;
  block.rows = minOf(e.tileRows, e.shape[e.rank - 2] - row);
  block.cols = minOf(e.tileCols, e.shape[e.rank - 1] - col);
  for (int k = 0; k < e.nIn + e.nOut; k++)
    block.offset[k] = row * e.operands[k].stride[e.rank - 2] + col * e.operands[k].stride[e.rank - 1];
  for (int axis = e.rank - 3; axis >= 0; axis--) {
    const int64_t at = outer % e.shape[axis];
    outer /= e.shape[axis];
    for (int k = 0; k < e.nIn + e.nOut; k++) block.offset[k] += at * e.operands[k].stride[axis];
  }
  return block;
}

void runTiles(const Expression& e, int64_t begin, int64_t end) {
  alignas(64) float memory[TILE_FLOATS];
  float* registers[MAX_REGISTERS];
  const int last = e.rank - 1;
  for (int r = 0; r < e.nRegisters; r++) registers[r] = memory + r * e.tileFloats;
  for (int i = 0; i < e.nRegisters * e.tileFloats; i += LANES) store(memory + i, zero());
  for (int k = 0; k < e.nIn; k++)
    if (e.operands[k].constant) copyInRow(registers[k], e.operands[k], 0, 0, e.tileFloats);

  for (int64_t tile = begin; tile < end; tile++) {
    const Block block = locate(e, tile);
    const int64_t n = block.rows * block.cols;
    const auto fits = [&](const Operand& x) {  // lies in memory exactly as the tile does, in whole vectors
      return x.inPlace && n % LANES == 0 && x.stride[last] == 1 && (block.rows == 1 || x.stride[last - 1] == block.cols);
    };
    for (int k = 0; k < e.nIn; k++) {
      const Operand& x = e.operands[k];
      if (x.constant) continue;
      registers[k] = memory + k * e.tileFloats;
      if (fits(x)) registers[k] = reinterpret_cast<float*>(x.data) + block.offset[k];
      else for (int64_t row = 0; row < block.rows; row++)
        copyInRow(registers[k] + row * block.cols, x, block.offset[k] + row * x.stride[last - 1], x.stride[last], block.cols);
    }
    for (int k = e.nIn; k < e.nIn + e.nOut; k++) {
      const Operand& y = e.operands[k];
      if (!y.inPlace) continue;
      registers[y.reg] = fits(y) ? reinterpret_cast<float*>(y.data) + block.offset[k] : memory + y.reg * e.tileFloats;
    }
    const int padded = int(ceilDiv(n, LANES) * LANES);
    for (int i = 0; i < e.nCode; i++) execute(e.code[i], registers, padded);
    for (int k = e.nIn; k < e.nIn + e.nOut; k++) {
      const Operand& y = e.operands[k];
      if (y.inPlace && fits(y)) continue;
      for (int64_t row = 0; row < block.rows; row++)
        copyOutRow(y, block.offset[k] + row * y.stride[last - 1], y.stride[last], registers[y.reg] + row * block.cols, block.cols);
    }
  }
}

}  // namespace map_detail

void map(const Call& call) {
  using namespace map_detail;
  if (call.out[0].size() == 0) return;
  Expression e;
  decode(e, call);
  collapse(e, call.out[0]);
  chooseInPlace(e, call);
  const int64_t tiles = e.outer * e.rowTiles * e.colTiles;
  parallelRanges(*call.pool, tiles, TASK_ELEMENTS / (e.tileRows * e.tileCols), [&](int64_t begin, int64_t end) { runTiles(e, begin, end); });
}

}  // namespace athanor::ATHANOR_ISA
