import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { ReferenceExecutor } from '../../src/backends/reference/index.ts';
import { NativeExecutor } from '../../src/backends/native/index.ts';
import { CapacityError, ConfigError, InterruptedError, StorageError } from '../../src/base/errors.ts';
import { lockFolder } from '../../src/base/lock.ts';
import { loadModel } from '../../src/models/index.ts';
import { readMetrics, train, type TrainEvent, type TrainOptions, type TrainResult } from '../../src/train/index.ts';
import { smallConfig, temporaryFolder, tinyModel, writeTokens } from './small-run.ts';

const root = temporaryFolder(), shards = writeTokens(join(root, 'train')), held = writeTokens(join(root, 'held'), { seed: 2, documents: 8 });
let runs = 0;

/** Trains on the native core in a new folder, unless told otherwise. */
async function run(options: Partial<TrainOptions> & { threads?: number } = {}): Promise<TrainResult & { dir: string }> {
  const executor = NativeExecutor.open({ threads: options.threads ?? 2 }), dir = options.dir ?? join(root, `run-${runs++}`);
  try {
    return { dir, ...(await train({ dir, model: tinyModel(), config: smallConfig(), executor, data: { train: shards, validation: held }, seed: 7, ...options })) };
  } finally {
    await executor.close();
  }
}

const lossesOf = (dir: string): unknown[] => readMetrics(join(dir, 'metrics.jsonl')).map(({ step, loss, lr, gradNorm, valLoss, tokens }) => ({ step, loss, lr, gradNorm, valLoss, tokens }));
const weightsOf = (dir: string): Buffer => readFileSync(join(dir, 'model', 'model.safetensors'));

