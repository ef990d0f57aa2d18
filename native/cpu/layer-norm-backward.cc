// layerNormBackward, with h = (x − mean) · rstd and g = weight · dy:
//   dx = rstd · (g − mean(g) − h · mean(g · h)) + addend,   dweight = Σ dy · h,   dbias = Σ dy (over rows).
#include "operand.h"
#include "row-sums.h"

namespace athanor::ATHANOR_ISA {

void layerNormBackward(const Call& call) {
  const View &x = call.in[0], &weight = call.in[1], &means = call.in[2], &rstds = call.in[3], &dy = call.in[4];
  const View addend = call.nIn > 5 ? call.in[5] : View{};
  const View &dx = call.out[0], &dweight = call.out[1], &dbias = call.out[2];
  const int64_t rows = x.rows(), cols = x.cols(), chunks = chunkCount(rows), height = chunkRows(rows);
  float* partial = reinterpret_cast<float*>(call.workspace);  // [chunks, 2, C]: dweight, dbias
  withKind([&](auto kind) {
    constexpr Kind K = decltype(kind)::kind;
    const Reader<K> w = rowOf<K>(weight, 0);
    parallelRows(*call.pool, chunks, height * cols, [&](int64_t begin, int64_t end) {
      for (int64_t chunk = begin; chunk < end; chunk++) {
        float *dw = partial + chunk * 2 * cols, *db = dw + cols;
        eachVector(2 * cols, [&](int64_t i, auto tag) { store(dw + i, zero(), tag); });
        for (int64_t row = chunk * height; row < minOf(rows, (chunk + 1) * height); row++) {
          const Reader<K> from = rowOf<K>(x, row), dout = rowOf<K>(dy, row);
          const Writer<K> to = outRow<K>(dx, row);
          const float mean = means.as<float>()[row * means.stride0], rstd = rstds.as<float>()[row * rstds.stride0];
          const float meanG = rowSum(cols, [&](int64_t i, auto tag) { return dout.at(i, tag) * w.at(i, tag); }) / float(cols);
          const float dot = rowSum(cols, [&](int64_t i, auto tag) {
            return (from.at(i, tag) - mean) * rstd * (dout.at(i, tag) * w.at(i, tag));
          }) / float(cols);
          const bool adds = addend.data != nullptr;
          const Reader<K> plus = adds ? rowOf<K>(addend, row) : from;
          eachVector(cols, [&](int64_t i, auto tag) {
            const F32 h = (from.at(i, tag) - mean) * rstd, d = dout.at(i, tag);
            F32 result = (fma(d, w.at(i, tag), splat(-meanG)) - h * dot) * rstd;
            if (adds) result += plus.at(i, tag);
            store(dw + i, fma(d, h, load(dw + i, tag)), tag);
            store(db + i, load(db + i, tag) + d, tag);
            to.put(i, result, tag);
          });
        }
      }
    });
  }, x, weight, dy, addend, dx);
  sumChunks(*call.pool, dweight, partial, chunks, 2 * cols, 0);
  sumChunks(*call.pool, dbias, partial, chunks, 2 * cols, cols);
}

}  // namespace athanor::ATHANOR_ISA
