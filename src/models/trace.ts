// One `build`, three graphs: training loss, scoring, and decoding with a cache. Layer: models.

import { CapacityError } from '../base/errors.ts';
import { expression, GraphBuilder, maxOf, type Dim, type Graph, type State, type Tensor } from '../core/index.ts';
import type { Traced } from '../nn/index.ts';
import { traceInto, type Model } from './model.ts';

// N tokens of packed documents, V vocabulary, C channels, KV key heads, D head size, S sequences, L positions, R rows

/**
 * The training loss over packed documents: −Σ weights·log p(target). Weights are the caller's, so that they sum to one
 * over a whole optimizer step, whatever it is cut into.
 *
 * Inputs: tokens, targets, starts, positions i32 [N], weights f32 [N]. `starts[n]` is where in the run the document of
 * token n begins; `positions[n]` counts from there. A negative target counts for nothing.
 * Outputs: loss f32 [1], logprob f32 [N].
 *
 * @param span most tokens of a document (the context length), where that is less than all: tables of angles end there, and
 *   the plan's FLOPs count no more
 */
export function lossGraph(model: Model, nTokens: Dim, span?: number): Graph {
  const b = new GraphBuilder(), { logprob } = score(b, model, nTokens, span);
  const weights = b.input('weights', { shape: [nTokens], dtype: 'f32' });
  const losses = b.map(expression(2, (e, p, w) => e.call('neg', e.call('mul', w!, p!))), [logprob, weights]);
  return b.finish({ loss: b.one('reduce', { kind: 'sum', axis: 0 }, [losses]), logprob });
}

/** What `scoreGraph` gives besides `logprob` and `lse`. */
export interface ScoreOptions {
  /** f32 [N, V]: memory for all of it. */
  readonly logits?: boolean;
  /** After the final norm, f32 [N, C]. */
  readonly hidden?: boolean;
  /** As for `lossGraph`. */
  readonly span?: number;
}

/**
 * Log-probabilities of given targets. Inputs as for `lossGraph`, without weights.
 * Outputs: logprob and lse (log-sum-exp of the logits), f32 [N]; more by `options`.
 */
export function scoreGraph(model: Model, nTokens: Dim, options: ScoreOptions = {}): Graph {
  const b = new GraphBuilder(), { hidden, logits, logprob, lse } = score(b, model, nTokens, options.span);
  return b.finish({
    logprob,
    lse,
    ...(options.logits === true ? { logits: logits(hidden) } : {}),
    ...(options.hidden === true ? { hidden } : {}),
  });
}

/**
 * Hidden states after the final norm, of packed documents: what vectors of texts are made of.
 *
 * Inputs: tokens, starts, positions i32 [N], as for `lossGraph`. Output: hidden f32 [N, C].
 */
export function hiddenGraph(model: Model, nTokens: Dim): Graph {
  const b = new GraphBuilder(), [tokens, starts, positions] = ['tokens', 'starts', 'positions'].map((name) => b.input(name, { shape: [nTokens], dtype: 'i32' })) as [Tensor, Tensor, Tensor];
  const attend: Parameters<typeof traceInto>[0]['attend'] = (_layer, q, k, v, attrs) => b.one('attention', attrs, [q, k, v, starts]);
  return b.finish({ hidden: traceInto({ b, tokens, positions, maxLength: maxOf(nTokens), attend }, model).hidden });
}

function score(b: GraphBuilder, model: Model, nTokens: Dim, span?: number) {
  const ids = (name: string): Tensor => b.input(name, { shape: [nTokens], dtype: 'i32' });
  const tokens = ids('tokens'), targets = ids('targets'), starts = ids('starts'), positions = ids('positions');
  const traced = traceInto({
      b,
      tokens,
      positions,
      maxLength: Math.min(span ?? Infinity, maxOf(nTokens)),
      attend: (_layer, q, k, v, attrs) => b.one('attention', span === undefined ? attrs : { ...attrs, span }, [q, k, v, starts]),
    }, model), { hidden, head, logitSoftcap: softcap = 0 } = traced;
  const [logprob, lse] = b.apply('linearCrossEntropy', { softcap }, [hidden, head, targets]) as [Tensor, Tensor];
  return { hidden, logits: (rows: Tensor) => logitsOf(b, traced, rows), logprob, lse };
}

