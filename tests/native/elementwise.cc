// Checks map and the functions of simd-math.h against double references.
#include "check.h"
#include "../../native/cpu/map.cc"

using namespace check;

namespace {

// Error in units of the last place of the f32 nearest to the true value (denormals: of the smallest normal).
double ulps(float got, double want) {
  if (std::isnan(want)) return std::isnan(got) ? 0 : 1e9;
  const float nearest = float(want);
  if (got == nearest) return 0;
  if (std::isinf(got) || std::isinf(nearest)) return 1e9;
  const double unit = std::ldexp(1.0, std::max(nearest == 0 ? -126 : std::ilogb(nearest), -126) - 23);
  return std::fabs(double(got) - want) / unit;
}

float randomFloat(Random& random, double low, double high) {  // half of them uniform, half with a uniform exponent
  if (random.below(2)) return float(low + (high - low) * random.uniform());
  const float bits = float(std::ldexp(1 + random.uniform(), int(random.below(252)) - 126));
  const float value = low < 0 && random.below(2) ? -bits : bits;
  return value >= low && value <= high ? value : float(low + (high - low) * random.uniform());
}

template <class F, class G> void accuracy(const char* name, double low, double high, double limit, const F& f, const G& reference) {
  Random random(1);
  double worst = 0;
  float where = 0;
  for (int i = 0; i < 400000; i += LANES) {
    F32 x{};
    for (int j = 0; j < LANES; j++) x[j] = randomFloat(random, low, high);
    const F32 y = f(x);
    for (int j = 0; j < LANES; j++) {
      const double error = ulps(y[j], reference(double(x[j])));
      if (error > worst) { worst = error; where = x[j]; }
    }
  }
  std::printf("  %-12s %.2f ulp (at %.9g)\n", name, worst, where);
  expect(worst <= limit, std::string(name) + " is less exact than it claims");
  const float special[] = {0.0f, -0.0f, INFINITY, -INFINITY, NAN, 1e-40f, -1e-40f, 1.0f, 3e38f, -3e38f};
  for (const float v : special) {
    const float got = f(splat(v))[0];
    const double error = ulps(got, reference(double(v)));
    expect(error <= limit, std::string(name) + " of " + std::to_string(v) + " is " + std::to_string(got));
  }
}

void functions() {
  accuracy("exp", -110, 90, 2.0, [](F32 x) { return exp(x); }, [](double x) { return std::exp(x); });
  accuracy("log", 0, 3e38, 2.0, [](F32 x) { return log(x); }, [](double x) { return std::log(x); });
  accuracy("log near 1", 0.5, 2, 2.0, [](F32 x) { return log(x); }, [](double x) { return std::log(x); });
  accuracy("tanh", -20, 20, 2.0, [](F32 x) { return tanh(x); }, [](double x) { return std::tanh(x); });
  accuracy("sigmoid", -87, 110, 3.0, [](F32 x) { return sigmoid(x); }, [](double x) { return 1 / (1 + std::exp(-x)); });
  accuracy("erf", -6, 6, 2.0, [](F32 x) { return erf(x); }, [](double x) { return std::erf(x); });
  accuracy("sin", -3e6, 3e6, 2.0, [](F32 x) { return sin(x); }, [](double x) { return std::sin(x); });
  accuracy("cos", -3e6, 3e6, 2.0, [](F32 x) { return cos(x); }, [](double x) { return std::cos(x); });
  accuracy("exp2 x<=0", -125.9, 0, 2.0, [](F32 x) { return exp2NonPositive(select(x > 0.0f, zero(), x)); }, [](double x) { return x < -126 ? 0 : std::exp2(std::isnan(x) ? x : std::min(x, 0.0)); });
  for (const float b : {-2.5f, -1.0f, 0.0f, 0.3333f, 0.5f, 2.0f, 7.25f, 100.0f, -0.001f})
    accuracy(("pow " + std::to_string(b)).c_str(), 0, 1e20, 1.5, [&](F32 x) { return pow(x, splat(b)); },
             [&](double x) { return x < 0 && b != 0 ? NAN : std::pow(std::fabs(x), double(b)); });
}

const double GATE = std::sqrt(2 / M_PI);
double gate(double x) { return 1 / (1 + std::exp(-2 * GATE * (x + 0.044715 * x * x * x))); }

double reference(int function, double a, double b, double c) {
  const double nan = NAN;
  switch (function) {
    case 1: return a + b; case 2: return a - b; case 3: return a * b; case 4: return a / b;
    case 5: return a != a || b != b ? nan : std::max(a, b); case 6: return a != a || b != b ? nan : std::min(a, b);
    case 7: return -a; case 8: return std::fabs(a); case 9: return std::exp(a); case 10: return a < 0 ? nan : std::log(a);
    case 11: return a < 0 ? nan : std::sqrt(a); case 12: return a < 0 ? nan : 1 / std::sqrt(a); case 13: return std::tanh(a);
    case 14: return 1 / (1 + std::exp(-a)); case 15: return std::erf(a); case 16: return std::floor(a);
    case 17: return a < b; case 18: return a <= b; case 19: return a == b; case 20: return a != 0 ? b : c;
    case 21: return a * b + c; case 22: return a * a; case 23: return 1 / a; case 24: return std::sin(a);
    case 25: return std::cos(a); case 26: return a < 0 ? nan : std::pow(a, b);
    case 27: return a * gate(a); case 28: return gate(a) + a * gate(a) * gate(-a) * 2 * GATE * (1 + 3 * 0.044715 * a * a);
  }
  return nan;
}

// Every function alone, over every length up to 2·lanes + 1 and a few beyond, specials included.
void everyFunction(Pool& pool) {
  Random random(2);
  for (int function = 1; function <= 28; function++)
    for (int64_t n = 0; n < 2 * LANES + 4; n++) {
      const int64_t length = n <= 2 * LANES + 1 ? n : n == 2 * LANES + 2 ? 1537 : 40001;
      Tensor a({length}), b({length}), c({length}), y({length});
      const auto draw = [&](int64_t i) { return i % 13 == 5 ? NAN : function == 26 ? 3 * random.uniform() : 3 * random.normal(); };
      a.fill(draw); b.fill(draw); c.fill(draw);
      std::vector<double> want;
      for (int64_t i = 0; i < length; i++) want.push_back(reference(function, a.get(i), b.get(i), c.get(i)));
      run(map, pool, {a.view, b.view, c.view}, {y.view}, {4, 1, double(function), 3, 0, 1, 2, 3});
      expectClose(y, want, function == 21 || function == 28 ? 1e-6 : 1e-36, function >= 26 ? 1e-5 : 6e-7, "map function " + std::to_string(function) + " length " + std::to_string(length));
    }
}

// Index into a broadcast input for the flat position `at` of an output of shape `shape`.
int64_t broadcastIndex(const Tensor& x, const std::vector<int64_t>& shape, int64_t at) {
  int64_t index = 0, step = 1;
  for (int axis = int(shape.size()) - 1, i = x.view.rank - 1; i >= 0; axis--, i--) {
    const int64_t coordinate = at % shape[size_t(axis)];
    at /= shape[size_t(axis)];
    if (x.view.shape[i] != 1) index += coordinate * step;
    step *= x.view.shape[i];
  }
  return index;
}

// Random expressions over random broadcasts, dtypes and strides; every third case writes over its first input.
void randomExpressions(Pool& pool, Pool& other) {
  for (int seed = 0; seed < rounds(3000); seed++) {
    Random random(uint64_t(seed) + 100);
    std::vector<int64_t> shape;
    const int rank = int(random.below(5));
    const int64_t sizes[] = {1, 2, 3, 5, 8, 17, 40, 129, 700};
    for (int i = 0; i < rank; i++) shape.push_back(sizes[random.below(rank > 2 ? 6 : 9)]);
    const bool inPlace = seed % 3 == 0;
    const int nIn = 1 + int(random.below(4)), nOut = 1 + int(random.below(2));
    std::vector<Tensor> inputs, outputs, again;
    for (int k = 0; k < nIn; k++) {
      std::vector<int64_t> own = shape;
      if (k > 0 || !inPlace) {
        for (auto& n : own) if (random.below(4) == 0) n = 1;
        while (!own.empty() && random.below(5) == 0) own.erase(own.begin());
      }
      const DType dtype = k == 0 && inPlace ? DType::f32 : random.below(4) == 0 ? DType::bf16 : random.below(8) == 0 ? DType::i32 : DType::f32;
      inputs.emplace_back(own, dtype, random.below(3) == 0 ? random.below(9) : 0);
      inputs.back().normal(random, 2);
    }
    const DType outType = random.below(4) == 0 ? DType::bf16 : DType::f32;
    for (int k = 0; k < nOut; k++) { const int64_t gap = random.below(3) == 0 ? 3 : 0; outputs.emplace_back(shape, outType, gap); again.emplace_back(shape, outType, gap); }
    const int nRegs = nIn + 1 + int(random.below(seed % 50 == 7 ? 150 : 5)), nCode = nRegs - nIn + int(random.below(5));
    std::vector<double> attrs = {double(nRegs), double(nCode)};
    for (int i = 0; i < nCode; i++) {  // every register is written before it is read; later ones may overwrite any
      const int to = nIn + i < nRegs ? nIn + i : int(random.below(nRegs)), known = std::min(nIn + i, nRegs);
      const int pick[] = {0, 1, 2, 3, 5, 6, 7, 8, 14, 17, 20, 21};
      const int function = pick[random.below(12)];
      const auto operand = [&] { return double(random.below(known)); };
      const double a = function == 0 ? random.normal() : operand(), b = operand(), c = operand();
      for (const double v : {double(function), double(to), a, b, c}) attrs.push_back(v);
    }
    std::vector<int> outs;
    for (int k = 0; k < nOut; k++) { outs.push_back(int(random.below(nRegs))); attrs.push_back(outs.back()); }

    std::vector<std::vector<double>> want(static_cast<size_t>(nOut));
    const int64_t count = outputs[0].size();
    for (int64_t at = 0; at < count; at++) {
      std::vector<double> r(static_cast<size_t>(nRegs));
      for (int k = 0; k < nIn; k++) r[size_t(k)] = inputs[size_t(k)].get(broadcastIndex(inputs[size_t(k)], shape, at));
      for (int i = 0; i < nCode; i++) {
        const double* code = attrs.data() + 2 + 5 * i;
        if (code[0] == 0) { r[size_t(code[1])] = double(float(code[2])); continue; }
        // Rounded to f32 at every step, so that comparisons and selects agree.
        r[size_t(code[1])] = float(reference(int(code[0]), r[size_t(code[2])], r[size_t(code[3])], r[size_t(code[4])]));
      }
      for (int k = 0; k < nOut; k++) want[size_t(k)].push_back(r[size_t(outs[size_t(k)])]);
    }
    std::vector<View> in, out, out2;
    for (auto& t : inputs) in.push_back(t.view);
    for (auto& t : outputs) out.push_back(t.view);
    for (auto& t : again) out2.push_back(t.view);
    run(map, other, in, out2, attrs);
    const bool over = inPlace && outType == DType::f32;
    if (over) out[0] = in[0];
    run(map, pool, in, out, attrs);
    const std::string what = "map expression, seed " + std::to_string(seed);
    expectClose(again[0], want[0], 3e-4, 3e-4, what);
    if (nOut == 2) expectClose(again[1], want[1], 3e-4, 3e-4, what + " second output");
    expect((over ? inputs[0].hash() : outputs[0].hash()) == again[0].hash(), what + ": other bits with one thread or in place");
    if (nOut == 2) expect(outputs[1].hash() == again[1].hash(), what + ": other bits in the second output");
  }
}

void integers(Pool& pool) {
  Tensor x({7}), y({7}, DType::i32);
  const double in[] = {1.9, -1.9, 3e9, -3e9, NAN, 0.4, -0.4}, want[] = {1, -1, 2147483647, -2147483648.0, 0, 0, 0};
  x.fill([&](int64_t i) { return in[i]; });
  run(map, pool, {x.view}, {y.view}, {1, 0, 0});
  for (int i = 0; i < 7; i++) expect(y.view.as<int32_t>()[i] == int32_t(want[i]), "map to i32 of " + std::to_string(in[i]));
}

}  // namespace

int main() {
  Pool pool(2), one(1);
  functions();
  everyFunction(pool);
  randomExpressions(pool, one);
  integers(pool);
  return report("elementwise");
}
