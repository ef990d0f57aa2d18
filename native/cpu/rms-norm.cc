// rmsNorm: y = x · rstd · weight, rstd = 1 / sqrt(mean(x²) + eps); x: [N, C], or [N, H, C] with a row for each head.
// Statistics in f32 whatever the dtype.
// Zhang & Sennrich 2019, arXiv 1910.07467, eq. 4.
#include "operand.h"
#include "row-sums.h"

namespace athanor::ATHANOR_ISA {

void rmsNorm(const Call& call) {
  const View &x = call.in[0], &weight = call.in[1], &y = call.out[0], &rstd = call.out[1];
  const int64_t cols = weight.rows(), heads = x.rank > 2 ? x.shape[1] : 1;
  const float eps = float(call.attrs[0]);
  withKind([&](auto kind) {
    constexpr Kind K = decltype(kind)::kind;
    const Reader<K> w = rowOf<K>(weight, 0);
    parallelRows(*call.pool, x.rows() * heads, cols, [&](int64_t begin, int64_t end) {
      for (int64_t row = begin; row < end; row++) {
        const int64_t token = row / heads, head = row % heads;
        const Reader<K> from = rowOf<K>(x, token, head * cols);
        const Writer<K> to = outRow<K>(y, token, head * cols);
        const float total = rowSum(cols, [&](int64_t i, auto tag) { const F32 v = from.at(i, tag); return v * v; });
        const float scale = 1.0f / __builtin_sqrtf(total / float(cols) + eps);
        rstd.as<float>()[token * rstd.stride0 + head] = scale;
        eachVector(cols, [&](int64_t i, auto tag) { to.put(i, from.at(i, tag) * scale * w.at(i, tag), tag); });
      }
    });
  }, x, weight, y);
}

}  // namespace athanor::ATHANOR_ISA
