// quantise: f32 as the bytes of a block format, in ggml's order, bit for bit those of src/core/block-encode.ts. A lane is a
// group of values that has a scale of its own, so that each lane does what ggml's reference does, operation for operation
// in f32; nothing is summed across lanes. Whole blocks make whole vectors: a batch is 32 groups at any width.
#include "quantise-search.h"

namespace athanor::ATHANOR_ISA {

namespace quantise_detail {

constexpr int64_t TASK_VALUES = 16384;  // some 0.2 ms of the slowest format, and whole batches of every one

// --- q8_0 and q4_0: a group is a block ---

inline void encodeQ80(const float* x, int64_t blocks, uint8_t* out) {
  constexpr int GROUP = 32;
  for (int64_t first = 0; first < blocks; first += LANES, x += LANES * GROUP, out += LANES * 34) {
    const int count = int(minOf(LANES, blocks - first));
    F32 v[GROUP], size = zero();
    transposeGroups<GROUP>(x, count, v);
    for (int i = 0; i < GROUP; i++) size = max(abs(v[i]), size);
    const F32 d = size / 127.0f, inverse = inverseOf(d);
    I32 levels[GROUP];
    for (int i = 0; i < GROUP; i++) levels[i] = roundAway(v[i] * inverse);
    for (int g = 0; g < count; g++) {
      putHalf(out + 34 * g, d[g]);
      for (int i = 0; i < GROUP; i++) out[34 * g + 2 + i] = uint8_t(levels[i][g]);
    }
  }
}

inline void encodeQ40(const float* x, int64_t blocks, uint8_t* out) {
  constexpr int GROUP = 32;
  for (int64_t first = 0; first < blocks; first += LANES, x += LANES * GROUP, out += LANES * 18) {
    const int count = int(minOf(LANES, blocks - first));
    F32 v[GROUP], size = zero(), largest = zero();
    transposeGroups<GROUP>(x, count, v);
    for (int i = 0; i < GROUP; i++) {
      const I32 larger = size < abs(v[i]);
      size = select(larger, abs(v[i]), size);
      largest = select(larger, v[i], largest);
    }
    // −8 stands for the largest value, whatever its sign; the opposite one, 8, does not exist.
    const F32 d = largest / -8.0f, inverse = inverseOf(d);
    I32 levels[GROUP];
    for (int i = 0; i < GROUP; i++) levels[i] = within(truncated(v[i] * inverse + 8.5f), 0, 15);
    for (int g = 0; g < count; g++) {
      putHalf(out + 18 * g, d[g]);
      for (int i = 0; i < 16; i++) out[18 * g + 2 + i] = uint8_t(levels[i][g] | levels[16 + i][g] << 4);
    }
  }
}

// --- k-quants: batches of blocks, whose groups are searched LANES at a time ---

constexpr int BATCH_GROUPS = 32;

struct Batch {
  int32_t levels[BATCH_GROUPS / LANES][32][LANES];
  float scales[BATCH_GROUPS], mins[BATCH_GROUPS];
  int32_t level(int group, int i) const { return levels[group / LANES][i][group % LANES]; }
};

// Transposes the groups of a batch into v and searches them, LANES at a time.
template <int GROUP, class Search> inline void searchGroups(const float* x, int groups, F32 (*v)[GROUP], const Search& search, Batch& batch) {
  for (int g = 0; g < groups; g += LANES) {
    const int part = g / LANES;
    transposeGroups<GROUP>(x + g * GROUP, int(minOf(LANES, groups - g)), v[part]);
    search(g, v[part], batch.levels[part]);
  }
}

// Eight scales and minima of 6 bits in 12 bytes: the reverse of scaleAndMin (block-formats.h).
inline void putScales(uint8_t* out, const float* scales, const float* mins, float inverseScale, float inverseMin) {
  std::memset(out, 0, 12);
  for (int j = 0; j < 8; j++) {
    const int scale = minOf(63, nearestInt(inverseScale * scales[j]) & 255), low = minOf(63, nearestInt(inverseMin * mins[j]) & 255);
    if (j < 4) {
      out[j] = uint8_t(scale);
      out[j + 4] = uint8_t(low);
    } else {
      out[j + 4] = uint8_t((scale & 15) | (low & 15) << 4);
      out[j - 4] |= uint8_t(scale >> 4 << 6);
      out[j] |= uint8_t(low >> 4 << 6);
    }
  }
}

// Blocks of eight groups of 32: scales and minima to 16 bytes; pack(block, level of group and place) writes the rest.
template <Grid grid, int64_t BYTES, class Pack> inline void encodeScaled(const float* x, int64_t blocks, uint8_t* out, const Pack& pack) {
  constexpr int GROUP = 32, PER_BLOCK = 8;
  Batch batch;
  F32 v[BATCH_GROUPS / LANES][GROUP];
  for (int64_t first = 0; first < blocks; first += BATCH_GROUPS / PER_BLOCK, x += BATCH_GROUPS * GROUP) {
    const int count = int(minOf(BATCH_GROUPS / PER_BLOCK, blocks - first)), groups = count * PER_BLOCK;
    searchGroups<GROUP>(x, groups, v, [&](int g, const F32* values, int32_t (*levels)[LANES]) {
      const ScaleAndMin found = searchScaleAndMin<grid>(values, levels);
      store(batch.scales + g, found.scale);
      store(batch.mins + g, -found.min);
    }, batch);
    float steps[BATCH_GROUPS], offsets[BATCH_GROUPS];
    for (int b = 0; b < count; b++) {
      uint8_t* to = out + (first + b) * BYTES;
      const float *scales = batch.scales + PER_BLOCK * b, *mins = batch.mins + PER_BLOCK * b;
      float maxScale = 0, maxMin = 0;
      for (int j = 0; j < PER_BLOCK; j++) {
        maxScale = scales[j] > maxScale ? scales[j] : maxScale;
        maxMin = mins[j] > maxMin ? mins[j] : maxMin;
      }
      putHalf(to, maxScale / 63.0f);
      putHalf(to + 2, maxMin / 63.0f);
      putScales(to + 4, scales, mins, maxScale > 0 ? 63.0f / maxScale : 0, maxMin > 0 ? 63.0f / maxMin : 0);
      const float d = f16At(to), dMin = f16At(to + 2);
      for (int j = 0; j < PER_BLOCK; j++) {
        int scale, low;
        scaleAndMin(to + 4, j, scale, low);
        steps[PER_BLOCK * b + j] = d * float(scale);
        offsets[PER_BLOCK * b + j] = dMin * float(low);
      }
    }
    for (int g = 0; g < groups; g += LANES) refine<GROUP>(v[g / LANES], load(steps + g), load(offsets + g), 0, grid.levels, 0, batch.levels[g / LANES]);
    for (int b = 0; b < count; b++) pack(out + (first + b) * BYTES + 16, [&](int j, int i) { return batch.level(PER_BLOCK * b + j, i); });
  }
}

inline void encodeQ4K(const float* x, int64_t blocks, uint8_t* out) {
  encodeScaled<GRID_Q4K, 144>(x, blocks, out, [](uint8_t* to, const auto& level) {
    for (int j = 0; j < 8; j += 2)
      for (int i = 0; i < 32; i++) to[16 * j + i] = uint8_t(level(j, i) | level(j + 1, i) << 4);
  });
}

inline void encodeQ5K(const float* x, int64_t blocks, uint8_t* out) {
  encodeScaled<GRID_Q5K, 176>(x, blocks, out, [](uint8_t* to, const auto& level) {
    for (int i = 0; i < 32; i++) {
      int fifths = 0;
      for (int j = 0; j < 8; j++) fifths |= level(j, i) >> 4 << j;
      to[i] = uint8_t(fifths);
      for (int j = 0; j < 8; j += 2) to[32 + 16 * j + i] = uint8_t((level(j, i) & 15) | (level(j + 1, i) & 15) << 4);
    }
  });
}

// Blocks of sixteen groups of 16.
inline void encodeQ6K(const float* x, int64_t blocks, uint8_t* out) {
  constexpr int GROUP = 16, PER_BLOCK = 16;
  Batch batch;
  F32 v[BATCH_GROUPS / LANES][GROUP];
  for (int64_t first = 0; first < blocks; first += BATCH_GROUPS / PER_BLOCK, x += BATCH_GROUPS * GROUP) {
    const int count = int(minOf(BATCH_GROUPS / PER_BLOCK, blocks - first)), groups = count * PER_BLOCK;
    searchGroups<GROUP>(x, groups, v, [&](int g, const F32* values, int32_t (*levels)[LANES]) { store(batch.scales + g, searchScale(values, levels)); }, batch);
    float steps[BATCH_GROUPS], sizes[BATCH_GROUPS / PER_BLOCK];
    for (int b = 0; b < count; b++) {
      uint8_t* to = out + (first + b) * 210;
      const float* scales = batch.scales + PER_BLOCK * b;
      float maxScale = 0, maxSize = 0;
      for (int j = 0; j < PER_BLOCK; j++)
        if (std::fabs(scales[j]) > maxSize) maxSize = std::fabs(scales[j]), maxScale = scales[j];
      const float inverse = -128.0f / maxScale;
      putHalf(to + 208, 1.0f / inverse);
      const float d = f16At(to + 208);
      for (int j = 0; j < PER_BLOCK; j++) {
        const int8_t scale = int8_t(minOf(127, nearestInt(inverse * scales[j])));
        to[192 + j] = uint8_t(scale);
        steps[PER_BLOCK * b + j] = d * float(scale);
      }
      sizes[b] = maxSize;
      if (maxSize < TINY) std::memset(to, 0, 210);
    }
    for (int g = 0; g < groups; g += LANES) refine<GROUP>(v[g / LANES], load(steps + g), zero(), -32, 31, 32, batch.levels[g / LANES]);
    for (int b = 0; b < count; b++) {
      uint8_t* to = out + (first + b) * 210;
      if (sizes[b] < TINY) continue;
      const auto level = [&](int i) { return batch.level(PER_BLOCK * b + i / GROUP, i % GROUP); };
      for (int part = 0; part < 2; part++)
        for (int i = 0; i < 32; i++) {
          const int32_t p = level(128 * part + i), q = level(128 * part + 32 + i), r = level(128 * part + 64 + i), s = level(128 * part + 96 + i);
          to[64 * part + i] = uint8_t((p & 15) | (r & 15) << 4);
          to[64 * part + 32 + i] = uint8_t((q & 15) | (s & 15) << 4);
          to[128 + 32 * part + i] = uint8_t(p >> 4 | q >> 4 << 2 | r >> 4 << 4 | s >> 4 << 6);
        }
    }
  }
}

}  // namespace quantise_detail

void quantise(const Call& call) {
  using namespace quantise_detail;
  constexpr DType FORMATS[] = {DType::q8_0, DType::q4_0, DType::q4_k, DType::q6_k, DType::q5_k};  // QUANTISED of src/core/op-attrs.ts
  constexpr decltype(&encodeQ80) ENCODERS[] = {encodeQ80, encodeQ40, encodeQ4K, encodeQ6K, encodeQ5K};
  const View &x = call.in[0], &y = call.out[0];
  const int code = int(call.attrs[0]);
  const BlockSize size = blockSize(FORMATS[code]);
  // Rows are whole blocks: without gaps between them all is one row, whose length does not matter to the vectors.
  const bool whole = x.contiguous() && y.contiguous();
  const int64_t across = x.cols() / size.values, rows = whole ? 1 : x.rows(), blocks = whole ? x.rows() * across : across;
  for (int64_t i = 0; i < rows; i++) {
    const float* from = x.as<float>() + i * x.stride0;
    uint8_t* to = y.as<uint8_t>() + i * y.stride0;
    const int64_t grain = TASK_VALUES / size.values;
    parallelRanges(*call.pool, blocks, grain, [&](int64_t begin, int64_t end) {
      ENCODERS[code](from + begin * size.values, end - begin, to + begin * size.bytes);
    });
  }
}

}  // namespace athanor::ATHANOR_ISA
