// rmsNormBackward, with h = x · rstd and g = weight · dy:
//   dx = rstd · (g − h · mean(g · h)) + addend,   dweight = Σ over rows of dy · h.
// x: [N, C], or [N, H, C] with a row for each head.
#include "operand.h"
#include "row-sums.h"

namespace athanor::ATHANOR_ISA {

void rmsNormBackward(const Call& call) {
  const View &x = call.in[0], &weight = call.in[1], &rstd = call.in[2], &dy = call.in[3];
  const View addend = call.nIn > 4 ? call.in[4] : View{};
  const View &dx = call.out[0], &dweight = call.out[1];
  const int64_t heads = x.rank > 2 ? x.shape[1] : 1, rows = x.rows() * heads, cols = weight.rows(), chunks = chunkCount(rows), height = chunkRows(rows);
  float* partial = reinterpret_cast<float*>(call.workspace);  // [chunks, C]
  withKind([&](auto kind) {
    constexpr Kind K = decltype(kind)::kind;
    const Reader<K> w = rowOf<K>(weight, 0);
    parallelRows(*call.pool, chunks, height * cols, [&](int64_t begin, int64_t end) {
      for (int64_t chunk = begin; chunk < end; chunk++) {
        float* dw = partial + chunk * cols;
        eachVector(cols, [&](int64_t i, auto tag) { store(dw + i, zero(), tag); });
        for (int64_t row = chunk * height; row < minOf(rows, (chunk + 1) * height); row++) {
          const int64_t token = row / heads, head = row % heads, at = head * cols;
          const Reader<K> from = rowOf<K>(x, token, at), dout = rowOf<K>(dy, token, at);
          const Writer<K> to = outRow<K>(dx, token, at);
          const float scale = rstd.as<float>()[token * rstd.stride0 + head];
          const float dot = rowSum(cols, [&](int64_t i, auto tag) { return from.at(i, tag) * dout.at(i, tag) * w.at(i, tag); });
          const float pull = dot / float(cols) * scale * scale * scale;  // x · pull = rstd · h · mean(g · h)
          const bool adds = addend.data != nullptr;
          const Reader<K> plus = adds ? rowOf<K>(addend, token, at) : from;
          eachVector(cols, [&](int64_t i, auto tag) {
            const F32 xi = from.at(i, tag), di = dout.at(i, tag) * scale;
            F32 result = fma(di, w.at(i, tag), xi * -pull);
            if (adds) result += plus.at(i, tag);
            store(dw + i, fma(di, xi, load(dw + i, tag)), tag);
            to.put(i, result, tag);
          });
        }
      }
    });
  }, x, weight, dy, addend, dx);
  sumChunks(*call.pool, dweight, partial, chunks, cols, 0);
}

}  // namespace athanor::ATHANOR_ISA
