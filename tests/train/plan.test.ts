import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { ExecutableProgram, Executor, ProgramHandle, RunOptions, Values } from '../../src/backends/executor.ts';
import { NativeExecutor } from '../../src/backends/native/index.ts';
import { ConfigError } from '../../src/base/errors.ts';
import { decodeProgram, type Program, type ProgramInstruction } from '../../src/core/index.ts';
import { countParameters, modelOfSection } from '../../src/models/index.ts';
import { calibrate, compileTraining, planTraining, train } from '../../src/train/index.ts';
import { smallConfig, temporaryFolder, tinyModel, writeTokens } from './small-run.ts';

const GIB = 2 ** 30;

/** Takes a time that grows with an instruction's operands, on no clock. */
class Clockwork implements Executor {
  readonly #inner = NativeExecutor.open({ threads: 1 });
  readonly #states = new Map<string, number>();
  rows = 0;

  static seconds({ inputs, outputs }: ProgramInstruction): number {
    return [...inputs, ...outputs].reduce((sum, { dims }) => sum + 1e-9 * dims.reduce((a, b) => a * b, 1), 1e-6);
  }

  target() {
    return this.#inner.target();
  }
  load(program: ExecutableProgram): ProgramHandle {
    for (const { id, bytes } of decodeProgram(program.bytes).states) {
      expect(this.#states.get(id) ?? bytes, `state ${id} in two sizes`).toBe(bytes);
      this.#states.set(id, bytes);
    }
    return { program };
  }
  unload() {}
  state(): never {
    throw new Error('a calibration needs no state');
  }
  memory() {
    return { arenaBytes: 0, stateBytes: 0 };
  }
  close() {
    return this.#inner.close();
  }

  run({ program }: ProgramHandle, inputs: Readonly<Values>, options: RunOptions = {}): Promise<Values> {
    expect(Object.keys(inputs)).toEqual(Object.keys(program.inputs));
    options.profile?.(Float64Array.from(decodeProgram(program.bytes).instructions, Clockwork.seconds));
    return Promise.resolve({});
  }
}

const sum = (program: Program): number => decodeProgram(program.bytes).instructions.reduce((total, instruction) => total + Clockwork.seconds(instruction), 0);

describe('calibrate()', () => {
  it.each([
    ['all rows measured', 'llama', { batchSize: 8 }],
    ['accumulated', 'gpt2', { batchSize: 16, microBatchSize: 4 }],
  ] as const)('finds the time of each whole program from a sketch of it: %s', async (_name, family, section) => {
    const executor = new Clockwork(), model = tinyModel(family), config = smallConfig(section);
    const found = await calibrate(executor, model, config), programs = compileTraining(model, config, executor.target());
    expect(found.microFirst).toBeCloseTo(sum(programs.microFirst), 9);
    expect(found.microNext).toBeCloseTo(programs.microNext === undefined ? 0 : sum(programs.microNext), 9);
    expect(found.update).toBeCloseTo(sum(programs.norm) + sum(programs.update), 9);
    await executor.close();
  });

  it('extrapolates what would take too long', async () => {
    const executor = new Clockwork(), model = modelOfSection('small-6x384'), config = smallConfig({ batchSize: 64, contextLength: 256 });
    const found = await calibrate(executor, model, config), { microFirst } = compileTraining(model, config, executor.target());
    expect(found.rows).toBeLessThan(64);
    expect(found.microFirst / sum(microFirst)).toBeCloseTo(1, 6);
    await executor.close();
  });

  it('measures the native core', async () => {
    const executor = NativeExecutor.open({ threads: 1 });
    const found = await calibrate(executor, tinyModel(), smallConfig());
    expect(found.microFirst).toBeGreaterThan(0);
    expect(found.update).toBeGreaterThan(0);
    expect(found.rows).toBe(4);
    await executor.close();
  });
});

describe('planTraining()', () => {
  const target = { backend: 'native', isa: 'avx2', lanes: 8, threads: 2, l1Bytes: 32768, l2Bytes: 524288, l3Bytes: 33554432 } as const;

  it('plans GPT-2 without allocating it', () => {
    const model = modelOfSection('gpt2-124m'), config = smallConfig({ batchSize: 4, contextLength: 256 }), before = process.memoryUsage.rss();
    const plan = planTraining(model, config, target, { memoryBytes: 8 * GIB });
    expect(process.memoryUsage.rss() - before).toBeLessThan(0.3 * GIB);
    expect(plan.parameters).toBe(124_439_808); // the published count
    expect(plan.bytes).toMatchObject({ weights: 4 * 124_439_808, gradients: 4 * 124_439_808, moments: 8 * 124_439_808 });
    expect(plan.bytes.peak).toBe(plan.bytes.states + plan.bytes.arena);
    // 6 operations a parameter and token, positions apart; attention adds to it (Kaplan et al. 2020, arXiv 2001.08361).
    const least = 6 * (124_439_808 - 1024 * 768) * 1024;
    expect(plan.flopsPerStep).toBeGreaterThan(least);
    expect(plan.flopsPerStep).toBeLessThan(1.5 * least);
    expect(plan).toMatchObject({ fits: true, tokensPerStep: 1024, tokensPerSecond: null, seconds: null, joules: null });
  });

  it('is what the native core then allocates, to the byte', async () => {
    const root = temporaryFolder(), shards = writeTokens(join(root, 'tokens'), { vocabSize: 65 });
    for (const [section, overrides] of [['char-4x128', { batchSize: 12, contextLength: 64 }], ['quickstart', { batchSize: 4, microBatchSize: 2, contextLength: 32, compute: 'bf16' }]] as const) {
      const executor = NativeExecutor.open({ threads: 2 }), model = modelOfSection(section, { vocabSize: 65 });
      const config = smallConfig({ steps: 3, checkpoint: { everySteps: 0 }, ...overrides }), { bytes, parameters } = planTraining(model, config, executor.target());
      await train({ dir: join(root, section), model, config, executor, data: { train: shards, validation: shards } });
      expect(executor.memory()).toEqual({ arenaBytes: bytes.arena, stateBytes: bytes.states });
      expect(parameters).toBe(countParameters(model).total);
      await executor.close();
    }
  });

  it('says what does not fit, and makes fit what can', () => {
    const model = modelOfSection('small-6x384'), config = smallConfig({ batchSize: 8, contextLength: 256 }), free = planTraining(model, config, target, { memoryBytes: 64 * GIB });
    const tight = planTraining(model, config, target, { memoryBytes: free.bytes.peak * 0.8 });
    expect(tight.fits).toBe(true);
    expect(tight.bytes.peak).toBeLessThanOrEqual(free.bytes.peak * 0.8);
    expect(tight.flopsPerStep).toBeGreaterThanOrEqual(free.flopsPerStep);
    const none = planTraining(model, config, target, { memoryBytes: 1000 });
    expect(none.fits).toBe(false);
    expect(none.bytes).toEqual(free.bytes);
  });

  it('derives time and energy from a calibration', () => {
    const calibration = { microFirst: 2, microNext: 3, update: 1, overhead: 0.5, rows: 4, seconds: 1 };
    const config = smallConfig({ steps: 10, batchSize: 12, microBatchSize: 4, validation: { everySteps: 0 } });
    const plan = planTraining(tinyModel(), config, target, { calibration, watts: 30 });
    expect(plan.tokensPerSecond).toBe((12 * 16) / (2 + 2 * 3 + 1 + 5 * 0.5));
    expect(plan.seconds).toBe(115);
    expect(plan.joules).toBe(3450);
    expect(planTraining(tinyModel(), config, target, { calibration, validationTokens: 1000 }).seconds).toBeGreaterThan(115);
  });

  it('refuses what training would refuse', () => {
    expect(() => planTraining(tinyModel(), smallConfig({ contextLength: 100 }), target)).toThrow(ConfigError);
  });
});
