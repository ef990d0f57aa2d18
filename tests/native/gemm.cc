// Checks matmul and linear of one instruction set against float64 on random shapes: all transpositions, dtypes, strides,
// addends in place and not, bias, zero sizes; the same bits for 1, 2 and 3 threads and for a row alone. See README.md.
// Error bound: 4·√K·2⁻²⁴ relative to |A|·|B| + |addend| + |bias| (bf16 results: plus one rounding to 8 bits).
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <limits>
#include <random>
#include <vector>

#include "../../native/cpu/linear.cc"
#include "../../native/cpu/matmul.cc"

using namespace athanor;
using namespace athanor::ATHANOR_ISA;

namespace {

std::mt19937 random_(7);
int below(int n) { return int(random_() % unsigned(n)); }
int failures = 0;

void expect(bool ok, const char* what, const char* where) {
  if (ok) return;
  if (failures++ < 20) std::printf("FAILED %s: %s\n", what, where);
}

// A tensor of [batch,] rows × cols with its own stride and a guard around it that nobody may write.
struct Matrix {
  std::vector<char> bytes;
  View view{};
#ifdef __SANITIZE_ADDRESS__
  static constexpr int GUARD = 0;  // the sanitizer sees the first byte too many, reads included
#else
  static constexpr int GUARD = 64;
#endif

