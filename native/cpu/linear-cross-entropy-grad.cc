// linearCrossEntropy forward and backward in one pass over the chunks of tokens:
//   dlogits[i, v] = dlogprob[i] · (1{v = target[i]} − exp(logit[i, v] − lse[i])), 0 where the target is negative,
//   times 1 − (logit / cap)² where there is a cap, logit being the capped one
//   dh = dlogits · w, dw = Σ chunks dlogitsᵀ · h + addend
// in: h [N, C], w [V, C], targets i32 [N], dlogprob f32 [N], addend [V, C] or absent (may be dw's memory)
// out: logprob f32 [N], lse f32 [N], dh [N, C], dw f32 [V, C]
#include "linear-cross-entropy.h"

namespace athanor::ATHANOR_ISA {

namespace cross_entropy {

// The derivative of a capped logit z by the logit before.
inline F32 slope(const Task& t, F32 z) {
  const F32 ratio = z * (1.0f / t.softcap);
  return splat(1.0f) - ratio * ratio;
}
inline float slope(const Task& t, float z) {
  const float ratio = z * (1.0f / t.softcap);
  return 1.0f - ratio * ratio;
}

// The logits of the rows [v0, v1) of V become their gradients.
inline void differentiate(const Task& t, int64_t block, int64_t first, int64_t tokens) {
  const int64_t v0 = block * BLOCK, v1 = v0 + BLOCK < t.vocabulary ? v0 + BLOCK : t.vocabulary;
  float* slopes = t.maxima + block * t.ld;  // of the targets; the lse is known, so that the maxima have served
  const auto eachTarget = [&](const auto& body) {
    for (int64_t i = 0; i < tokens; i++) {
      const int64_t target = t.target(first + i);
      if (target >= v0 && target < v1) body(i, t.logits[target * t.ld + i]);
    }
  };
  eachTarget([&](int64_t i, float z) { slopes[i] = t.softcap > 0 ? slope(t, z) : 1.0f; });
  for (int64_t v = v0; v < v1; v++)
    for (int64_t j = 0; j < tokens; j += LANES) {
      float* p = t.logits + v * t.ld + j;
      const F32 z = load(p), weight = load(t.weights + j);
      F32 gradient = weight * exp(z - load(t.lseOfChunk + j));
      if (t.softcap > 0) gradient = gradient * slope(t, z);
      // A token without a target has weight 0, and no part even if its logits are not finite.
      store(p, select(weight == 0.0f, zero(), gradient));
    }
  eachTarget([&](int64_t i, float& gradient) { gradient -= t.weights[i] * slopes[i]; });
}

}  // namespace cross_entropy

void linearCrossEntropyGrad(const Call& call) {
  using namespace cross_entropy;
  const View &dlogprob = call.in[3], &dh = call.out[2];
  const Task t = taskOf(call, call.out[0], call.out[1], dh.dtype == DType::bf16);
  const gemm::Operand dw = gemm::operandOf(call.out[3]);
  const int64_t step = tokensOfChunk(t.tokens, t.vocabulary);
  gemm::Operand from = gemm::optional(call, 4);
  const auto addWeightGradient = [&](const gemm::Operand& h, int64_t tokens, int64_t v, int64_t rows) {
    gemm::run({rows, t.channels, tokens, rowsFrom(logitsOf(t, false), v), h, from.data ? rowsFrom(from, v) : from, gemm::absent(), rowsFrom(dw, v)},
              *t.pool, t.scratch);
  };
  if (t.tokens == 0) addWeightGradient(t.h, 0, 0, t.vocabulary);
  // A dh in bf16 is rounded once, so all of V goes into one product; in f32 it can wait in memory between two.
  const int64_t most = dh.dtype == DType::bf16 ? t.vocabulary : SWEEP;
  for (int64_t first = 0; first < t.tokens; first += step) {
    const int64_t tokens = t.tokens - first < step ? t.tokens - first : step;
    forward(t, first, tokens);
    for (int64_t i = 0; i < t.ld; i++) {
      const bool counts = i < tokens && t.target(first + i) >= 0;
      t.weights[i] = counts ? -dlogprob.as<float>()[(first + i) * dlogprob.stride0] : 0.0f;
    }
    const gemm::Operand dhOfChunk = rowsFrom(gemm::operandOf(dh), first);
    sweep(t, most, [&](int64_t v, int64_t rows) {
      t.pool->parallel(blocksOf(rows), [&](int64_t block, int) { differentiate(t, v / BLOCK + block, first, tokens); });
      gemm::run({tokens, t.channels, rows, rowsFrom(logitsOf(t, true), v), rowsFrom(t.w, v), v == 0 ? gemm::absent() : dhOfChunk,
                 gemm::absent(), dhOfChunk},
                *t.pool, t.scratch);
      addWeightGradient(rowsFrom(t.h, first), tokens, v, rows);
    });
    from = dw;
  }
}

}  // namespace athanor::ATHANOR_ISA
