// globalNorm: sqrt(Σ x²) over all elements of all inputs. Squares and sums are in double, by chunks of a fixed number of
// elements that are added in order, so the result is the same for any number of threads and never overflows early.
#include <cmath>

#include "operand.h"
#include "simd-math.h"

namespace athanor::ATHANOR_ISA {
namespace global_norm_detail {

constexpr int64_t CHUNK = 16384;  // the workspace rule: 8 bytes for each chunk of each run

// A contiguous tensor is one run; otherwise every row is.
struct Runs { int64_t count, length, stride; };
Runs runsOf(const View& x) {
  if (x.contiguous()) return {x.size() > 0 ? 1 : 0, x.size(), 0};
  return {x.cols() > 0 ? x.rows() : 0, x.cols(), x.stride0};
}
int64_t chunksOf(const Runs& runs) { return runs.count * ceilDiv(runs.length, CHUNK); }

template <Kind K> double sumSquares(Reader<K> x, int64_t n) {
  F64 a{}, b{};
  eachVector(n, [&](int64_t i, auto tag) {
    const Pair64 v = widen(x.at(i, tag));
    a += v.low * v.low;
    b += v.high * v.high;
  });
  a += b;
  double total = 0;
  for (int i = 0; i < HALF_LANES; i++) total += a[i];
  return total;
}

}  // namespace global_norm_detail

void globalNorm(const Call& call) {
  using namespace global_norm_detail;
  double* partial = reinterpret_cast<double*>(call.workspace);
  int64_t begin = 0;
  for (int k = 0; k < call.nIn; k++) {
    const View& x = call.in[k];
    const Runs runs = runsOf(x);
    const int64_t perRun = ceilDiv(runs.length, CHUNK);
    withKind([&](auto kind) {
      constexpr Kind K = decltype(kind)::kind;
      parallelRows(*call.pool, chunksOf(runs), minOf(runs.length, CHUNK), [&](int64_t first, int64_t last) {
        for (int64_t chunk = first; chunk < last; chunk++) {
          const int64_t at = chunk % perRun * CHUNK;
          const Reader<K> from{elementAt(x, chunk / perRun * runs.stride + at), x.dtype == DType::bf16};
          partial[begin + chunk] = sumSquares<K>(from, minOf(CHUNK, runs.length - at));
        }
      });
    }, x);
    begin += chunksOf(runs);
  }
  double total = 0;
  for (int64_t chunk = 0; chunk < begin; chunk++) total += partial[chunk];
  call.out[0].as<float>()[0] = float(std::sqrt(total));
}

}  // namespace athanor::ATHANOR_ISA
