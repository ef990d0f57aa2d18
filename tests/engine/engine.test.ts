import { afterAll, describe, expect, it } from 'vitest';
import type { Executor } from '../../src/backends/executor.ts';
import { NativeExecutor } from '../../src/backends/native/index.ts';
import { ReferenceExecutor } from '../../src/backends/reference/index.ts';
import { compile, type State } from '../../src/core/index.ts';
import { argmax, Engine } from '../../src/engine/index.ts';
import { createModel, FAMILIES, initialise, scoreGraph, type Model } from '../../src/models/index.ts';
import { trainBpe } from '../../src/tokenizer/index.ts';

const executors: Executor[] = [];
function open(): Executor {
  const executor = nativeOrReference();
  executors.push(executor);
  return executor;
}

/** The native core where it was built; the same tests hold for the reference, slowly. */
function nativeOrReference(): Executor {
  try {
    return NativeExecutor.open({ threads: 2 });
  } catch {
    return new ReferenceExecutor();
  }
}

afterAll(async () => void (await Promise.all(executors.map((executor) => executor.close()))));

/** Weights large enough that greedy text is not one token for ever. */
const read = (state: State): Float32Array => initialise({ ...state, init: state.init.kind === 'normal' ? { kind: 'normal', std: 0.4 } : state.init }, 3);

const models = Object.entries(FAMILIES).map(([name, family]): [string, Model] => [name, createModel(family, family.tiny)]);
const [, llama] = models.find(([name]) => name === 'llama')!;
const engineOf = (model: Model, more: object = {}): Engine => new Engine(model, { executor: open(), read, maxTokens: 8, maxSeqs: 4, maxLength: 32, ...more });
const prompt = [5, 3, 9, 1, 1, 2, 7, 11, 4, 6, 8];
const greedy = { temperature: 0, maxTokens: 12 };

describe.each(models)('Engine on %s', (_name, model) => {
  it('gives the logits of the graph without a cache, prompt in pieces or not', async () => {
    const executor = open(), program = compile(scoreGraph(model, prompt.length, { logits: true }), { target: executor.target() });
    const handle = executor.load(program);
    for (const state of program.states) (executor.state(state.id) as Float32Array).set(state.init.kind === 'values' ? state.init.values() : read(state));
    const ids = Int32Array.from(prompt), zeros = new Int32Array(ids.length);
    const { logits } = await executor.run(handle, { tokens: ids, targets: zeros, starts: zeros, positions: Int32Array.from(ids.keys()) });
    const engine = engineOf(model), v = model.dims.vocabSize;
    let n = 0;
    for await (const [position, row] of engine.logits(prompt, 0)) {
      expect(position).toBe(n++);
      row.forEach((x, i) => expect(x).toBeCloseTo(logits![position * v + i]!, 3));
    }
    expect(n).toBe(prompt.length);
  });

  it('continues greedily as full recomputation does', async () => {
    const engine = engineOf(model), { ids } = await engine.complete(prompt, greedy);
    const all = [...prompt];
    for (const id of ids) {
      for await (const [, row] of engineOf(model).logits(all)) expect(argmax(row)).toBe(id);
      all.push(id);
      if (all.length > prompt.length + 4) break; // each step recomputes everything: a few are enough
    }
    expect(ids).toHaveLength(12);
  });
});

