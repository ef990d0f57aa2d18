import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { ExecutableProgram, Executor, ProgramHandle, RunOptions, TypedArray, Values } from '../../src/backends/executor.ts';
import { NativeExecutor } from '../../src/backends/native/index.ts';
import { NumericsError } from '../../src/base/errors.ts';
import { initialise } from '../../src/models/index.ts';
import { readMetrics, train, type TrainEvent, type TrainOptions } from '../../src/train/index.ts';
import { smallConfig, temporaryFolder, tinyModel, writeTokens } from './small-run.ts';

const root = temporaryFolder(), shards = writeTokens(join(root, 'train'));

/** Runs one after the other, and lets a test change states or outputs between them. */
class Tampering implements Executor {
  readonly #inner = NativeExecutor.open({ threads: 1 });
  readonly #tamper: (gradientRun: number, outputs: Values, inner: Executor) => void;
  #last: Promise<unknown> = Promise.resolve();
  #runs = 0;

  constructor(tamper: (gradientRun: number, outputs: Values, inner: Executor) => void) {
    this.#tamper = tamper;
  }

  target() {
    return this.#inner.target();
  }
  load(program: ExecutableProgram) {
    return this.#inner.load(program);
  }
  unload(handle: ProgramHandle) {
    this.#inner.unload(handle);
  }
  state(id: string) {
    return this.#inner.state(id);
  }
  write(id: string, values: TypedArray) {
    this.#inner.write(id, values);
  }
  read(id: string) {
    return this.#inner.read(id);
  }
  memory() {
    return this.#inner.memory();
  }
  close() {
    return this.#inner.close();
  }

  run(handle: ProgramHandle, inputs: Readonly<Values>, options?: RunOptions): Promise<Values> {
    const copies = Object.fromEntries(Object.entries(inputs).map(([name, values]) => [name, values.slice()]));
    const run = this.#last.then(async () => {
      const outputs = await this.#inner.run(handle, copies, options);
      if ('loss' in handle.program.outputs) this.#tamper(++this.#runs, outputs, this.#inner);
      return outputs;
    });
    this.#last = run.catch(() => undefined);
    return run;
  }
}

let runs = 0;

async function run(tamper: ConstructorParameters<typeof Tampering>[0], options: Partial<TrainOptions> = {}) {
  const executor = new Tampering(tamper), dir = join(root, `run-${runs++}`), events: TrainEvent[] = [];
  try {
    const done = train({ dir, model: tinyModel(), config: smallConfig(), executor, data: { train: shards }, onEvent: (event) => events.push(event), ...options });
    const error = await done.then(() => undefined, (cause: unknown) => cause);
    return { error, events, executor, lines: readMetrics(join(dir, 'metrics.jsonl')), weights: tinyModel().states.map(({ id }) => executor.state(id).slice()) };
  } finally {
    await executor.close();
  }
}

describe('train() with numbers that are not finite', () => {
  it('skips the step before it touches a parameter, and goes on', async () => {
    const before: unknown[] = [], after: unknown[] = [];
    const weights = (inner: Executor): unknown => tinyModel().states.map(({ id }) => inner.state(id).slice());
    const { error, events, lines } = await run((n, _outputs, inner) => {
      if (n === 5) before.push(weights(inner));
      if (n === 6) after.push(weights(inner));
      if (n === 5) inner.state('grad:blocks.1.mlp.down.weight')[3] = NaN;
    });
    expect(error).toBeUndefined();
    expect(after).toEqual(before);
    expect(lines.filter(({ skipped }) => skipped)).toMatchObject([{ step: 5, gradNorm: null }]);
    expect(lines.at(-1)!.step).toBe(12);
    expect(events).toContainEqual({ kind: 'skipped', step: 5, tensor: 'blocks.1.mlp.down.weight' });
  });

  it('fails after some in a row, naming step and tensor', async () => {
    const { error, lines, weights } = await run((n, _outputs, inner) => {
      if (n >= 4) inner.state('grad:norm.weight')[0] = -Infinity;
    }, { config: smallConfig({ numerics: { maxSkipped: 3 } }) });
    expect(error).toBeInstanceOf(NumericsError);
    expect(error).toMatchObject({ step: 6, tensor: 'norm.weight' });
    expect(lines.map(({ step, skipped }) => [step, skipped ?? false])).toEqual([[1, false], [2, false], [3, false], [4, true], [5, true], [6, true]]);
    expect(weights.every((values) => (values as Float32Array).every(Number.isFinite))).toBe(true);
  });

  it('counts only steps in a row', async () => {
    const { error, lines } = await run((n, outputs) => {
      if (n % 3 !== 0) outputs.loss![0] = NaN;
    }, { config: smallConfig({ numerics: { maxSkipped: 3 } }) });
    expect(error).toBeUndefined();
    expect(lines.filter(({ skipped }) => skipped)).toHaveLength(8);
  });

  it('finds it in real arithmetic: a weight that is not finite', async () => {
    const { error } = await run(() => undefined, {
      initial: (state, out) => {
        initialise(state, 1, out);
        if (state.id === 'embed.weight') out.fill(NaN);
      },
    });
    expect(error).toBeInstanceOf(NumericsError);
    expect(error).toMatchObject({ step: 5 });
  });
});

describe('train() and spikes', () => {
  const config = (numerics: object) => smallConfig({ steps: 40, checkpoint: { everySteps: 10 }, numerics });

  it('notes them', async () => {
    const { error, events, lines } = await run((n, outputs) => {
      if (n === 25) outputs.loss![0]! *= 3;
    }, { config: config({}) });
    expect(error).toBeUndefined();
    expect(events.filter(({ kind }) => kind === 'spike')).toMatchObject([{ step: 25 }]);
    expect(lines.filter(({ spike }) => spike)).toMatchObject([{ step: 25 }]);
  });

  it('goes back to the last checkpoint and leaves the data out', async () => {
    const seen: number[] = [];
    const { error, events, lines } = await run((n, outputs) => {
      if (n === 25) outputs.loss![0]! *= 3;
      seen.push(n);
    }, { config: config({ rollback: true }) });
    expect(error).toBeUndefined();
    expect(events).toContainEqual({ kind: 'rollback', step: 25, to: 20 });
    expect(lines.find(({ event }) => event === 'rollback')).toMatchObject({ step: 25, to: 20 });
    expect(lines.filter(({ event }) => event === undefined).map(({ step }) => step)).toEqual([...Array.from({ length: 24 }, (_, i) => i + 1), ...Array.from({ length: 20 }, (_, i) => i + 21)]);
    expect(lines.at(-1)!.tokens).toBe(45 * 4 * 16);
    expect(seen).toHaveLength(45);
  });

  it('fails when going back does not help', async () => {
    const { error } = await run((n, outputs) => {
      if (n > 24) outputs.loss![0]! *= 3;
    }, { config: config({ rollback: true, maxRollbacks: 2 }) });
    expect(error).toBeInstanceOf(NumericsError);
    expect(error).toMatchObject({ tensor: 'loss' });
  });
});
