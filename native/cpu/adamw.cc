// adamw: one pass over parameters and moments, in place.
//   g' = g · gradScale;  m = β1 m + (1 − β1) g';  v = β2 v + (1 − β2) g'²
//   p = p − lr · wd · p − lr · (m / (1 − β1^t)) / (sqrt(v / (1 − β2^t)) + eps)
// Loshchilov & Hutter 2019, arXiv 1711.05101, algorithm 2 (decoupled decay; eps outside the root, as torch.optim.AdamW).
#include <cmath>

#include "operand.h"
#include "simd-math.h"

namespace athanor::ATHANOR_ISA {

void adamw(const Call& call) {
  const View *in = call.in, *out = call.out;
  const float lr = in[4].as<float>()[0], gradScale = in[6].as<float>()[0];
  const double step = in[5].as<int32_t>()[0];
  const double beta1 = call.attrs[0], beta2 = call.attrs[1], eps = call.attrs[2], weightDecay = call.attrs[3];
  const float b1 = float(beta1), b2 = float(beta2), rest1 = float(1 - beta1), rest2 = float(1 - beta2), e = float(eps);
  const float keepRate = float(1 - lr * weightDecay), stepSize = float(lr / (1 - std::pow(beta1, step)));
  const float rootScale = float(1 / std::sqrt(1 - std::pow(beta2, step)));
  const auto update = [&](float* p, const float* g, float* m, float* v, int64_t n) {
    eachVector(n, [&](int64_t i, auto tag) {
      const F32 grad = load(g + i, tag) * gradScale;
      const F32 mean = fma(load(m + i, tag), splat(b1), grad * rest1);
      const F32 square = fma(load(v + i, tag), splat(b2), grad * grad * rest2);
      const F32 denominator = fma(sqrt(square), splat(rootScale), splat(e));
      store(m + i, mean, tag);
      store(v + i, square, tag);
      store(p + i, load(p + i, tag) * keepRate - mean * stepSize / denominator, tag);
    });
  };
  bool flat = true;
  for (int k = 0; k < 4; k++) flat = flat && in[k].contiguous();
  if (flat) {
    return parallelRanges(*call.pool, in[0].size(), TASK_ELEMENTS, [&](int64_t begin, int64_t end) {
      update(out[0].as<float>() + begin, in[1].as<float>() + begin, out[1].as<float>() + begin, out[2].as<float>() + begin, end - begin);
    });
  }
  parallelRows(*call.pool, in[0].rows(), in[0].cols(), [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; row++)
      update(out[0].as<float>() + row * out[0].stride0, in[1].as<float>() + row * in[1].stride0,
             out[1].as<float>() + row * out[1].stride0, out[2].as<float>() + row * out[2].stride0, in[0].cols());
  });
}

}  // namespace athanor::ATHANOR_ISA
