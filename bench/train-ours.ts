// Our process in the training bench: whole optimizer steps of a case, by the programs that `athanor train` runs.
// node train-ours.js --case NAME --precision fp32|bf16 --threads N

import { parseArgs } from 'node:util';
import { NativeExecutor } from 'athanor/backends';
import type { Program } from 'athanor/core';
import { initialise } from 'athanor/models';
import { compileTraining, trainingBytes, trainSchema } from 'athanor/train';
import { modelCases, modelOf } from './cases.ts';
import { repeated, type Facts, type Measurement } from './contender.ts';
import { peakResidentBytes, residentBytes, serveLines } from './line-server.ts';

const LEARNING_RATE = 1e-4;
/** Batches that are used in turn; the same number as the peer has. */
const N_BATCHES = 8;

interface Trainer {
  readonly facts: Facts;
  /** One whole step. @returns the loss */
  step(): Promise<number>;
}

async function open(name: string, precision: 'fp32' | 'bf16', threads: number): Promise<Trainer> {
  const idleRss = residentBytes(), found = modelCases()[name];
  if (found === undefined) throw new TypeError(`There is no case "${name}": there are ${Object.keys(modelCases()).join(', ')}.`);
  const { batch, context, vocabulary } = found, model = modelOf(found), tokens = batch * context;
  const config = trainSchema.parse({ steps: 1000, batchSize: batch, contextLength: context, compute: precision === 'bf16' ? 'bf16' : 'f32', learningRate: LEARNING_RATE, schedule: { warmupSteps: 0 } });
  const executor = NativeExecutor.open({ threads });
  const programs = compileTraining(model, config, executor.target());
  const [gradients, norm, update] = [programs.microFirst, programs.norm, programs.update].map((program) => executor.load(program)) as [Handle, Handle, Handle];
  for (const state of model.states) (executor.state(state.id) as Float32Array).set(state.init.kind === 'values' ? state.init.values() : initialise(state, 1));
  const batches = randomBatches(tokens, context, vocabulary);
  let count = 0;
  return {
    facts: {
      idleRss,
      tokens,
      isa: executor.target().isa,
      planned: trainingBytes(programs).peak,
      flops: flopsOf(programs.microFirst, context / tokens) + programs.norm.plan.flops + programs.update.plan.flops,
    },
    async step() {
      const inputs = batches[count++ % N_BATCHES]!;
      const [{ loss }, { gradScale }] = await Promise.all([executor.run(gradients, inputs), executor.run(norm, {})]);
      await executor.run(update, { lr: Float32Array.of(LEARNING_RATE), step: Int32Array.of(count), gradScale: gradScale! });
      return loss![0]!;
    },
  };
}

/** Operations of a program. The plan counts attention over one document of all tokens; a row sees its own part alone. */
function flopsOf(program: Program, rowPart: number): number {
  return program.plan.instructions.reduce((sum, { op, flops }) => sum + (op.startsWith('attention') ? flops * rowPart : flops), 0);
}

type Handle = ReturnType<NativeExecutor['load']>;

/** Tokens drawn evenly from the vocabulary, as the peer's are; rows are documents of their own. */
function randomBatches(n: number, context: number, vocabulary: number): Record<string, Int32Array | Float32Array>[] {
  let state = 1;
  const draw = (): number => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0; // Numerical Recipes' generator: good enough for ids
    return Math.floor((state / 2 ** 32) * vocabulary);
  };
  const starts = Int32Array.from({ length: n }, (_, i) => i - (i % context)), positions = Int32Array.from({ length: n }, (_, i) => i % context);
  return Array.from({ length: N_BATCHES }, () => ({
    tokens: Int32Array.from({ length: n }, draw),
    targets: Int32Array.from({ length: n }, draw),
    starts,
    positions,
    weights: new Float32Array(n).fill(1 / n),
  }));
}

async function main(): Promise<void> {
  const { values: flags } = parseArgs({ options: { case: { type: 'string' }, precision: { type: 'string' }, threads: { type: 'string' } } });
  let trainer: Trainer | undefined, loss = 0;
  const timed = async (): Promise<number> => {
    const begin = performance.now();
    loss = await trainer!.step();
    return (performance.now() - begin) / 1000;
  };
  await serveLines(async () => {
    trainer = await open(flags.case ?? '', flags.precision === 'bf16' ? 'bf16' : 'fp32', Number(flags.threads ?? 2));
    for (let i = 0, spent = 0; i < 4 && (i < 2 || spent < 5); i++) spent += await timed(); // as the peer warms up
    return trainer.facts;
  }, async (seconds): Promise<Measurement> => {
    const values = await repeated(seconds, async () => Number(trainer!.facts['tokens']) / (await timed()));
    return { values, facts: { loss, rss: residentBytes(), peakRss: peakResidentBytes() } };
  });
  process.exit(); // the executor's threads
}

await main();
