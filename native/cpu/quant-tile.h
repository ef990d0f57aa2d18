// The innermost loops of products with weights in a block format: T tokens × V groups of LANES rows over one panel.
// Integers inside a block, exact; then f32, one fma a block in the order of K. So a token's result does not depend on the
// tokens beside it, nor on the tile. Registers (AVX2 has 16): T·V sums, V weights, one activation, one product.
//   q4_0  8 products of bytes a block into words (15·127·2·8 < 2¹⁵, the offset −8·Σa included), then to lanes once
//   q8_0  16 products of words into lanes; VNNI: 8 of bytes
//   q4_k  as q4_0, but the step from words to lanes multiplies by the part's 6-bit scale, and f32 begins after 256
//   q5_k  the same with 16 parts, two a scale (31·127·2·4 < 2¹⁵)
//   q6_k  the same with 16 values a part (32·127·2·4 < 2¹⁵)
#pragma once

#include "quant-panels.h"

namespace athanor::ATHANOR_ISA::quant {

template <class A> inline const A& blockAt(const std::byte* tokens, int64_t t, int64_t stride, int64_t b) {
  return reinterpret_cast<const A*>(tokens + t * stride)[b];
}

// sum[t][v] += the products of Count quads (or pairs of words).
template <int T, int V, int Count, class S, class Add>
inline __attribute__((always_inline)) void multiplyQuads(const I32 (*weights)[V], const int32_t* const (&quads)[T], S (&sum)[T][V], const Add& add) {
#pragma GCC unroll 16
  for (int q = 0; q < Count; q++) {
    I32 w[V];
#pragma GCC unroll 2
    for (int v = 0; v < V; v++) w[v] = weights[q][v];
#pragma GCC unroll 8
    for (int t = 0; t < T; t++) {
      const I32 a = broadcast(quads[t] + q);
#pragma GCC unroll 2
      for (int v = 0; v < V; v++) add(sum[t][v], w[v], a);
    }
  }
}

template <int T, int V, class Body>
inline __attribute__((always_inline)) void eachSum(const Body& body) {
#pragma GCC unroll 8
  for (int t = 0; t < T; t++)
#pragma GCC unroll 2
    for (int v = 0; v < V; v++) body(t, v);
}

inline F32 productOf(F32 factor, float scale) { return factor * splat(scale); }
inline void addProduct(float* acc, I32 sum, F32 factor) { store(acc, fma(toFloats(sum), factor, load(acc))); }

// Blocks of 32. acc is [T][V][LANES].
template <class Format, int T, int V>
void multiplyPanel(const Panel<V>& panel, int64_t blocks, const std::byte* tokens, int64_t stride, float* acc) {
  using A = typename Format::Activations;
  const int32_t* quads[T];
  for (int64_t b = 0; b < blocks; b++) {
    if constexpr (std::is_same_v<A, Words32>) {
      I32 sum[T][V] = {};
#pragma GCC unroll 8
      for (int t = 0; t < T; t++) quads[t] = blockAt<A>(tokens, t, stride, b).words;
      multiplyQuads<T, V, 16>(panel.weights + 16 * b, quads, sum, [](I32& s, I32 w, I32 a) {
        s += multiplyWords(w, a);
        inRegister(s);
      });
      eachSum<T, V>([&](int t, int v) {
        addProduct(acc + (t * V + v) * LANES, sum[t][v], productOf(panel.factor[b][v], blockAt<A>(tokens, t, stride, b).scale));
      });
    } else {
      Sum sum[T][V];
#pragma GCC unroll 8
      for (int t = 0; t < T; t++) quads[t] = blockAt<A>(tokens, t, stride, b).quads;
      eachSum<T, V>([&](int t, int v) { sum[t][v] = (Sum)broadcast(&blockAt<A>(tokens, t, stride, b).offset); });
      multiplyQuads<T, V, 8>(panel.weights + 8 * b, quads, sum, add);
      eachSum<T, V>([&](int t, int v) {
        addProduct(acc + (t * V + v) * LANES, total(sum[t][v]), productOf(panel.factor[b][v], blockAt<A>(tokens, t, stride, b).scale));
      });
    }
  }
}

// One block of 256 in PARTS parts; q4_k and q5_k also subtract their minima.
template <class Format, int T, int V>
void multiplyLarge(const Panel<V>& panel, const std::byte* tokens, int64_t stride, float* acc) {
  using A = typename Format::Activations;
  constexpr bool hasMins = std::is_same_v<A, BytesQ4K>;
  constexpr int PARTS = Format::PARTS, QUADS = 64 / PARTS;
  I32 sums[T][V] = {};
  for (int j = 0; j < PARTS; j++) {
    Sum sum[T][V];
    const int32_t* quads[T];
#pragma GCC unroll 8
    for (int t = 0; t < T; t++) quads[t] = blockAt<A>(tokens, t, stride, 0).quads + QUADS * j;
    eachSum<T, V>([&](int t, int v) {
      if constexpr (hasMins) sum[t][v] = Sum{};
      else sum[t][v] = (Sum)broadcast(blockAt<A>(tokens, t, stride, 0).offsets + j);
    });
    multiplyQuads<T, V, QUADS>(panel.weights + QUADS * j, quads, sum, add);
    eachSum<T, V>([&](int t, int v) { sums[t][v] += scaled(sum[t][v], panel.scales[j][v]); });
  }
  eachSum<T, V>([&](int t, int v) {
    const A& a = blockAt<A>(tokens, t, stride, 0);
    float* to = acc + (t * V + v) * LANES;
    addProduct(to, sums[t][v], productOf(panel.factor[0][v], a.scale));
    if constexpr (hasMins) {
      I32 mins{};
#pragma GCC unroll 4
      for (int i = 0; i < 4; i++) mins += multiplyWords(panel.mins[i][v], broadcast(a.sums + i));
      addProduct(to, mins, -productOf(panel.minFactor[v], a.scale));
    }
  });
}

}  // namespace athanor::ATHANOR_ISA::quant
