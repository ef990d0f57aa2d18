// Every family of the registry, by its tiny preset: what holds for all of them.

import { describe, expect, it } from 'vitest';
import { evaluateGraph, gradients, GraphBuilder, ndarray } from '../../src/core/index.ts';
import { countParameters, createModel, FAMILIES, lossGraph, stateName, weightName } from '../../src/models/index.ts';
import { argmax, Decoder, packed, relativeError, scoreAll, startValues, withOtherStates } from './run-model.ts';

describe.each(Object.entries(FAMILIES))('%s', (modelType, family) => {
  const model = createModel(family, family.tiny), weights = startValues(model, 11);
  // Larger weights than at the start, so that attention is far from uniform and errors show.
  for (const state of model.states)
    if (state.init.kind === 'normal')
      weights[state.id]!.data.forEach((w, i, all) => {
        all[i] = 10 * w;
      });
  const documents = [[3, 14, 15, 9, 26, 5, 35, 8], [58, 9, 7], [32, 38, 46, 26, 43]];

  it('is registered under its own model type', () => expect(family.modelType).toBe(modelType));

  it('names every weight, and back', () => {
    for (const { id } of model.states) expect(stateName(family, weightName(family, id)!.name)).toBe(id);
    expect(new Set(model.states.map(({ id }) => weightName(family, id)!.name)).size).toBe(model.states.length);
    expect(weightName(family, 'blocks.01.attn.o.weight')).toBeUndefined();
    expect(stateName(family, 'nothing.like.it')).toBeUndefined();
  });

  it('counts every parameter once', () => {
    const { total, active, ...groups } = countParameters(model);
    expect(active === total).toBe(model.dims.experts === undefined);
    expect(active).toBeLessThanOrEqual(total);
    expect(Object.values(groups).reduce((a, b) => a + b)).toBe(total);
    expect(total).toBe(Object.values(weights).reduce((sum, { data }) => sum + data.length, 0));
  });

  it('lossGraph() is the weighted mean of what scoreGraph() gives', () => {
    const inputs = packed(documents), n = inputs.tokens!.data.length, graph = lossGraph(model, n);
    const weight = ndarray([n], inputs.targets!.data.map((t, i) => (t < 0 ? 0 : (1 + (i % 3)) / 20)));
    const { loss } = evaluateGraph(graph, { ...inputs, weights: weight }, withOtherStates(graph, weights)).outputs;
    const { logprob, logits, lse } = scoreAll(model, weights, documents);
    let expected = 0;
    inputs.targets!.data.forEach((target, i) => {
      if (target >= 0) expected -= weight.data[i]! * (logits!.data[i * model.dims.vocabSize + target]! - lse!.data[i]!);
      if (target < 0) expect(logprob!.data[i]).toBe(0);
    });
    expect(loss!.data[0]).toBeCloseTo(expected, 12);
  });

  it('packed documents do not see each other', () => {
    const together = scoreAll(model, weights, documents), v = model.dims.vocabSize;
    let row = 0;
    for (const document of documents) {
      const { logits } = scoreAll(model, weights, [document]);
      expect(relativeError(together.logits!.data.slice(row * v, (row + document.length) * v), logits!.data)).toBeLessThan(1e-12);
      row += document.length;
    }
  });

  it('cached decoding, in chunks and token by token, is uncached scoring', () => {
    const decoder = new Decoder(model, weights, { maxTokens: 16, maxSeqs: 3, maxLength: 12, slots: 40 }), v = model.dims.vocabSize;
    const expected = documents.map((document) => scoreAll(model, weights, [document]).logits!.data);
    const lengths = [0, 0, 0];
    // Prompts in chunks of several sequences at once, then one token of each that goes on.
    for (const counts of [[3, 2, 0], [2, 0, 4], [1, 1, 1], [1, 0, 0], [1, 0, 0]]) {
      const additions = counts.flatMap((count, seq) => {
        const tokens = documents[seq]!.slice(lengths[seq], lengths[seq]! + count);
        lengths[seq]! += count;
        return count > 0 ? [{ seq, tokens }] : [];
      });
      decoder.step(additions).forEach((logits, i) => {
        const { seq } = additions[i]!, at = (lengths[seq]! - 1) * v;
        expect(relativeError(logits, expected[seq]!.slice(at, at + v))).toBeLessThan(1e-12);
        expect(argmax(logits)).toBe(argmax(expected[seq]!.slice(at, at + v)));
      });
    }
    expect(lengths).toEqual(documents.map((document) => document.length));
  });

  it('the gradient of the loss agrees with finite differences', () => {
    const inputs = packed(documents), n = inputs.tokens!.data.length, graph = lossGraph(model, n);
    const given = { ...inputs, weights: ndarray([n], new Float64Array(n).fill(1 / 13)) };
    const b = new GraphBuilder(graph), tensors = model.states.map((state) => b.state(state));
    const derived = gradients(b, graph.outputs.loss!, tensors);
    const withGradients = b.finish(Object.fromEntries(derived.map((t, i) => [model.states[i]!.id, t])));
    const states = withOtherStates(graph, weights), exact = evaluateGraph(withGradients, given, states).outputs;
    const lossAt = (id: string, move: number): number => {
      const moved = states[id]!.data.slice(), direction = exact[id]!.data;
      moved.forEach((w, i) => {
        moved[i] = w + move * Math.cos(i + id.length) * (1 + Math.abs(direction[i]!));
      });
      return evaluateGraph(graph, given, { ...states, [id]: { ...states[id]!, data: moved } }).outputs.loss!.data[0]!;
    };
    for (const { id } of model.states) {
      // Along a direction that touches every element: one number a State checks them all.
      const slope = exact[id]!.data.reduce((sum, d, i) => sum + d * Math.cos(i + id.length) * (1 + Math.abs(d)), 0), h = 1e-5;
      const numeric = (lossAt(id, h) - lossAt(id, -h)) / (2 * h);
      expect(Math.abs(numeric - slope), id).toBeLessThan(1e-7 + 1e-6 * Math.abs(slope));
    }
  });
});
