// Attention with a cache in ONNX: keys and values of earlier runs come in, all of them go out. Layer: export.
// Inputs and outputs are named as Hugging Face's exports name them, so that their runtimes (Optimum, Transformers.js) find
// their way: past_key_values.LAYER.key and .value, present.LAYER.key and .value, each [batch, KV, length, D].

import type { AttentionAttrs, Node } from '../../core/index.ts';
import { BOOL, type OnnxGraph, type Value } from './onnx-graph.ts';

/** A layer's part of the cache. */
export interface CachedLayer {
  readonly nKvHeads: number;
  readonly keySize: number;
  readonly valueSize: number;
}

/** Hides a score. Finite, so that a row of padding, which sees nothing, is no NaN. */
const HIDDEN = -3.4e38;

// B batch, S new positions, P positions before them, T = P + S, H query heads, KV key heads of G query heads each
export class CacheAttention {
  readonly layers: CachedLayer[] = [];
  readonly #g: OnnxGraph;
  readonly #inputIds: Value;
  readonly #mask: Value;
  readonly #hiding = new Map<number, Value>();

  /** @param inputIds [B, S] @param mask [B, T], 0 for padding */
  constructor(g: OnnxGraph, inputIds: Value, mask: Value) {
    this.#g = g;
    this.#inputIds = inputIds;
    this.#mask = mask;
  }

  /** @returns [B·S, H, Dv] */
  emit({ attrs, inputs }: Node<'attention'>, layer: number, [q, k, v]: readonly Value[]): Value {
    const g = this.#g, [, heads, keySize] = inputs[0]!.shape as [unknown, number, number], [, nKvHeads, valueSize] = inputs[2]!.shape as [unknown, number, number];
    this.layers[layer] = { nKvHeads, keySize, valueSize };
    const batch = g.sizeOf(this.#inputIds, 0), length = g.sizeOf(this.#inputIds, 1), group = heads / nKvHeads;
    const join = (part: 'key' | 'value', fresh: Value, width: number): Value => {
      const rows = g.transpose(g.reshape(fresh, [batch, length, nKvHeads, width]), 0, 2, 1, 3); // [B, KV, S, D]
      const all = g.one('Concat', [`past_key_values.${layer}.${part}`, rows], { axis: { int: 2 } });
      g.rename(all, `present.${layer}.${part}`);
      return g.one('Unsqueeze', [all, g.ints(2)]); // [B, KV, 1, T, D]
    };
    const queries = g.transpose(g.reshape(q!, [batch, length, nKvHeads, group, keySize]), 0, 2, 3, 1, 4); // [B, KV, G, S, D]
    const keys = g.transpose(join('key', k!, keySize), 0, 1, 2, 4, 3), values = join('value', v!, valueSize);
    const scores = g.one('Add', [this.#capped(g.one('Mul', [g.one('MatMul', [queries, keys]), g.float(attrs.scale)]), attrs), this.#hidden(attrs.window)]);
    const mixed = g.one('MatMul', [g.one('Softmax', [scores], { axis: { int: -1 } }), values]); // [B, KV, G, S, Dv]
    return g.reshape(g.transpose(mixed, 0, 3, 1, 2, 4), [-1, heads, valueSize]);
  }

  #capped(scores: Value, { softcap }: AttentionAttrs): Value {
    const g = this.#g;
    return softcap > 0 ? g.one('Mul', [g.one('Tanh', [g.one('Mul', [scores, g.float(1 / softcap)])]), g.float(softcap)]) : scores;
  }

  /** 0 where a position is seen, else `HIDDEN`: [B, 1, 1, S, T]. One for all layers of a window. */
  #hidden(window: number): Value {
    const known = this.#hiding.get(window);
    if (known !== undefined) return known;
    const g = this.#g, scope = g.scope;
    g.scope = 'mask';
    const past = g.one('Squeeze', [g.sizeOf('past_key_values.0.key', 2)]), length = g.one('Squeeze', [g.sizeOf(this.#inputIds, 1)]), total = g.one('Add', [past, length]);
    const row = g.one('Unsqueeze', [g.one('Range', [past, total, g.int(1)]), g.ints(1)]), column = g.one('Range', [g.int(0), total, g.int(1)]); // [S, 1], [T]
    const causal = g.one('LessOrEqual', [column, row]);
    const near = window > 0 ? g.one('And', [causal, g.one('Greater', [column, g.one('Sub', [row, g.int(window)])])]) : causal; // [S, T]
    const seen = g.one('And', [near, g.one('Unsqueeze', [g.cast(this.#mask, BOOL), g.ints(1)])]); // [B, S, T]
    const hiding = g.one('Unsqueeze', [g.one('Where', [seen, g.float(0), g.float(HIDDEN)]), g.ints(1, 2)]);
    g.scope = scope;
    this.#hiding.set(window, hiding);
    return hiding;
  }
}
