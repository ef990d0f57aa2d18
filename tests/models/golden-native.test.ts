// The golden models (tests/golden/models) as programs: float32 on executors, prefill and cached decoding, against what
// transformers computed in float64.

import { afterAll, describe, expect, it } from 'vitest';
import type { Executor } from '../../src/backends/executor.ts';
import { NativeExecutor } from '../../src/backends/native/index.ts';
import { ReferenceExecutor } from '../../src/backends/reference/index.ts';
import { BackendError } from '../../src/base/errors.ts';
import { compile } from '../../src/core/index.ts';
import { Decoder } from '../../src/engine/index.ts';
import { loadModel, scoreGraph } from '../../src/models/index.ts';
import { argmax, packed } from './run-model.ts';
import { distance, GOLDEN_MODELS, goldenFolder, readGolden } from '../golden-models.ts';

function openNative(): NativeExecutor | undefined {
  try {
    return NativeExecutor.open({ threads: 2 });
  } catch (error) {
    if (error instanceof BackendError) return undefined; // not built here
    throw error;
  }
}

const executors: [string, () => Executor | undefined][] = [['native', openNative], ['reference', () => new ReferenceExecutor()]];

describe.each(executors)('on the %s executor', (backend, open) => {
  describe.each(GOLDEN_MODELS)('%s', (name) => {
    const golden = readGolden(name), executor = open();
    const loaded = loadModel(goldenFolder(name)), { model } = loaded;
    afterAll(() => {
      loaded.close();
      executor?.close();
    });

    it.skipIf(executor === undefined)('hidden states and logits within 1e-4', async () => {
      const inputs = packed([golden.prompt]), graph = scoreGraph(model, golden.prompt.length, { logits: true, hidden: true });
      const program = compile(graph, { target: executor!.target() }), handle = executor!.load(program), own = new Map(model.states.map((state) => [state.id, state]));
      for (const state of program.states) executor!.write(state.id, state.init.kind === 'values' ? state.init.values() : loaded.read(own.get(state.id)!));
      const { hidden, logits } = await executor!.run(handle, Object.fromEntries(Object.entries(inputs).map(([input, { data }]) => [input, Int32Array.from(data)])));
      executor!.unload(handle);
      expect(distance(hidden as Float32Array, golden.hidden)).toBeLessThan(1e-4);
      expect(distance(logits as Float32Array, golden.logits)).toBeLessThan(1e-4);
    });

    // The reference interpreter is slow: a few tokens.
    it.skipIf(executor === undefined)('greedy continuation from a prefill in chunks, cached', async () => {
      const count = backend === 'native' ? golden.greedy.length : 8, { prompt } = golden;
      const decoder = new Decoder(model, { executor: executor!, read: loaded.readStored, maxTokens: 8, maxSeqs: 1, maxLength: 80, slots: 80 });
      decoder.assign(0, Int32Array.from({ length: 80 }, (_, i) => 79 - i));
      const add = (tokens: readonly number[], from: number): Promise<Float32Array> => decoder.run(tokens.map((id, i) => ({ id, position: from + i, seq: 0, slot: 79 - from - i, logits: i === tokens.length - 1 })));
      await add(prompt.slice(0, 5), 0);
      const greedy: number[] = [];
      let logits = await add(prompt.slice(5), 5);
      expect(distance(logits, golden.logits.slice(-model.dims.vocabSize))).toBeLessThan(1e-4);
      for (;;) {
        greedy.push(argmax(logits));
        if (greedy.length === count) break;
        logits = await add(greedy.slice(-1), prompt.length + greedy.length - 1);
      }
      decoder.close();
      expect(greedy).toEqual(golden.greedy.slice(0, count));
      if (count === golden.greedy.length) expect(distance(logits, golden.last)).toBeLessThan(1e-4);
    });
  });
});
