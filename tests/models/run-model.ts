// Runs models in float64 through the oracle, for tests.

import { evaluateGraph, maxOf, ndarray, rebuild, sizeOf, stateOf, nodesOf, type Dim, type Graph, type NDArray, type OpAttrs, type Shape } from '../../src/core/index.ts';
import { cachedGraph, initialise, scoreGraph, type CacheOptions, type Model } from '../../src/models/index.ts';

export type Values = Record<string, NDArray>;

export function values(shape: Shape, data: ArrayLike<number>): NDArray {
  return ndarray(shape.map(maxOf), data);
}

/** Starting values of all parameters. */
export function startValues(model: Model, seed: number): Values {
  return Object.fromEntries(model.states.map((state) => [state.id, values(state.meta.shape, initialise(state, seed))]));
}

/** Adds what the graph reads besides the parameters: buffers, and zeros for caches that are not there yet. */
export function withOtherStates(graph: Graph, given: Values): Values {
  const all: Values = { ...given };
  for (const node of nodesOf(graph)) {
    const state = stateOf(node);
    if (state === undefined || all[state.id] !== undefined) continue;
    all[state.id] = state.init.kind === 'values' ? values(state.meta.shape, state.init.values()) : values(state.meta.shape, new Float64Array(sizeOf(state.meta.shape)));
  }
  return all;
}

/** The same graph with its bounded axes fixed. */
export function bind(graph: Graph, sizes: Readonly<Record<string, number>>): Graph {
  const dimOf = (dim: Dim): Dim => (typeof dim === 'number' ? dim : sizes[dim.dim]!);
  return rebuild(graph, (b, node, inputs) => {
    const { shape } = node.attrs as { readonly shape?: Shape };
    if (shape !== undefined) return b.apply(node.op, { ...node.attrs, shape: shape.map(dimOf) } as never, inputs, node.outs.map(({ dtype }) => dtype));
    if (node.op !== 'input') return null;
    const { name, meta } = node.attrs as OpAttrs['input'];
    return [b.one('input', { name, meta: { ...meta, shape: meta.shape.map(dimOf) } }, [])];
  });
}

/** Inputs of packed documents: tokens one after the other, the target of each being the next of its document. */
export function packed(documents: readonly (readonly number[])[]): Values {
  const tokens: number[] = [], targets: number[] = [], starts: number[] = [], positions: number[] = [];
  for (const document of documents) {
    const start = tokens.length;
    document.forEach((token, i) => {
      tokens.push(token);
      targets.push(document[i + 1] ?? -1);
      starts.push(start);
      positions.push(i);
    });
  }
  const row = (data: number[]): NDArray => ndarray([data.length], data);
  return { tokens: row(tokens), targets: row(targets), starts: row(starts), positions: row(positions) };
}

/** Logits, hidden states and log-probabilities of packed documents. */
export function scoreAll(model: Model, weights: Values, documents: readonly (readonly number[])[]): Values {
  const inputs = packed(documents), graph = scoreGraph(model, inputs.tokens!.data.length, { logits: true, hidden: true });
  return evaluateGraph(graph, inputs, withOtherStates(graph, weights)).outputs;
}

/** A decoder in float64: sequences with scattered cache rows. */
export class Decoder {
  readonly #graph: Graph;
  readonly #options: CacheOptions;
  #states: Values;
  readonly #slotTable: NDArray;
  readonly #lengths: number[];

  constructor(model: Model, weights: Values, options: CacheOptions) {
    this.#options = options;
    this.#graph = cachedGraph(model, options);
    this.#states = withOtherStates(this.#graph, weights);
    const { maxSeqs, maxLength, slots } = options;
    this.#slotTable = ndarray([maxSeqs, maxLength], Float64Array.from({ length: maxSeqs * maxLength }, (_, i) => slots - 1 - i));
    this.#lengths = Array.from({ length: maxSeqs }, () => 0);
  }

  /** Adds tokens to sequences. @returns logits of each sequence's last new token, [sequences, V] */
  step(additions: readonly { readonly seq: number; readonly tokens: readonly number[] }[]): Float64Array[] {
    const tokens: number[] = [], positions: number[] = [], seqs: number[] = [], slots: number[] = [], rows: number[] = [];
    for (const { seq, tokens: added } of additions) {
      for (const token of added) {
        const position = this.#lengths[seq]!++;
        tokens.push(token);
        positions.push(position);
        seqs.push(seq);
        slots.push(this.#slotTable.data[seq * this.#options.maxLength + position]!);
      }
      rows.push(tokens.length - 1);
    }
    const row = (data: number[]): NDArray => ndarray([data.length], data);
    const { outputs, writes } = evaluateGraph(
      bind(this.#graph, { tokens: tokens.length, rows: rows.length }),
      { tokens: row(tokens), positions: row(positions), seqs: row(seqs), slots: row(slots), rows: row(rows), slotTable: this.#slotTable },
      this.#states,
    );
    this.#states = { ...this.#states, ...writes };
    const { shape: [, v = 0], data } = outputs.logits!;
    return rows.map((_, r) => data.slice(r * v, (r + 1) * v));
  }
}

/** Index of the largest value. */
export function argmax(logits: ArrayLike<number>): number {
  let best = 0;
  for (let i = 1; i < logits.length; i++) if (logits[i]! > logits[best]!) best = i;
  return best;
}

/** Largest difference over the largest magnitude of what is expected. */
export function relativeError(actual: ArrayLike<number>, expected: ArrayLike<number>): number {
  if (actual.length !== expected.length) return Infinity;
  let difference = 0, magnitude = 0;
  for (let i = 0; i < expected.length; i++) {
    const d = Math.abs(actual[i]! - expected[i]!);
    difference = Number.isNaN(d) ? Infinity : Math.max(difference, d);
    magnitude = Math.max(magnitude, Math.abs(expected[i]!));
  }
  return difference === 0 ? 0 : difference / magnitude; // where nothing is expected, nothing
}
