// Experts: feed-forward layers of which each token uses a few, chosen by scores of its own (Shazeer et al. 2017, arXiv
// 1701.06538; Fedus et al. 2021, arXiv 2101.03961). Rows are sorted by expert, and an expert is a product over its rows:
// nothing is dropped, nothing is padded, and a token's result does not depend on which tokens are beside it. Layer: nn.

import { expression, type Tensor } from '../core/index.ts';
import type { Context } from './context.ts';
import { siluGate } from './mlp.ts';

// N tokens, C channels, E experts, k of them a token, F channels within an expert

/** Sizes and rules of a layer of experts; its weights start as N(0, std²). */
export interface ExpertOptions {
  /** E */
  readonly nExperts: number;
  /** k */
  readonly nUsed: number;
  /** F */
  readonly nInner: number;
  readonly std: number;
  /** Groups of experts of which a token uses `topGroups`; one by default. */
  readonly nGroups?: number;
  readonly topGroups?: number;
  /** Whether the weights of a token's experts are divided by their sum. */
  readonly normalised: boolean;
  /** Factor on the weights. */
  readonly scale?: number;
}

/**
 * Scores of all experts, x·wᵀ with the parameter `router.weight` [E, C].
 *
 * @param x [N, C]
 * @returns [N, E]
 */
export function routerLogits(ctx: Context, x: Tensor, nExperts: number, std: number): Tensor {
  const weight = ctx.b.within('router', () => ctx.parameter('weight', [nExperts, x.shape[1] as number], { kind: 'normal', std }));
  return ctx.b.one('linear', {}, [x, weight, null, null]);
}

/** Softmax over the channels of [N, C], f32. */
export function softmax(ctx: Context, x: Tensor): Tensor {
  const { b } = ctx, top = b.one('reduce', { kind: 'max', axis: 1 }, [x]); // [N, 1]
  const exps = b.map(expression(2, (e, value, most) => e.call('exp', e.call('sub', value!, most!))), [x, top]);
  return b.call('div', exps, b.one('reduce', { kind: 'sum', axis: 1 }, [exps]));
}

/**
 * Σ over a token's experts of weight·down(silu(gate(x))·up(x)), with the parameters `experts.I.gate.weight`, `.up.weight`
 * [F, C] and `.down.weight` [C, F].
 *
 * @param x [N, C]
 * @param scores what the chosen experts are weighted by, [N, E]
 * @param choice what they are chosen by: the k largest, [N, E]
 * @returns [N, C]
 */
export function expertMlp(ctx: Context, x: Tensor, scores: Tensor, choice: Tensor, options: ExpertOptions): Tensor {
  const { b } = ctx, { nUsed, nGroups = 1, topGroups = 1 } = options, [n, channels] = x.shape as [Tensor['shape'][number], number];
  const [experts, tokens, order, places, offsets] = b.apply('route', { topK: nUsed, nGroups, topGroups }, [choice]) as [Tensor, Tensor, Tensor, Tensor, Tensor];
  const { gates, ups, downs } = expertWeights(ctx, channels, options);
  const grouped = (rows: Tensor, weights: readonly Tensor[]): Tensor => b.one('groupedLinear', { transposed: false }, [rows, offsets, ...weights]);
  const rows = b.one('gather', {}, [x, tokens]); // [N, k, C], sorted by expert
  const out = grouped(b.map(siluGate(), [grouped(rows, gates), grouped(rows, ups)]), downs); // [N, k, C]
  const back = b.one('reorder', {}, [out, places, order]); // [N, k, C], a token's experts together
  const sum = b.one('reduce', { kind: 'sum', axis: 1 }, [b.call('mul', back, expertShares(ctx, scores, experts, options))]);
  return b.reshape(sum, [n, channels]);
}

/** Each expert's matrices: tensors of their own in a checkpoint, so States of their own here. */
function expertWeights(ctx: Context, channels: number, { nExperts, nInner, std }: ExpertOptions) {
  const gates: Tensor[] = [], ups: Tensor[] = [], downs: Tensor[] = [];
  for (let expert = 0; expert < nExperts; expert++) {
    ctx.b.within(`experts.${expert}`, () => {
      const matrix = (name: string, out: number, within: number): Tensor => ctx.b.within(name, () => ctx.parameter('weight', [out, within], { kind: 'normal', std }));
      gates.push(matrix('gate', nInner, channels));
      ups.push(matrix('up', nInner, channels));
      downs.push(matrix('down', channels, nInner));
    });
  }
  return { gates, ups, downs };
}

/** Keeps the shares finite where all scores are 0; DeepSeek's code has the same, and it changes no other sum. */
const SUM_EPS = 1e-20;

/**
 * The scores of each token's experts, divided by their sum if that is the rule.
 *
 * @param experts i32 [N, k]
 * @returns [N, k, 1]
 */
function expertShares({ b }: Context, scores: Tensor, experts: Tensor, { nExperts, nUsed, normalised, scale = 1 }: ExpertOptions): Tensor {
  const [n] = scores.shape as [Tensor['shape'][number]];
  const number = b.one('iota', { length: nExperts, dtype: 'f32' }, []);
  const isOwn = expression(3, (e, own, one, score) => e.call('select', e.call('eq', own!, one!), score!, e.constant(0)));
  const picked = b.map(isOwn, [b.reshape(experts, [n, nUsed, 1]), number, b.reshape(scores, [n, 1, nExperts])]); // [N, k, E]
  const shares = b.one('reduce', { kind: 'sum', axis: 2 }, [picked]); // [N, k, 1]
  if (!normalised) return scale === 1 ? shares : b.call('mul', shares, scale);
  const sum = b.one('reduce', { kind: 'sum', axis: 1 }, [shares]); // [N, 1, 1]
  return b.map(expression(2, (e, share, total) => e.call('mul', e.call('div', share!, e.call('add', total!, e.constant(SUM_EPS))), e.constant(scale))), [shares, sum]);
}
