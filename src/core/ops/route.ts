// route: which experts each token goes to, and its (token, expert) pairs sorted by expert, so that experts are products of
// consecutive rows and nothing is dropped or padded (Gale et al. 2023, arXiv 2211.15841). Scores pass no gradient: they
// choose. Experts may come in groups of equal size, of which each token uses the best (DeepSeek-AI 2024, arXiv 2412.19437,
// section 2.1.2): a group is as good as its two best experts together.
import { ndarray } from '../ndarray.ts';
import type { OpAttrs } from '../op-attrs.ts';
import { attrs, type Op } from '../op.ts';
import { ranked, refuse } from '../check.ts';
import { maxOf } from '../shape.ts';

/** Whether element i comes before element j: the larger value, NaN above all (as in torch.topk), the first of equals. */
function precedes(values: ArrayLike<number>, i: number, j: number): boolean {
  const a = values[i]!, b = values[j]!;
  if (a === b || (Number.isNaN(a) && Number.isNaN(b))) return i < j;
  return Number.isNaN(a) || a > b;
}

/** The first k of `among` in that order. */
function best(values: ArrayLike<number>, among: readonly number[], k: number): number[] {
  return [...among].sort((i, j) => (precedes(values, i, j) ? -1 : 1)).slice(0, k);
}

/** The k experts of one token. */
function chosen({ topK, nGroups, topGroups }: OpAttrs['route'], scores: Float64Array): number[] {
  const size = scores.length / nGroups, members = (group: number): number[] => Array.from({ length: size }, (_, i) => group * size + i);
  const groups = Array.from({ length: nGroups }, (_, group) => group);
  const strengths = groups.map((group) => best(scores, members(group), 2).reduce((sum, i) => sum + scores[i]!, 0));
  const kept = nGroups === topGroups ? groups : best(strengths, groups, topGroups).sort((a, b) => a - b);
  return best(scores, kept.flatMap(members), topK);
}

// N tokens, E experts, k = topK
export const route: Op<OpAttrs['route']> = {
  kind: 'primitive',
  attrs: attrs<OpAttrs['route']>({ topK: 'number', nGroups: 'number', topGroups: 'number' }),
  /**
   * scores [N, E] → five of i32:
   * experts [N, k]: each token's, best first;
   * tokens [N, k]: whose row each row of the sorted pairs is; a row is numbered through both axes;
   * order [N, k]: the pair, token·k + place among its experts, of each row of the sorted pairs;
   * places [N, k]: the reverse, the row of each pair;
   * offsets [E + 1]: where each expert's rows begin, and their end.
   */
  infer(a, x) {
    const scores = ranked('route', x, 0, 2), [n, experts] = scores.shape, e = maxOf(experts!);
    const whole = [a.topK, a.nGroups, a.topGroups].every((value) => Number.isInteger(value) && value >= 1);
    if (!whole || e % a.nGroups !== 0 || a.topGroups > a.nGroups || a.topK > (a.topGroups * e) / a.nGroups) {
      refuse('route', x, `${a.topK} of ${e} experts, in ${a.topGroups} of ${a.nGroups} groups, is no choice`);
    }
    if (scores.dtype !== 'f32' && scores.dtype !== 'bf16') refuse('route', x, 'the scores must be f32 or bf16');
    const pairs = { shape: [n!, a.topK], dtype: 'i32' as const };
    return [pairs, pairs, pairs, pairs, { shape: [e + 1], dtype: 'i32' }];
  },
  vjp: null,
  flops: () => 0,
  /** Strengths and marks of groups by token, cursors of experts. */
  workspace: (a, [scores]) => 16 * maxOf(scores!.shape[0]!) * a.nGroups + 8 * maxOf(scores!.shape[1]!),
  reference(a, [scores], y) {
    const [n, e] = scores!.shape as [number, number], k = a.topK;
    const [experts, tokens, order, places, offsets] = y.map((meta) => ndarray(meta.shape as number[]));
    for (let token = 0; token < n; token++) experts!.data.set(chosen(a, scores!.data.subarray(token * e, (token + 1) * e)), token * k);
    const sorted = Array.from({ length: n * k }, (_, pair) => pair).sort((p, q) => experts!.data[p]! - experts!.data[q]! || p - q);
    sorted.forEach((pair, row) => {
      order!.data[row] = pair;
      places!.data[pair] = row;
      tokens!.data[row] = Math.floor(pair / k);
    });
    for (const expert of experts!.data) for (let later = expert + 1; later <= e; later++) offsets!.data[later]!++;
    return [experts!, tokens!, order!, places!, offsets!];
  },
  samples: [
    { name: 'two of seven', attrs: { topK: 2, nGroups: 1, topGroups: 1 }, inputs: [{ shape: [13, 7] }] },
    { name: 'ties', attrs: { topK: 3, nGroups: 1, topGroups: 1 }, inputs: [{ shape: [9, 8], fill: (i) => (i * 5) % 3 }] },
    { name: 'groups', attrs: { topK: 3, nGroups: 4, topGroups: 2 }, inputs: [{ shape: [11, 12] }] },
    { name: 'tied groups', attrs: { topK: 2, nGroups: 3, topGroups: 1 }, inputs: [{ shape: [5, 6], fill: (i) => -(i % 2) }] },
    { name: 'one token', attrs: { topK: 8, nGroups: 1, topGroups: 1 }, inputs: [{ shape: [1, 64] }] },
    { name: 'most experts empty', attrs: { topK: 1, nGroups: 1, topGroups: 1 }, inputs: [{ shape: [6, 40], fill: (i) => Number(i % 40 === 17) }] },
  ],
};
