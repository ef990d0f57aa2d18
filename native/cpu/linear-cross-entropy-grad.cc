// linearCrossEntropy forward and backward in one pass over the chunks of tokens:
//   dlogits[i, v] = dlogprob[i] · (1{v = target[i]} − exp(logit[i, v] − lse[i])), 0 where the target is negative
//   dh = dlogits · w, dw = Σ chunks dlogitsᵀ · h + addend
// in: h [N, C], w [V, C], targets i32 [N], dlogprob f32 [N], addend [V, C] or absent (may be dw's memory)
// out: logprob f32 [N], lse f32 [N], dh [N, C], dw f32 [V, C]
#include "linear-cross-entropy.h"

namespace athanor::ATHANOR_ISA {

namespace cross_entropy {

// The logits of the rows [v0, v1) of V become their gradients.
inline void differentiate(const Task& t, int64_t block, int64_t first, int64_t tokens) {
  const int64_t v0 = block * BLOCK, v1 = v0 + BLOCK < t.vocabulary ? v0 + BLOCK : t.vocabulary;
  for (int64_t v = v0; v < v1; v++)
    for (int64_t j = 0; j < tokens; j += LANES) {
      float* p = t.logits + v * t.ld + j;
      const F32 weight = load(t.weights + j);
      // A token without a target has weight 0, and no part even if its logits are not finite.
      store(p, select(weight == 0.0f, zero(), weight * exp(load(p) - load(t.lseOfChunk + j))));
    }
  for (int64_t i = 0; i < tokens; i++) {
    const int64_t target = t.target(first + i);
    if (target >= v0 && target < v1) t.logits[target * t.ld + i] -= t.weights[i];
  }
}

// dw += dlogitsᵀ · h over one chunk; from is the addend or what the chunks so far gave.
inline void addWeightGradient(const Task& t, const gemm::Operand& h, int64_t tokens, const gemm::Operand& from,
                              const gemm::Operand& dw) {
  gemm::run({t.vocabulary, t.channels, tokens, logitsOf(t, false), h, from, gemm::absent(), dw}, *t.pool, t.scratch);
}

}  // namespace cross_entropy

void linearCrossEntropyGrad(const Call& call) {
  using namespace cross_entropy;
  const View &dlogprob = call.in[3], &dh = call.out[2];
  const Task t = taskOf(call, call.out[0], call.out[1], dh.dtype == DType::bf16);
  const gemm::Operand dw = gemm::operandOf(call.out[3]);
  const int64_t step = tokensOfChunk(t.tokens, t.vocabulary);
  gemm::Operand from = gemm::optional(call, 4);
  if (t.tokens == 0) addWeightGradient(t, t.h, 0, from, dw);
  for (int64_t first = 0; first < t.tokens; first += step) {
    const int64_t tokens = t.tokens - first < step ? t.tokens - first : step;
    forward(t, first, tokens);
    for (int64_t i = 0; i < t.ld; i++) {
      const bool counts = i < tokens && t.target(first + i) >= 0;
      t.weights[i] = counts ? -dlogprob.as<float>()[(first + i) * dlogprob.stride0] : 0.0f;
    }
    t.pool->parallel(t.blocks(), [&](int64_t block, int) { differentiate(t, block, first, tokens); });
    gemm::run({tokens, t.channels, t.vocabulary, logitsOf(t, true), t.w, gemm::absent(), gemm::absent(),
               rowsFrom(gemm::operandOf(dh), first)},
              *t.pool, t.scratch);
    addWeightGradient(t, rowsFrom(t.h, first), tokens, from, dw);
    from = dw;
  }
}

}  // namespace athanor::ATHANOR_ISA
