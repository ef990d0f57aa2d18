// route: the topK experts of each token, best first, out of the best groups; and the (token, expert) pairs sorted by
// expert. scores [N, E] → experts, tokens, order, places [N, k], offsets [E + 1]; attrs: topK, nGroups, topGroups.
// Larger scores come first, NaN before all, the lower number of equals: nothing depends on threads or on other tokens.
#include "operand.h"

namespace athanor::ATHANOR_ISA {
namespace route_detail {

// Whether (a, i) comes before (b, j).
inline bool precedes(double a, int64_t i, double b, int64_t j) {
  if (a > b || a < b) return a > b;
  return (a != a) == (b != b) ? i < j : a != a;
}

// The best element of [begin, end) that comes after (score, index); index < 0 for the first of all. −1: there is none.
template <class At, class Allowed>
int64_t bestAfter(int64_t begin, int64_t end, int64_t index, const At& at, const Allowed& allowed) {
  int64_t best = -1;
  double top = 0;
  const double last = index < 0 ? 0 : at(index);
  for (int64_t i = begin; i < end; i++) {
    const double score = at(i);
    if (!allowed(i) || (index >= 0 && !precedes(last, index, score, i))) continue;
    if (best >= 0 && !precedes(score, i, top, best)) continue;
    best = i;
    top = score;
  }
  return best;
}

// What a token keeps of its groups: how good each is, then whether it is used.
struct Groups {
  double* strengths;
  int64_t* used;
  int64_t count, size;
};

template <class At> void chooseGroups(const Groups& g, int64_t most, const At& at) {
  const auto any = [](int64_t) { return true; };
  for (int64_t group = 0; group < g.count; group++) {
    const int64_t begin = group * g.size, end = begin + g.size;
    const int64_t first = bestAfter(begin, end, -1, at, any), second = bestAfter(begin, end, first, at, any);
    g.strengths[group] = at(first) + (second < 0 ? 0 : at(second));  // of two floats: exact but for far apart ones
    g.used[group] = most == g.count;
  }
  if (most == g.count) return;
  int64_t group = -1;
  for (int64_t i = 0; i < most; i++) {
    group = bestAfter(0, g.count, group, [&](int64_t j) { return g.strengths[j]; }, any);
    g.used[group] = 1;
  }
}

inline int32_t& at(const View& v, int64_t row, int64_t column) { return v.as<int32_t>()[row * v.stride0 + column]; }

// Pairs in order of expert, then token: a counting sort.
void sortPairs(const Call& call, int64_t* cursors) {
  const View &experts = call.out[0], &tokens = call.out[1], &order = call.out[2], &places = call.out[3], &offsets = call.out[4];
  const int64_t n = experts.rows(), k = experts.cols(), count = offsets.rows() - 1;
  for (int64_t e = 0; e < count; e++) cursors[e] = 0;
  for (int64_t i = 0; i < n; i++)
    for (int64_t j = 0; j < k; j++) cursors[at(experts, i, j)]++;
  int64_t begin = 0;
  for (int64_t e = 0; e < count; e++) {
    const int64_t rows = cursors[e];
    at(offsets, e, 0) = int32_t(begin);
    cursors[e] = begin;
    begin += rows;
  }
  at(offsets, count, 0) = int32_t(begin);
  for (int64_t i = 0; i < n; i++)
    for (int64_t j = 0; j < k; j++) {
      const int64_t row = cursors[at(experts, i, j)]++;
      at(tokens, row / k, row % k) = int32_t(i);
      at(order, row / k, row % k) = int32_t(i * k + j);
      at(places, i, j) = int32_t(row);
    }
}

}  // namespace route_detail

void route(const Call& call) {
  using namespace route_detail;
  const View &scores = call.in[0], &experts = call.out[0];
  const int64_t n = scores.rows(), count = scores.cols(), k = int64_t(call.attrs[0]);
  const int64_t nGroups = int64_t(call.attrs[1]), topGroups = int64_t(call.attrs[2]);
  auto* strengths = reinterpret_cast<double*>(call.workspace);
  auto* used = reinterpret_cast<int64_t*>(strengths + n * nGroups);
  parallelRows(*call.pool, n, count * k, [&](int64_t begin, int64_t end) {
    for (int64_t token = begin; token < end; token++) {
      const auto score = [&](int64_t e) { return double(scalarAt(scores, token * scores.stride0 + e)); };
      const Groups groups{strengths + token * nGroups, used + token * nGroups, nGroups, count / nGroups};
      chooseGroups(groups, topGroups, score);
      int64_t expert = -1;
      for (int64_t j = 0; j < k; j++) {
        expert = bestAfter(0, count, expert, score, [&](int64_t e) { return groups.used[e / groups.size] != 0; });
        at(experts, token, j) = int32_t(expert);
      }
    }
  });
  sortPairs(call, used + n * nGroups);
}

}  // namespace athanor::ATHANOR_ISA