  Matrix(int64_t batch, int64_t rows, int64_t cols, DType dtype) {
    const int64_t pad = batch == 0 ? below(3) * 5 : 0, misalign = GUARD == 0 ? 0 : below(4);
    const int64_t size = dtype == DType::bf16 ? 2 : 4;
    view.dtype = dtype;
    view.rank = batch == 0 ? 2 : 3;
    if (batch != 0) view.shape[0] = batch;
    view.shape[view.rank - 2] = rows;
    view.shape[view.rank - 1] = cols;
    view.stride0 = batch == 0 ? cols + pad : rows * cols;
    const int64_t elements = (batch == 0 ? rows : batch) * view.stride0 - (rows == 0 ? 0 : pad);
    bytes.assign(size_t((elements + 2 * GUARD) * size), char(0x5a));
    view.data = bytes.data() + (GUARD + misalign) * size;
    std::normal_distribution<float> normal;
    for (int64_t b = 0; b < count(); b++)
      for (int64_t i = 0; i < rows; i++)
        for (int64_t j = 0; j < cols; j++) set(b, i, j, normal(random_));
  }
  Matrix(const Matrix& o) : bytes(o.bytes), view(o.view) {
    view.data = bytes.data() + (static_cast<char*>(o.view.data) - o.bytes.data());
  }
  int64_t count() const { return view.rank == 2 ? 1 : view.shape[0]; }
  int64_t rows() const { return view.shape[view.rank - 2]; }
  int64_t cols() const { return view.shape[view.rank - 1]; }
  int64_t index(int64_t b, int64_t i, int64_t j) const {
    return view.rank == 2 ? i * view.stride0 + j : b * view.stride0 + i * cols() + j;
  }
  float get(int64_t b, int64_t i, int64_t j) const {
    const int64_t at = index(b, i, j);
    return view.dtype == DType::bf16 ? fromBf16(view.as<ATHANOR_ISA::bf16>()[at]) : view.as<float>()[at];
  }
  void set(int64_t b, int64_t i, int64_t j, float x) {
    const int64_t at = index(b, i, j);
    if (view.dtype == DType::bf16)
      view.as<ATHANOR_ISA::bf16>()[at] = toBf16(x);
    else
      view.as<float>()[at] = x;
  }
  // What must not change when the matrix is written: everything but its elements.
  bool sameAround(const Matrix& before) const {
    Matrix copy(before);
    for (int64_t b = 0; b < count(); b++)
      for (int64_t i = 0; i < rows(); i++)
        for (int64_t j = 0; j < cols(); j++) copy.set(b, i, j, get(b, i, j));
    for (size_t i = 0; i < bytes.size(); i++)
      if (copy.bytes[i] != bytes[i]) return false;
    return true;
  }
};

void call(Kernel kernel, std::vector<View> in, View out, std::vector<double> attrs, int threads) {
  Pool pool(threads);
  const size_t bytes = size_t(gemm::workspaceBytes(out.dtype == DType::bf16, threads));
  std::byte* workspace = static_cast<std::byte*>(std::aligned_alloc(64, (bytes + 64 + 63) / 64 * 64));
  for (size_t i = 0; i < bytes; i++) workspace[i] = std::byte(0xff);  // NaNs: stale scratch must not leak
  for (int i = 0; i < 64; i++) workspace[bytes + i] = std::byte(0x5a);
  kernel({in.data(), &out, attrs.data(), workspace, &pool, int32_t(in.size()), 1, int32_t(attrs.size()), bytes});
  for (int i = 0; i < 64; i++) expect(workspace[bytes + i] == std::byte(0x5a), "workspace", "written beyond its end");
  std::free(workspace);
}

struct Case {
  int64_t batch, m, n, k;
  bool transA, transB, bias, addend, inPlace;
  DType a, b, c, extra;
};

void check(const Case& t, bool isLinear) {
  char where[200];
  std::snprintf(where, sizeof where, "%s batch %d m %d n %d k %d trans %d%d bias %d addend %d%d dtypes %d%d%d%d",
                isLinear ? "linear" : "matmul", int(t.batch), int(t.m), int(t.n), int(t.k), t.transA, t.transB, t.bias,
                t.addend, t.inPlace, int(t.a), int(t.b), int(t.c), int(t.extra));
  Matrix a(t.batch, t.transA ? t.k : t.m, t.transA ? t.m : t.k, t.a), b(t.batch, t.transB ? t.n : t.k, t.transB ? t.k : t.n, t.b);
  Matrix bias(0, 1, t.n, t.extra), y(t.batch, t.m, t.n, t.c), addend(t.batch, t.m, t.n, t.inPlace ? t.c : t.extra);
  bias.view.rank = 1;
  bias.view.shape[0] = t.n;
  bias.view.stride0 = 1;
  const Matrix before(y);
  const View none{};
  const auto run = [&](Matrix& out, int threads) {
    const View add = t.addend ? (t.inPlace ? out.view : addend.view) : none;
    if (isLinear)
      call(linear, {a.view, b.view, t.bias ? bias.view : none, add}, out.view, {}, threads);
    else
      call(matmul, {a.view, b.view, add}, out.view, {double(t.transA), double(t.transB)}, threads);
  };
  run(y, 2);
  expect(y.sameAround(before), "writes only its elements", where);
  for (int threads = 1; threads <= 3; threads += 2) {
    Matrix other(before);
    run(other, threads);
    expect(other.bytes == y.bytes, "same bits for any number of threads", where);
  }
  bias.view.rank = 2;
  bias.view.shape[0] = 1;
  bias.view.shape[1] = t.n;
  const Matrix& add = t.inPlace ? before : addend;
  for (int64_t g = 0; g < y.count(); g++)
    for (int64_t i = 0; i < t.m; i++)
      for (int64_t j = 0; j < t.n; j++) {
        double sum = 0, size = 0;
        for (int64_t k = 0; k < t.k; k++) {
          const double x = double(t.transA ? a.get(g, k, i) : a.get(g, i, k)) * (t.transB ? b.get(g, j, k) : b.get(g, k, j));
          sum += x;
          size += std::fabs(x);
        }
        if (t.bias) sum += bias.get(0, 0, j), size += std::fabs(bias.get(0, 0, j));
        if (t.addend) sum += add.get(g, i, j), size += std::fabs(add.get(g, i, j));
        double bound = 4 * std::sqrt(double(t.k + 2)) * std::ldexp(1.0, -24) * size;
        if (t.c == DType::bf16) bound += std::ldexp(1.0, -8) * std::fabs(sum);
        expect(std::fabs(y.get(g, i, j) - sum) <= bound, "agrees with float64", where);
      }
}

// A row of x alone gives the same bits as among others.
void checkRowAlone() {
  const int64_t n = 83, k = 900;
  Matrix x(0, 50, k, DType::f32), w(0, n, k, DType::f32), y(0, 50, n, DType::f32);
  call(linear, {x.view, w.view}, y.view, {}, 2);
  for (int64_t i = 0; i < 50; i++) {
    Matrix alone(0, 1, n, DType::f32);
    View row = x.view;
    row.shape[0] = 1;
    row.data = x.view.as<float>() + i * x.view.stride0;
    call(linear, {row, w.view}, alone.view, {}, 2);
    for (int64_t j = 0; j < n; j++) expect(alone.get(0, 0, j) == y.get(0, i, j), "row alone", "linear");
  }
}

// A weight in bf16x2 gives the bits that the same bf16 in rows gives.
void checkInterleaved() {
  const int64_t rows[] = {0, 1, 2, 3, 4, 5, 33, 64}, columns[] = {1, 3, LANES, LANES + 1, gemm::NR, gemm::NR + 1, 53, 300}, depths[] = {2, 4, 30, 32, 64, 70, 514, 900};
  for (const int64_t m : rows)
    for (const int64_t n : columns)
      for (const int64_t k : depths) {
        const DType type = below(2) ? DType::bf16 : DType::f32, out = below(4) ? DType::f32 : DType::bf16;
        Matrix x(0, m, k, type), w(1, n, k, DType::bf16), bias(0, 1, n, DType::f32), plain(0, m, n, out), mixed(plain);
        View row = w.view;
        row.rank = 2, row.shape[0] = n, row.shape[1] = k, row.stride0 = k;
        bias.view.rank = 1, bias.view.shape[0] = n, bias.view.stride0 = 1;
        std::vector<uint8_t> units(size_t(n * k * 2));
        arrangeWeight(DType::bf16x2, n, k, row.as<uint8_t>(), units.data(), false);
        View groups = row;
        groups.dtype = DType::bf16x2, groups.data = units.data();
        const View addend = below(2) ? plain.view : View{};
        call(linear, {x.view, row, bias.view, addend}, plain.view, {}, 2);
        const View again = addend.data ? mixed.view : View{};
        call(linear, {x.view, groups, bias.view, again}, mixed.view, {}, 1 + int(below(3)));
        expect(plain.bytes == mixed.bytes, "bf16x2 is bf16", std::to_string(m * 1000000 + n * 1000 + k).c_str());
      }
}

// NaN and Inf reach exactly the elements that they should.
void checkNonFinite() {
  const int64_t m = 19, n = 37, k = 45;
  for (int variant = 0; variant < 4; variant++) {
    Matrix a(0, variant & 1 ? k : m, variant & 1 ? m : k, DType::f32), b(0, variant & 2 ? n : k, variant & 2 ? k : n, DType::f32);
    Matrix y(0, m, n, DType::f32);
    variant & 1 ? a.set(0, 44, 18, NAN) : a.set(0, 18, 44, NAN);
    variant & 2 ? b.set(0, 36, 3, INFINITY) : b.set(0, 3, 36, INFINITY);
    call(matmul, {a.view, b.view}, y.view, {double(variant & 1), double(variant >> 1)}, 2);
    for (int64_t i = 0; i < m; i++)
      for (int64_t j = 0; j < n; j++) {
        const float x = y.get(0, i, j);
        if (i == 18) expect(std::isnan(x), "NaN stays NaN", "matmul");
        else if (j == 36) expect(std::isinf(x), "Inf stays Inf", "matmul");
        else expect(std::isfinite(x), "nothing else is touched", "matmul");
      }
  }
}

}  // namespace