describe('train()', () => {
  it('writes metrics, checkpoints, a manifest, the recipe and a model that loads', async () => {
    const tokenizer = join(root, 'tokenizer.json');
    writeFileSync(tokenizer, '{"fake": true}');
    const events: TrainEvent[] = [], recipe = { seed: 7, 名字: '试验' };
    const { dir, validation, model, tokens } = await run({
      onEvent: (event) => events.push(event),
      files: [tokenizer],
      recipe,
      config: smallConfig({ samples: { everySteps: 6 } }),
      sample: ({ step }) => Promise.resolve(`第 ${step} 步`),
    });
    const lines = readMetrics(join(dir, 'metrics.jsonl'));
    expect(lines.map(({ step }) => step)).toEqual(Array.from({ length: 12 }, (_, i) => i + 1));
    expect(lines.filter(({ valLoss }) => valLoss !== undefined).map(({ step }) => step)).toEqual([4, 8, 12]);
    expect(lines.at(-1)!.valLoss).toBe(validation!.loss);
    expect(validation!.bitsPerByte).toBeCloseTo((validation!.loss * (held.length - 1)) / Math.LN2 / held.manifest.textBytes, 12);
    expect(tokens).toBe(12 * 4 * 16);
    expect(events.filter(({ kind }) => kind === 'checkpoint').map(({ step }) => step)).toEqual([3, 6, 9, 12]);
    expect(existsSync(join(dir, 'checkpoints/step-000006'))).toBe(false);
    expect(readFileSync(join(dir, 'checkpoints/step-000012/tokenizer.json'), 'utf8')).toBe('{"fake": true}');
    expect(readFileSync(join(dir, 'samples/step-000006.txt'), 'utf8')).toBe('第 6 步');
    expect(readFileSync(join(dir, 'recipe.yaml'), 'utf8')).toContain('名字: 试验');
    expect(JSON.parse(readFileSync(join(dir, 'manifest.json'), 'utf8'))).toMatchObject({ seed: 7, data: { train: shards.manifest.contentHash } });
    const loaded = loadModel(model);
    expect(loaded.model.config).toEqual(tinyModel().config);
    loaded.close();
  });

  it.each(['llama', 'gpt2'] as const)('gives the same bits with 1, 2 and 4 threads: %s', async (family) => {
    const [one, ...others] = await Promise.all([1, 2, 4].map((threads) => run({ threads, model: tinyModel(family) })));
    for (const other of others) {
      expect(lossesOf(other.dir)).toEqual(lossesOf(one!.dir));
      expect(weightsOf(other.dir).equals(weightsOf(one!.dir))).toBe(true);
    }
  });

  it('gives the same numbers with accumulated micro-batches, but for rounding', async () => {
    const whole = await run({ config: smallConfig({ batchSize: 8 }) }), parts = await run({ config: smallConfig({ batchSize: 8, microBatchSize: 4 }) });
    const a = readMetrics(join(whole.dir, 'metrics.jsonl')), b = readMetrics(join(parts.dir, 'metrics.jsonl'));
    a.forEach((line, i) => {
      expect(Math.abs(Number(line.loss) - Number(b[i]!.loss))).toBeLessThan(1e-4); // Adam's m / sqrt(v) amplifies the last bits of small gradients
      expect(Math.abs(Number(line.gradNorm) - Number(b[i]!.gradNorm))).toBeLessThan(1e-3);
    });
    expect(Number(a[0]!.loss)).toBeCloseTo(Number(b[0]!.loss), 5);
    expect(Number(a[0]!.gradNorm)).toBeCloseTo(Number(b[0]!.gradNorm), 5);
  });

  it.each(['adamw', 'muon'])('learns a tiny text by heart: %s', async (kind) => {
    const tiny = writeTokens(join(root, `tiny-${kind}`), { documents: 1 });
    const { loss } = await run({ data: { train: tiny }, config: smallConfig({ steps: 300, batchSize: 2, learningRate: 1e-2, optimizer: { kind, weightDecay: 0 }, checkpoint: { everySteps: 0 } }) });
    expect(loss).toBeLessThan(0.05);
  });

  it('agrees with the reference backend', async () => {
    const executor = new ReferenceExecutor(), dir = join(root, 'reference'), config = smallConfig({ steps: 3, batchSize: 1, schedule: { warmupSteps: 0 }, validation: { batches: 1, finalBatches: 1 } });
    await train({ dir, model: tinyModel(), config, executor, data: { train: shards, validation: held }, seed: 7 });
    await executor.close();
    const native = readMetrics(join((await run({ config })).dir, 'metrics.jsonl'));
    readMetrics(join(dir, 'metrics.jsonl')).forEach((line, i) => expect(Number(line.loss)).toBeCloseTo(Number(native[i]!.loss), 4));
  });

  it.each(['adamw', 'muon'])('allocates what its plan says, to the byte: %s', async (kind) => {
    const executor = NativeExecutor.open({ threads: 2 });
    let seen: unknown;
    const { memory } = await run({ executor, sample: () => Promise.resolve(''), config: smallConfig({ batchSize: 8, microBatchSize: 4, samples: { everySteps: 12 }, optimizer: { kind } }), onMetrics: () => (seen = executor.memory()) });
    expect(seen).toEqual({ arenaBytes: memory.arena, stateBytes: memory.states });
    expect(memory.peak).toBe(memory.arena + memory.weights + memory.gradients + memory.moments + memory.buffers);
    await executor.close();
  });

  it.each(['adamw', 'muon'])('saves when it is stopped, and goes on to the same bits: %s', async (kind) => {
    const config = smallConfig({ steps: 20, optimizer: { kind } }), straight = await run({ config }), dir = join(root, `stopped-${kind}`);
    for (const stopAt of [1, 5, 8, 8]) {
      const stop = new AbortController();
      const options = { dir, resume: true, config, signal: stop.signal, onMetrics: ({ step }: { step?: unknown }) => {
        if (Number(step) >= stopAt) stop.abort();
      } };
      await expect(run(options)).rejects.toThrow(InterruptedError);
    }
    await run({ dir, resume: true, config });
    expect(lossesOf(dir)).toEqual(lossesOf(straight.dir));
    expect(weightsOf(dir).equals(weightsOf(straight.dir))).toBe(true);
  });

  it('does not lose the line of a step whose validation is stopped', async () => {
    const straight = await run(), dir = join(root, 'stopped-validating'), stop = new AbortController();
    const executor = NativeExecutor.open({ threads: 1 }), inner = executor.run.bind(executor);
    executor.run = (handle, inputs, options) => {
      if ('logprob' in handle.program.outputs) stop.abort();
      return inner(handle, inputs, options);
    };
    await expect(run({ dir, executor, signal: stop.signal })).rejects.toThrow('Stopped after step 4 of 12');
    expect(lossesOf(dir)).toHaveLength(3);
    await executor.close();
    await run({ dir, resume: true });
    expect(lossesOf(dir)).toEqual(lossesOf(straight.dir));
  });

  it('finishes again without doing anything twice', async () => {
    const { dir } = await run(), before = weightsOf(dir), lines = lossesOf(dir);
    expect((await run({ dir, resume: true })).steps).toBe(12);
    expect(weightsOf(dir).equals(before)).toBe(true);
    expect(lossesOf(dir)).toEqual(lines);
  });
});