describe('Engine', () => {
  it('gives a sequence the same tokens alone and beside others', async () => {
    const alone = await engineOf(llama).complete(prompt, { temperature: 0.9, seed: 4, maxTokens: 10 });
    const engine = engineOf(llama);
    const together = await Promise.all([[1, 2, 3], prompt, [9], [4, 4, 4, 4, 4, 4]].map((ids, i) => engine.complete(ids, { temperature: 0.9, seed: i === 1 ? 4 : i, maxTokens: 10 })));
    expect(together[1]!.ids).toEqual(alone.ids);
  });

  it('serves more requests than it has places', async () => {
    const engine = engineOf(llama, { maxSeqs: 2 });
    const answers = await Promise.all(Array.from({ length: 7 }, (_, i) => engine.complete([i + 1, 2], { ...greedy, maxTokens: 5 })));
    answers.forEach(({ ids }) => expect(ids).toHaveLength(5));
    expect(await engine.complete([3, 2], { ...greedy, maxTokens: 5 })).toEqual(answers[2]);
  });

  it('is reproducible by seed', async () => {
    const engine = engineOf(llama), draw = (seed: number) => engine.complete(prompt, { seed, temperature: 1.5, maxTokens: 15 });
    const [a, b, c] = [await draw(1), await draw(1), await draw(2)];
    expect(a).toEqual(b);
    expect(a.ids).not.toEqual(c.ids);
  });

  it('stops at a stop token, which is not part of the answer', async () => {
    const { ids } = await engineOf(llama).complete(prompt, greedy);
    const stopped = await engineOf(llama, { stopIds: [ids[3]!] }).complete(prompt, greedy);
    expect(stopped).toMatchObject({ ids: ids.slice(0, ids.indexOf(ids[3]!)), finishReason: 'stop' });
  });

  it('ends with length at the end of a sequence', async () => {
    const { ids, finishReason } = await engineOf(llama).complete(prompt, { ...greedy, maxTokens: 1000 });
    expect([ids.length, finishReason]).toEqual([32 - prompt.length, 'length']);
  });

  it('reports log-probabilities that are those of its logits', async () => {
    const { ids, logprobs, alternatives } = await engineOf(llama).complete(prompt, { ...greedy, maxTokens: 3, logprobs: 2 });
    expect(alternatives.map(([first]) => first!.id)).toEqual(ids);
    expect(logprobs).toEqual(alternatives.map(([first]) => first!.logprob));
    expect(logprobs.every((x) => x < 0)).toBe(true);
  });

  it('refuses what it cannot continue, and goes on', async () => {
    const engine = engineOf(llama);
    await expect(engine.complete([])).rejects.toThrow(/empty prompt/);
    await expect(engine.complete([llama.dims.vocabSize])).rejects.toThrow(/vocabulary has ids 0 to/);
    await expect(engine.complete('text')).rejects.toThrow(/no tokenizer/);
    await expect(engine.complete(new Array<number>(33).fill(1))).rejects.toThrow(/at most 32/);
    expect((await engine.complete(prompt, greedy)).ids).toHaveLength(12);
  });

  it('ends a request within a step when it is aborted, and goes on with the others', async () => {
    const engine = engineOf(llama), controller = new AbortController(), seen: number[] = [];
    const other = engine.complete([1, 2], greedy);
    const aborted = (async () => {
      for await (const { ids } of engine.generate(prompt, { temperature: 0, maxTokens: 20, signal: controller.signal })) {
        seen.push(...ids);
        if (seen.length === 3) controller.abort();
      }
    })();
    await expect(aborted).rejects.toThrow(/stopped/);
    expect(seen.length).toBeLessThanOrEqual(4);
    expect((await other).ids).toHaveLength(12);
    expect((await engine.complete(prompt, greedy)).ids).toHaveLength(12);
  });

  it('frees its place when a reader stops reading', async () => {
    const engine = engineOf(llama, { maxSeqs: 1 });
    for await (const { ids } of engine.generate(prompt, greedy)) if (ids.length > 0) break;
    expect((await engine.complete(prompt, greedy)).ids).toHaveLength(12);
  });

  it('rejects what runs when it is closed', async () => {
    const engine = engineOf(llama), running = engine.complete(prompt, greedy);
    const failed = expect(running).rejects.toThrow(/closed/);
    await engine.close();
    await failed;
  });
});

describe('Engine with a tokenizer', async () => {
  const text = 'one fish two fish red fish 一条鱼 两条鱼 👋 '.repeat(30);
  const tokenizer = await trainBpe([text], { vocabSize: 280 });
  const model = createModel(FAMILIES['llama']!, { ...FAMILIES['llama']!.tiny, vocab_size: tokenizer.vocabSize });

  it('streams text whose parts join to the decoded ids', async () => {
    const engine = new Engine(model, { executor: open(), read, tokenizer, maxLength: 64 });
    let text = '';
    const ids: number[] = [];
    for await (const part of engine.generate('鱼 fish', { seed: 2, maxTokens: 40 })) {
      text += part.text;
      ids.push(...part.ids);
    }
    expect(text).toBe(tokenizer.decode(ids));
  });

  it('stops at a text that is not shown', async () => {
    const engine = new Engine(model, { executor: open(), read, tokenizer, maxLength: 64 });
    const whole = await engine.complete('two', { seed: 2, maxTokens: 40 });
    const stop = whole.text.slice(5, 8), cut = await engine.complete('two', { seed: 2, maxTokens: 40, stop: [stop] });
    expect(cut).toMatchObject({ text: whole.text.slice(0, whole.text.indexOf(stop)), finishReason: 'stop' });
  });

  it('scores a completion as the sum of its tokens', async () => {
    const engine = new Engine(model, { executor: open(), read, tokenizer, maxLength: 64 });
    const ids = [...tokenizer.encode('red fish')], nPrompt = tokenizer.encode('red').length;
    let sum = 0;
    for await (const [position, logits] of engine.logits(ids, 0)) {
      const next = ids[position + 1];
      if (position < nPrompt - 1 || next === undefined) continue;
      sum += logits[next]! - Math.log(logits.reduce((total, x) => total + Math.exp(x), 0));
    }
    const { logprob, tokens, isGreedy } = await engine.score('red', ' fish');
    expect(logprob).toBeCloseTo(sum, 3);
    expect([tokens, isGreedy]).toEqual([ids.length - nPrompt, false]);
  });
});
