// How fast this machine runs a training step, from a few seconds of measurement. Layer: train.
// A model's layers are alike, so a step consists of few different instructions, many times each. The step's own programs,
// with each different instruction once, are run in their order (so that caches are as in the real run), on as many rows as
// a second allows; an instruction that was measured at two numbers of rows is extrapolated linearly to the real number.
// Nothing switches on operators here: what is fast or slow on this machine shows in the times.

import type { ExecutableProgram, Executor, ProgramHandle, Values } from '../backends/executor.ts';
import { Random } from '../base/random.ts';
import { compile, decodeProgram, encodeProgram, maxOf, sizeOf, type DecodedProgram, type Program, type ProgramInstruction, type State } from '../core/index.ts';
import type { Model } from '../models/index.ts';
import { microBatches, type TrainConfig } from './config.ts';
import { normGraph, updateGraph } from './optimizer.ts';
import { compileTraining, trainable } from './programs.ts';

/** Seconds that one pass may take at the larger of the two sizes, and that all passes of a size may. */
const PASS_SECONDS = 0.8, SIZE_SECONDS = 1.5;
/** Passes of a size that are timed, after one that is not. */
const LEAST_PASSES = 3, MOST_PASSES = 40;
/** Elements of the parameters whose update is timed: four arrays of them pass any cache. */
const UPDATE_ELEMENTS = 2 ** 23;

/** Measured times, for one model and configuration on one machine. */
export interface Calibration {
  /** Seconds of the instructions of a first and a further micro-batch. */
  readonly microFirst: number;
  readonly microNext: number;
  /** Seconds of the norm and the update, over all parameters. */
  readonly update: number;
  /** Seconds of one run beside its instructions. */
  readonly overhead: number;
  /** Rows that were measured, of those of a micro-batch. */
  readonly rows: number;
  readonly seconds: number;
}

/** A program with each different instruction once. */
interface Sketch {
  readonly program: ExecutableProgram;
  /** For each instruction of the whole program, which one of the sketch it is like. */
  readonly like: readonly number[];
}

/** Mean seconds of a sketch's instructions, and of the run beside them. */
interface Timing {
  readonly instructions: readonly number[];
  readonly overhead: number;
}

/**
 * Measures. The executor must be one of its own: its states are overwritten.
 *
 * @throws {CapacityError} if not even one row fits the memory
 */
export async function calibrate(executor: Executor, model: Model, config: TrainConfig): Promise<Calibration> {
  const began = performance.now(), { rows, count } = microBatches(config);
  const measured: { rows: number; micro: number[][]; overhead: number; update: number; pass: number }[] = [];
  const measure = async (some: number): Promise<void> => {
    const part: TrainConfig = { ...config, batchSize: some * Math.min(2, count), microBatchSize: some };
    const { microFirst, microNext } = compileTraining(model, part, executor.target());
    const sketches = [microFirst, ...(microNext === undefined ? [] : [microNext])].map(sketch);
    const { norm, update, share } = updateSample(model, config, executor);
    const timings = await time(executor, [...sketches.map(({ program }) => program), norm, update], inputsOf(model, part));
    const sums = timings.map(({ instructions }) => instructions.reduce((a, b) => a + b, 0));
    measured.push({
      rows: some,
      micro: sketches.map(({ like }, i) => like.map((j) => timings[i]!.instructions[j]!)),
      update: (sums.at(-1)! + sums.at(-2)!) * share,
      overhead: timings.reduce((sum, { overhead }) => sum + overhead, 0) / timings.length,
      pass: sums.reduce((a, b) => a + b, 0),
    });
  };
  await measure(rows === 1 ? 1 : Math.max(1, Math.floor(rows / 8)));
  const first = measured[0]!, more = Math.min(rows, Math.floor((first.rows * PASS_SECONDS) / first.pass));
  if (more > first.rows) await measure(more);
  const last = measured.at(-1)!, total = (program: number): number =>
    (last.micro[program] ?? []).reduce((sum, seconds, i) => {
      const before = measured.length > 1 ? first.micro[program]![i] : undefined;
      return sum + extrapolate(first.rows, before, last.rows, seconds, rows);
    }, 0);
  return { microFirst: total(0), microNext: total(1), update: last.update, overhead: last.overhead, rows: last.rows, seconds: (performance.now() - began) / 1000 };
}

/** A line through two measurements, kept between no growth and growth in proportion. */
function extrapolate(n1: number, t1: number | undefined, n2: number, t2: number, n: number): number {
  const proportional = (t2 * n) / n2;
  if (t1 === undefined || n1 === n2) return proportional;
  return Math.min(proportional, Math.max(t2, t2 + ((t2 - t1) * (n - n2)) / (n2 - n1)));
}

/** Instructions that look alike take alike: the same operator and attributes on operands of the same kind. */
function likeness({ op, attrs, inputs, outputs }: ProgramInstruction): string {
  return JSON.stringify([op, attrs, [...inputs, ...outputs].map(({ space, dtype, dims, stride0 }) => [space === 'none', dtype, dims, stride0])]);
}

