// layerNorm: y = (x − mean) · rstd · weight + bias, rstd = 1 / sqrt(var(x) + eps), var the mean square of x − mean (two
// passes over a row that is in L1). Ba, Kiros & Hinton 2016, arXiv 1607.06450.
#include "operand.h"
#include "row-sums.h"

namespace athanor::ATHANOR_ISA {

void layerNorm(const Call& call) {
  const View &x = call.in[0], &weight = call.in[1], &y = call.out[0], &means = call.out[1], &rstds = call.out[2];
  const View bias = call.nIn > 2 ? call.in[2] : View{};
  const int64_t cols = x.cols();
  const float eps = float(call.attrs[0]);
  withKind([&](auto kind) {
    constexpr Kind K = decltype(kind)::kind;
    const bool adds = bias.data != nullptr;
    const Reader<K> w = rowOf<K>(weight, 0), b = adds ? rowOf<K>(bias, 0) : w;
    parallelRows(*call.pool, x.rows(), cols, [&](int64_t begin, int64_t end) {
      for (int64_t row = begin; row < end; row++) {
        const Reader<K> from = rowOf<K>(x, row);
        const Writer<K> to = outRow<K>(y, row);
        const float mean = rowSum(cols, [&](int64_t i, auto tag) { return from.at(i, tag); }) / float(cols);
        const float square = rowSum(cols, [&](int64_t i, auto tag) {
          const F32 v = keep(from.at(i, tag) - mean, tag, 0.0f);
          return v * v;
        });
        const float rstd = 1.0f / __builtin_sqrtf(square / float(cols) + eps);
        means.as<float>()[row * means.stride0] = mean;
        rstds.as<float>()[row * rstds.stride0] = rstd;
        eachVector(cols, [&](int64_t i, auto tag) {
          F32 v = (from.at(i, tag) - mean) * rstd * w.at(i, tag);
          if (adds) v += b.at(i, tag);
          to.put(i, v, tag);
        });
      }
    });
  }, x, weight, bias, y);
}

}  // namespace athanor::ATHANOR_ISA
