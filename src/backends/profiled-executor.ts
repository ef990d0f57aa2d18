// An executor that keeps account of where the time of another goes: by operator, beside the operators, and between runs.
// Layer: backends. The work is counted at each run's own sizes (core/cost.ts), so that rates are what was really reached.

import { decodeProgram, mainType, WorkCounter, type DType, type OpName } from '../core/index.ts';
import type { Target } from '../core/target.ts';
import type { ExecutableProgram, Executor, MemoryUse, ProgramHandle, RunOptions, TypedArray, Values } from './executor.ts';
import { orderDims, orderInputs } from './run-arguments.ts';

/** One instruction of one program in one phase, over all its runs. */
export interface InstructionTotal {
  readonly op: OpName;
  readonly dtype: DType;
  calls: number;
  seconds: number;
  flops: number;
  bytes: number;
}

/** What happened in one phase, such as prefill or decode. */
export interface PhaseTotal {
  runs: number;
  /** While at least one run was asked for and not answered. */
  busySeconds: number;
  /** From an answer to the next request: JavaScript. The time after the last run is in none. */
  idleSeconds: number;
  readonly instructions: InstructionTotal[];
}

interface Loaded {
  readonly handle: ProgramHandle;
  readonly work: WorkCounter;
  readonly ops: readonly { readonly op: OpName; readonly dtype: DType }[];
  readonly phases: Map<string, readonly InstructionTotal[]>;
}

/** Names the phase that a run belongs to. */
export type PhaseOf = (program: ExecutableProgram, dims: Readonly<Record<string, number>>) => string;

/** Does what `inner` does, and counts. It is the caller's, who closes either. */
export class ProfiledExecutor implements Executor {
  readonly inner: Executor;
  readonly #phaseOf: PhaseOf;
  readonly #phases = new Map<string, PhaseTotal>();
  readonly #loaded = new Map<ProgramHandle, Loaded>();
  /** Phases of runs that were asked for and not answered, in their order. */
  readonly #running: string[] = [];
  #last: { readonly phase: string; readonly time: number } | undefined;

  constructor(inner: Executor, phaseOf: PhaseOf) {
    this.inner = inner;
    this.#phaseOf = phaseOf;
  }

  /** Totals so far, by phase, in the order in which the phases began. */
  get phases(): ReadonlyMap<string, PhaseTotal> {
    return this.#phases;
  }

  target(): Target {
    return this.inner.target();
  }
  state(id: string): TypedArray {
    return this.inner.state(id);
  }
  write(id: string, values: TypedArray): void {
    this.inner.write(id, values);
  }
  read(id: string): TypedArray {
    return this.inner.read(id);
  }
  memory(): MemoryUse {
    return this.inner.memory();
  }
  close(): Promise<void> {
    return this.inner.close();
  }

  load(program: ExecutableProgram): ProgramHandle {
    const handle = this.inner.load(program), decoded = decodeProgram(program.bytes), largest = program.dims.map(({ max }) => max);
    const ops = decoded.instructions.map((instruction) => ({ op: instruction.op, dtype: mainType(instruction, largest) }));
    this.#loaded.set(handle, { handle, work: new WorkCounter(decoded), ops, phases: new Map() });
    return handle;
  }

  unload(handle: ProgramHandle): void {
    this.inner.unload(handle);
    this.#loaded.delete(handle);
  }

  async run(handle: ProgramHandle, inputs: Readonly<Values>, options: RunOptions = {}): Promise<Values> {
    const loaded = this.#loaded.get(handle);
    if (loaded === undefined) return this.inner.run(handle, inputs, options);
    const { program } = handle, given = options.dims ?? {}, phase = this.#phaseOf(program, given);
    this.#tick(phase);
    this.#running.push(phase);
    const result = this.inner.run(handle, inputs, {
      ...options,
      profile: (seconds) => {
        this.#add(loaded, phase, seconds, loaded.work.count(orderDims(program.dims, given), orderInputs(program.inputs, inputs, given)));
        options.profile?.(seconds);
      },
    });
    try {
      return await result;
    } finally {
      this.#tick(phase);
      this.#running.splice(this.#running.indexOf(phase), 1);
    }
  }

  /** Gives the time since the last event to who had it: the run that was first in line, or JavaScript after `last`'s phase. */
  #tick(phase: string): void {
    const time = performance.now(), before = this.#last;
    this.#last = { phase, time };
    if (before === undefined) return;
    const seconds = (time - before.time) / 1000, [first] = this.#running;
    if (first === undefined) this.#phase(before.phase).idleSeconds += seconds;
    else this.#phase(first).busySeconds += seconds;
  }

  #phase(name: string): PhaseTotal {
    const known = this.#phases.get(name);
    if (known !== undefined) return known;
    const fresh: PhaseTotal = { runs: 0, busySeconds: 0, idleSeconds: 0, instructions: [] };
    this.#phases.set(name, fresh);
    return fresh;
  }

  #add(loaded: Loaded, name: string, seconds: Float64Array, work: ReturnType<WorkCounter['count']>): void {
    const phase = this.#phase(name), known = loaded.phases.get(name);
    const totals = known ?? loaded.ops.map((one): InstructionTotal => ({ ...one, calls: 0, seconds: 0, flops: 0, bytes: 0 }));
    if (known === undefined) {
      loaded.phases.set(name, totals);
      phase.instructions.push(...totals);
    }
    phase.runs++;
    totals.forEach((total, i) => {
      total.calls++;
      total.seconds += seconds[i]!;
      total.flops += work[i]!.flops;
      total.bytes += work[i]!.bytes;
    });
  }
}
