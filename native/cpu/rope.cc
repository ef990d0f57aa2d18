// rope: rotates the first R dimensions of every head by the angles of its token's position and copies the others.
// x, y: [N, H, D]; cos, sin: [T, R/2]. Halves (Hugging Face): (x1·c − x2·s, x2·c + x1·s), x1 the first R/2, x2 the next;
// interleaved (RoFormer): the same on neighbours. `inverse` turns the angles round, which is the gradient. A position
// outside the table gives NaN. Su et al. 2021, arXiv 2104.09864, eq. 34.
#include "operand.h"

namespace athanor::ATHANOR_ISA {
namespace rope_detail {

struct Rotation {
  const float *cos, *sin;  // [R/2] of one position
  int64_t half;
  float sign;
};

template <Kind K> void rotateHalves(Reader<K> x, Writer<K> y, Rotation r, int64_t at) {
  eachVector(r.half, [&](int64_t i, auto tag) {
    const F32 x1 = x.at(at + i, tag), x2 = x.at(at + r.half + i, tag);
    const F32 c = load(r.cos + i, tag), s = load(r.sin + i, tag) * r.sign;
    y.put(at + i, fma(x1, c, -(x2 * s)), tag);
    y.put(at + r.half + i, fma(x2, c, x1 * s), tag);
  });
}

// y = x · c + swap(x) · (∓s): neighbours are exchanged in the register, their angles doubled up in two short arrays.
template <Kind K> void rotatePairs(Reader<K> x, Writer<K> y, Rotation r, int64_t at, int64_t heads, int64_t headSize) {
  constexpr int64_t BLOCK = 256;
  float cos[BLOCK], sin[BLOCK];
  I32 swap{};
  for (int i = 0; i < LANES; i++) swap[i] = i ^ 1;
  for (int64_t begin = 0; begin < 2 * r.half; begin += BLOCK) {
    const int64_t n = minOf(BLOCK, 2 * r.half - begin);
    for (int64_t i = 0; i < n; i += 2) {
      cos[i] = cos[i + 1] = r.cos[(begin + i) / 2];
      sin[i + 1] = r.sin[(begin + i) / 2] * r.sign;
      sin[i] = -sin[i + 1];
    }
    for (int64_t head = 0; head < heads; head++) {
      const int64_t from = at + head * headSize + begin;
      eachVector(n, [&](int64_t i, auto tag) {
        const F32 v = x.at(from + i, tag);
        y.put(from + i, fma(v, load(cos + i, tag), __builtin_shuffle(v, swap) * load(sin + i, tag)), tag);
      });
    }
  }
}

}  // namespace rope_detail

void rope(const Call& call) {
  using namespace rope_detail;
  const View &x = call.in[0], &positions = call.in[1], &cos = call.in[2], &sin = call.in[3], &y = call.out[0];
  const int64_t heads = x.shape[1], headSize = x.shape[2], half = cos.cols();
  const bool interleaved = call.attrs[1] != 0;
  withKind([&](auto kind) {
    constexpr Kind K = decltype(kind)::kind;
    parallelRows(*call.pool, x.rows(), x.cols(), [&](int64_t begin, int64_t end) {
      for (int64_t row = begin; row < end; row++) {
        const Reader<K> from = rowOf<K>(x, row);
        const Writer<K> to = outRow<K>(y, row);
        const int64_t position = positions.as<int32_t>()[row * positions.stride0];
        if (position < 0 || position >= cos.rows()) {
          eachVector(x.cols(), [&](int64_t i, auto tag) { to.put(i, splat(__builtin_nanf("")), tag); });
          continue;
        }
        const Rotation r{cos.as<float>() + position * cos.stride0, sin.as<float>() + position * sin.stride0, half,
                         call.attrs[0] != 0 ? -1.0f : 1.0f};
        if (interleaved) rotatePairs<K>(from, to, r, 0, heads, headSize);
        else for (int64_t head = 0; head < heads; head++) rotateHalves<K>(from, to, r, head * headSize);
        if (from.data == to.data || 2 * half == headSize) continue;
        for (int64_t head = 0; head < heads; head++) {
          const int64_t at = head * headSize + 2 * half;
          eachVector(headSize - 2 * half, [&](int64_t i, auto tag) { to.put(at + i, from.at(at + i, tag), tag); });
        }
      }
    });
  }, x, y);
}

}  // namespace athanor::ATHANOR_ISA