int main() {
  const int64_t sizes[] = {0, 1, 2, 3, 5, 6, 7, 8, 12, 13, 15, 16, 17, 31, 33, 64, 65, 100, 129};
  const int nSizes = int(sizeof sizes / sizeof *sizes);
#ifdef __SANITIZE_THREAD__
  const int count = 200;  // fifty times slower
#else
  const int count = 1500;
#endif
  int cases = 0;
  for (; cases < count; cases++) {
    Case t{};
    const bool isLinear = below(3) == 0;
    t.batch = !isLinear && below(4) == 0 ? 1 + below(3) : 0;
    t.m = sizes[below(nSizes)];
    t.n = sizes[below(nSizes)];
    t.k = sizes[below(nSizes)];
    if (cases % 50 == 0) t.k = 385 + below(900);
    if (cases % 50 == 1) t.m = 520 + below(20), t.k = 400, t.n = 1 + below(40);
    t.transA = !isLinear && below(2);
    t.transB = isLinear || below(2);
    t.bias = isLinear && below(2);
    t.addend = below(2);
    t.inPlace = t.addend && below(2);
    const auto dtype = [] { return below(3) == 0 ? DType::bf16 : DType::f32; };
    t.a = dtype(), t.b = dtype(), t.c = dtype(), t.extra = dtype();
    check(t, isLinear);
  }
  checkRowAlone();
  checkInterleaved();
  checkNonFinite();
  std::printf("%d cases, %d failures\n", cases, failures);
  return failures == 0 ? 0 : 1;
}
