// Whole models as programs: what executors compute is what the oracle computes from the traced graph.

import { afterAll, describe, expect, it } from 'vitest';
import { compile, evaluateGraph, gradientOf, gradients, GraphBuilder, ndarray, type Graph } from '../../src/core/index.ts';
import type { Executor, ProgramHandle, Values as Arrays } from '../../src/backends/executor.ts';
import { NativeExecutor } from '../../src/backends/native/index.ts';
import { ReferenceExecutor } from '../../src/backends/reference/index.ts';
import { BackendError } from '../../src/base/errors.ts';
import { cachedGraph, createModel, FAMILIES, lossGraph, type Model } from '../../src/models/index.ts';
import { packed, relativeError, scoreAll, startValues, values, withOtherStates, type Values } from './run-model.ts';

const documents = [[3, 14, 15, 9, 26, 5, 35, 8], [58, 9, 7], [32, 38, 46, 26, 43]];

function openNative(): NativeExecutor | undefined {
  try {
    return NativeExecutor.open({ threads: 2 });
  } catch (error) {
    if (error instanceof BackendError) return undefined; // not built here
    throw error;
  }
}

/** Inputs in the types that executors take. */
function arrays(program: { readonly inputs: Readonly<Record<string, { readonly dtype: string }>> }, given: Values): Arrays {
  return Object.fromEntries(Object.entries(given).map(([name, { data }]) => [name, program.inputs[name]!.dtype === 'i32' ? Int32Array.from(data) : Float32Array.from(data)]));
}

/** Loads a program and gives all its states their values. */
function load(executor: Executor, graph: Graph, states: Values, loss?: string): ProgramHandle {
  const program = compile(graph, { target: executor.target(), ...(loss === undefined ? {} : { gradients: { loss, accumulate: false } }) });
  const handle = executor.load(program);
  for (const { id } of program.states) if (states[id] !== undefined) (executor.state(id) as Float32Array).set(states[id].data);
  return handle;
}

const executors: [string, () => Executor | undefined][] = [['reference', () => new ReferenceExecutor()], ['native', openNative]];

describe.each(executors)('on the %s executor', (_backend, open) => {
  describe.each(Object.entries(FAMILIES))('%s', (_name, family) => {
    const executor = open(), model: Model = createModel(family, family.tiny), weights = startValues(model, 11);
    for (const state of model.states)
      if (state.init.kind === 'normal')
        weights[state.id]!.data.forEach((w, i, all) => {
          all[i] = Math.fround(10 * w);
        });
    afterAll(() => executor?.close());

    it.skipIf(executor === undefined)('loss and gradients', async () => {
      const inputs = packed(documents), n = inputs.tokens!.data.length, graph = lossGraph(model, n);
      const given = { ...inputs, weights: ndarray([n], Float32Array.from({ length: n }, () => 1 / 13)) };
      const states = withOtherStates(graph, weights), b = new GraphBuilder(graph), derived = gradients(b, graph.outputs.loss!, model.states.map((state) => b.state(state)));
      const exact = evaluateGraph(b.finish({ loss: graph.outputs.loss!, ...Object.fromEntries(derived.map((t, i) => [model.states[i]!.id, t])) }), given, states).outputs;
      const handle = load(executor!, graph, states, 'loss'), { loss } = await executor!.run(handle, arrays(handle.program, given));
      expect(relativeError(loss as Float32Array, exact.loss!.data)).toBeLessThan(1e-5);
      for (const state of model.states) expect(relativeError(executor!.state(gradientOf(state).id) as Float32Array, exact[state.id]!.data), state.id).toBeLessThan(1e-4);
    });

    it.skipIf(executor === undefined)('cached decoding with fewer tokens than planned', async () => {
      const options = { maxTokens: 6, maxSeqs: 3, maxLength: 12, slots: 40 }, graph = cachedGraph(model, options), v = model.dims.vocabSize;
      const handle = load(executor!, graph, withOtherStates(graph, weights));
      const slotTable = values([3, 12], Float64Array.from({ length: 36 }, (_, i) => 39 - i)), lengths = [0, 0, 0];
      for (const counts of [[3, 2, 1], [4, 0, 2], [1, 1, 1], [0, 0, 1]]) {
        const columns: Record<'tokens' | 'positions' | 'seqs' | 'slots' | 'rows', number[]> = { tokens: [], positions: [], seqs: [], slots: [], rows: [] }, expected: number[] = [];
        counts.forEach((count, seq) => {
          for (let i = 0; i < count; i++) {
            const position = lengths[seq]!++;
            columns.tokens.push(documents[seq]![position]!);
            columns.positions.push(position);
            columns.seqs.push(seq);
            columns.slots.push(slotTable.data[seq * 12 + position]!);
          }
          if (count === 0) return;
          columns.rows.push(columns.tokens.length - 1);
          expected.push(...scoreAll(model, weights, [documents[seq]!.slice(0, lengths[seq])]).logits!.data.slice(-v));
        });
        const given: Values = { ...Object.fromEntries(Object.entries(columns).map(([name, data]) => [name, values([data.length], data)])), slotTable };
        const { logits } = await executor!.run(handle, arrays(handle.program, given), { dims: { tokens: columns.tokens.length, rows: columns.rows.length } });
        expect(relativeError((logits as Float32Array).subarray(0, expected.length), expected)).toBeLessThan(1e-5);
      }
    });
  });
});
