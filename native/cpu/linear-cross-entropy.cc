// logprob[i] = h[i]·w[target[i]] − lse[i], lse[i] = log Σ_v exp(h[i]·w[v]); 0 where the target is negative.
// h [N, C], w [V, C], targets i32 [N]; logprob and lse f32 [N]. See linear-cross-entropy.h.
#include "linear-cross-entropy.h"

namespace athanor::ATHANOR_ISA {

void linearCrossEntropy(const Call& call) {
  const cross_entropy::Task t = cross_entropy::taskOf(call, call.out[0], call.out[1], false);
  const int64_t step = cross_entropy::tokensOfChunk(t.tokens, t.vocabulary);
  for (int64_t first = 0; first < t.tokens; first += step)
    cross_entropy::forward(t, first, t.tokens - first < step ? t.tokens - first : step);
}

}  // namespace athanor::ATHANOR_ISA