describe('train() refuses', () => {
  const refusal = (options: Partial<TrainOptions>): Promise<unknown> => run(options).then(() => expect.unreachable(), (error: unknown) => error);

  it('a folder that another run holds, without touching it', async () => {
    const dir = join(root, 'held-folder'), lock = lockFolder(dir);
    expect(await refusal({ dir })).toBeInstanceOf(StorageError);
    lock.release();
    expect(existsSync(join(dir, 'metrics.jsonl'))).toBe(false);
    await run({ dir });
  });

  it('a folder that has a run, unless it is resumed', async () => {
    const { dir } = await run();
    expect(String(await refusal({ dir }))).toMatch(/there is one already\. Resume it/);
  });

  it('to resume as another run, naming what differs', async () => {
    const { dir } = await run({ config: smallConfig({ steps: 3 }) });
    const other = (overrides: Partial<TrainOptions>): Promise<unknown> => refusal({ dir, resume: true, config: smallConfig({ steps: 3 }), ...overrides });
    expect(String(await other({ config: smallConfig({ steps: 3, learningRate: 0.5 }) }))).toContain('train.learningRate was 0.003 and is now 0.5');
    expect(String(await other({ seed: 8 }))).toContain('seed was 7 and is now 8');
    expect(String(await other({ model: tinyModel('gpt2') }))).toContain('another model');
    expect(String(await other({ data: { train: held } }))).toContain('data.contentHash');
    await run({ dir, resume: true, config: smallConfig({ steps: 3, checkpoint: { everySteps: 1, keep: 5 } }) });
  });

  it('numbers that do not fit each other', async () => {
    for (const [config, message] of [
      [{ batchSize: 4, microBatchSize: 3 }, 'microBatchSize 3 must divide train.batchSize 4'],
      [{ contextLength: 65 }, 'tells only 64 positions apart'],
      [{ steps: 2 }, 'warmupSteps 2 must be less than train.steps 2'],
    ] as const) {
      const error = await refusal({ config: smallConfig(config) });
      expect(error).toBeInstanceOf(ConfigError);
      expect(String(error)).toContain(message);
    }
    const wide = writeTokens(join(root, 'wide'), { vocabSize: 100 });
    expect(String(await refusal({ data: { train: wide } }))).toContain('a vocabulary of 100, and the model one of 61');
  });

  it('what does not fit the memory, before anything is allocated', async () => {
    const executor = NativeExecutor.open({ threads: 1 });
    for (const memoryBytes of [1e5, 3.2e5]) {
      const error = await refusal({ executor, memoryBytes });
      expect(error).toBeInstanceOf(CapacityError);
      expect(executor.memory()).toEqual({ arenaBytes: 0, stateBytes: 0 });
    }
    await executor.close();
  });

  it('a folder that cannot be written', async () => {
    const file = join(root, 'a-file');
    writeFileSync(file, '');
    expect(await refusal({ dir: join(file, 'run') })).toBeInstanceOf(StorageError);
  });
});

describe('train() in less memory', () => {
  it('computes values twice, to the same bits', async () => {
    const config = smallConfig({ batchSize: 8 }), free = await run({ config });
    const tight = await run({ config, memoryBytes: free.memory.peak - 1 });
    expect(tight.memory.peak).toBeLessThan(free.memory.peak);
    expect(lossesOf(tight.dir)).toEqual(lossesOf(free.dir));
  });
});