/** Logits of some of the hidden states, [R, C] → [R, V], capped where the model caps them. */
export function logitsOf(b: GraphBuilder, { head, logitSoftcap: cap = 0 }: Traced, rows: Tensor): Tensor {
  const logits = b.one('linear', {}, [rows, head, null, null]);
  return cap > 0 ? b.map(expression(1, (e, z) => e.call('mul', e.constant(cap), e.call('tanh', e.call('mul', z!, e.constant(1 / cap))))), [logits]) : logits;
}

/** Sizes of a decoder. */
export interface CacheOptions {
  /** Most new tokens of one run. */
  readonly maxTokens: number;
  /** Most sequences at once. */
  readonly maxSeqs: number;
  /** Most rows of logits, as many as sequences. */
  readonly maxRows?: number;
  /** Most positions of one sequence. */
  readonly maxLength: number;
  /** Rows of the cache, shared by all sequences. */
  readonly slots: number;
  /** What keys and values are kept in, f32; bf16 takes half the memory and half the time to read. */
  readonly cacheDtype?: 'f32' | 'bf16';
}

/**
 * New tokens of many sequences, each attending to its own sequence in the cache after they were added to it.
 *
 * Inputs: tokens, positions, seqs, slots i32 [N ≤ maxTokens] (id, place in its sequence, row of slotTable, row of the
 * cache to write to); slotTable i32 [maxSeqs, maxLength] (the cache row of each position); rows i32 [R ≤ maxRows] (which
 * tokens need logits). Output: logits f32 [R, V]. Writes the States `cache.LAYER.k` and `.v`, [slots, KV, D].
 *
 * @throws {CapacityError} if maxLength is more than the model's positions
 */
export function cachedGraph(model: Model, { maxTokens, maxSeqs, maxRows = maxSeqs, maxLength, slots: nSlots, cacheDtype = 'f32' }: CacheOptions): Graph {
  if (maxLength > model.dims.maxPositions) {
    throw new CapacityError(`Cannot decode ${maxLength} positions: the model tells ${model.dims.maxPositions} apart. Ask for less.`, { need: maxLength, have: model.dims.maxPositions });
  }
  const b = new GraphBuilder(), n = { dim: 'tokens', max: maxTokens };
  const ids = (name: string): Tensor => b.input(name, { shape: [n], dtype: 'i32' });
  const tokens = ids('tokens'), positions = ids('positions'), seqs = ids('seqs'), slots = ids('slots');
  const slotTable = b.input('slotTable', { shape: [maxSeqs, maxLength], dtype: 'i32' });
  const rows = b.input('rows', { shape: [{ dim: 'rows', max: maxRows }], dtype: 'i32' });
  const writes: [State, Tensor][] = [];
  const cached = (layer: number, part: 'k' | 'v', fresh: Tensor): Tensor => {
    const state: State = {
      id: `cache.${layer}.${part}`,
      meta: { shape: [nSlots, ...fresh.shape.slice(1)], dtype: cacheDtype },
      role: 'cache',
      init: { kind: 'zeros' },
      trainable: false,
    };
    const updated = b.one('scatter', { mode: 'set' }, [b.state(state), slots, b.cast(fresh, cacheDtype)]); // [slots, KV, D]
    writes.push([state, updated]);
    return updated;
  };
  const traced = traceInto({
    b,
    tokens,
    positions,
    maxLength,
    attend: (layer, q, k, v, attrs) => b.one('pagedAttention', attrs, [q, cached(layer, 'k', k), cached(layer, 'v', v), slotTable, seqs, positions]),
  }, model);
  const logits = logitsOf(b, traced, b.one('gather', {}, [traced.hidden, rows])); // [R, V]
  return b.finish({ logits }, writes);
}