function sketch(program: Program): Sketch {
  const decoded = decodeProgram(program.bytes), kept = new Map<string, number>(), instructions: ProgramInstruction[] = [];
  const like = decoded.instructions.map((instruction) => {
    const key = likeness(instruction), known = kept.get(key);
    if (known !== undefined) return known;
    kept.set(key, instructions.length);
    return instructions.push(instruction) - 1;
  });
  return { program: withOnly(program, decoded, instructions), like };
}

/** The program of some of its instructions, with the states that they use and no outputs. */
function withOnly(program: Program, decoded: DecodedProgram, instructions: readonly ProgramInstruction[]): ExecutableProgram {
  const used = [...new Set(instructions.flatMap(({ inputs, outputs }) => [...inputs, ...outputs]).filter(({ space }) => space === 'state').map(({ index }) => index))];
  const moved = instructions.map((instruction): ProgramInstruction => {
    const operands = (list: ProgramInstruction['inputs']) => list.map((o) => (o.space === 'state' ? { ...o, index: used.indexOf(o.index) } : o));
    return { ...instruction, inputs: operands(instruction.inputs), outputs: operands(instruction.outputs) };
  });
  const states = used.map((index) => decoded.states[index]!), names = new Set(states.map(({ id }) => id));
  return {
    bytes: encodeProgram({ ...decoded, states, outputs: [], instructions: moved }),
    inputs: program.inputs,
    outputs: {},
    dims: program.dims,
    states: program.states.filter(({ id }) => names.has(id)),
  };
}

/** The norm and the update of some of the parameters, and how much more all of them are. */
function updateSample(model: Model, config: TrainConfig, executor: Executor): { norm: Program; update: Program; share: number } {
  const all = trainable(model), elements = (states: readonly State[]): number => states.reduce((sum, { meta }) => sum + sizeOf(meta.shape), 0);
  const some: State[] = config.optimizer.kind === 'muon' ? all : []; // Muon's cost grows with shapes, not with elements
  for (const parameter of some === all ? [] : all) {
    const room = UPDATE_ELEMENTS - elements(some), [n = 1, ...rest] = parameter.meta.shape.map(maxOf), row = sizeOf(rest);
    if (room < row) break;
    const rows = Math.min(n, Math.floor(room / row));
    // A part of a parameter is a State of its own: the programs of the step have the whole.
    some.push(rows === n ? parameter : { ...parameter, id: `part:${parameter.id}`, meta: { ...parameter.meta, shape: [rows, ...rest] } });
  }
  const target = executor.target();
  return {
    norm: compile(normGraph(some, config.optimizer.clipNorm), { target }),
    update: compile(updateGraph(some, config.optimizer), { target }),
    share: elements(all) / elements(some),
  };
}

/** Inputs as a run has them: random tokens, rows of one document each. */
function inputsOf(model: Model, { microBatchSize = 1, contextLength }: TrainConfig): Values {
  const n = microBatchSize * contextLength, random = new Random(0, 'calibration'), ids = (): Int32Array => Int32Array.from({ length: n }, () => random.int(model.dims.vocabSize));
  return {
    tokens: ids(),
    targets: ids(),
    starts: Int32Array.from({ length: n }, (_, i) => i - (i % contextLength)),
    positions: Int32Array.from({ length: n }, (_, i) => i % contextLength),
    weights: new Float32Array(n).fill(1 / n),
    lr: Float32Array.of(0),
    step: Int32Array.of(1),
    gradScale: Float32Array.of(1),
  };
}

/**
 * Runs programs in turns, as a step does, and takes means: they add up to the time of the whole, what other processes take
 * included, where medians would leave out what is rare for each instruction but not for all of them together.
 */
async function time(executor: Executor, programs: readonly ExecutableProgram[], values: Values): Promise<Timing[]> {
  const handles = programs.map((program) => executor.load(program));
  const seconds = programs.map((): Float64Array[] => []), beside = programs.map((): number[] => []);
  try {
    const began = performance.now();
    for (let pass = -1; pass < MOST_PASSES && (pass < LEAST_PASSES || performance.now() - began < 1000 * SIZE_SECONDS); pass++) {
      for (const [i, handle] of handles.entries()) {
        const { took, profile } = await timeRun(executor, handle, values);
        if (pass < 0) continue; // memory is touched for the first time
        seconds[i]!.push(profile);
        beside[i]!.push(took - profile.reduce((a, b) => a + b, 0));
      }
    }
  } finally {
    handles.forEach((handle) => executor.unload(handle));
  }
  return seconds.map((passes, i) => ({
    instructions: Array.from(passes[0]!, (_, j) => mean(passes.map((pass) => pass[j]!))),
    overhead: Math.max(0, mean(beside[i]!)),
  }));
}

async function timeRun(executor: Executor, handle: ProgramHandle, values: Values): Promise<{ took: number; profile: Float64Array }> {
  const inputs = Object.fromEntries(Object.keys(handle.program.inputs).map((name) => [name, values[name]!]));
  let profile = new Float64Array();
  const began = performance.now();
  await executor.run(handle, inputs, { profile: (seconds) => {
    profile = Float64Array.from(seconds);
  } });
  return { took: (performance.now() - began) / 1000, profile };
}

function mean(values: readonly number[]): number {
  return values.reduce((a, b) => a + b, 0) / values.length;
}
