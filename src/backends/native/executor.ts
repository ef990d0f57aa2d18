// The native core as an Executor: names and types around the addon's numbers. Layer: backends.

import { BackendError, ConfigError, InterruptedError, ShapeError } from '../../base/errors.ts';
import { DTYPES, type DType } from '../../core/dtype.ts';
import type { Target } from '../../core/target.ts';
import type { ExecutableProgram, Executor, MemoryUse, ProgramHandle, RunOptions, TypedArray, Values } from '../executor.ts';
import { type Addon, loadAddon, type Machine, type Peak } from './addon.ts';
import { failureOf } from './failure.ts';

export interface NativeOptions {
  /** Threads that compute; the cores that the process may use by default. */
  readonly threads?: number | undefined;
  /** Instruction set; `ATHANOR_ISA` in the environment, else the best that the processor has. */
  readonly isa?: string | undefined;
}

/** Where the arena's size stands in the header of a program. */
const ARENA_BYTES_AT = 16;

const ARRAYS: Readonly<Record<DType, new (buffer: ArrayBufferLike) => TypedArray>> = {
  f32: Float32Array, bf16: Uint16Array, f16: Uint16Array, i32: Int32Array, u8: Uint8Array,
};

type Named = readonly [name: string, dtype: DType];

interface Loaded extends ProgramHandle {
  readonly number: number;
  readonly inputs: readonly Named[];
  readonly outputs: readonly Named[];
  /** Bounded dimensions with their largest values. */
  readonly dims: readonly (readonly [name: string, max: number])[];
}

/** Closes an executor that was dropped without close(); made when the first one opens. */
let abandoned: FinalizationRegistry<{ addon: Addon; number: number }> | undefined;

/**
 * Runs programs on the native core.
 *
 * @example
 * const executor = NativeExecutor.open({ threads: 2 });
 * const handle = executor.load(compile(graph, executor.target()));
 * const { loss } = await executor.run(handle, { tokens });
 * await executor.close();
 */
export class NativeExecutor implements Executor {
  readonly #addon: Addon;
  readonly #number: number;
  readonly #target: Target;
  readonly #loaded = new Map<ProgramHandle, Loaded>();
  readonly #dtypes = new Map<string, DType>();
  readonly #views = new Map<string, TypedArray>();
  #closing: Promise<void> | undefined;

  private constructor(addon: Addon, number: number, target: Target) {
    this.#addon = addon;
    this.#number = number;
    this.#target = target;
  }

  /**
   * Starts an executor with threads of its own.
   *
   * @throws {BackendError} if the native core is not built, is out of date, or the processor lacks `isa`
   */
  static open(options: NativeOptions = {}): NativeExecutor {
    const { threads = 0, isa = process.env['ATHANOR_ISA'] ?? '' } = options;
    if (!Number.isInteger(threads) || threads < 0 || threads > 1024) {
      throw new ConfigError(`Cannot open the native core with ${threads} threads: 1 to 1024 are possible.`, { path: 'threads' });
    }
    const addon = loadAddon();
    try {
      const opened = addon.open(threads, isa);
      const { l1Bytes, l2Bytes, l3Bytes } = addon.machine();
      const target: Target = { backend: 'native', isa: opened.isa, lanes: opened.lanes, threads: opened.threads, l1Bytes, l2Bytes, l3Bytes };
      const executor = new NativeExecutor(addon, opened.executor, target);
      abandoned ??= new FinalizationRegistry((one) => void one.addon.close(one.number));
      abandoned.register(executor, { addon, number: opened.executor }, executor);
      return executor;
    } catch (error) {
      throw failureOf(error);
    }
  }

  target(): Target {
    return this.#target;
  }

  load(program: ExecutableProgram): ProgramHandle {
    this.#mustBeOpen('load a program');
    const { bytes } = program;
    try {
      const { program: number, inputs, outputs, dims } = this.#addon.load(this.#number, bytes);
      const loaded: Loaded = {
        program, number, inputs: named(program.inputs, inputs), outputs: named(program.outputs, outputs),
        dims: program.dims.map(({ dim }, i) => [dim, dims[i]!]),
      };
      if (loaded.inputs.length !== inputs.length || loaded.outputs.length !== outputs.length || loaded.dims.length !== dims.length) {
        this.#addon.unload(this.#number, number);
        throw new ConfigError(`Cannot load the program: it names ${loaded.inputs.length} inputs, ${loaded.outputs.length} outputs and ${loaded.dims.length} bounded dimensions, and its bytes have ${inputs.length}, ${outputs.length} and ${dims.length}.`);
      }
      for (const { id, meta } of program.states) if (!this.#dtypes.has(id)) this.#dtypes.set(id, meta.dtype);
      this.#loaded.set(loaded, loaded);
      return loaded;
    } catch (error) {
      const need = bytes.length < ARENA_BYTES_AT + 8 ? 0
        : Number(new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength).getBigUint64(ARENA_BYTES_AT, true));
      throw failureOf(error, { need });
    }
  }

  unload(handle: ProgramHandle): void {
    this.#mustBeOpen('unload a program');
    this.#addon.unload(this.#number, this.#find(handle).number);
    this.#loaded.delete(handle);
  }

  state(id: string): TypedArray {
    const known = this.#views.get(id);
    if (known !== undefined) return known;
    this.#mustBeOpen(`read state "${id}"`);
    const buffer = this.#addon.state(this.#number, id), dtype = this.#dtypes.get(id);
    if (buffer === undefined || dtype === undefined) {
      throw new ConfigError(`There is no state "${id}": load a program that has it first. There are: ${[...this.#dtypes.keys()].slice(0, 20).join(', ') || 'none'}.`);
    }
    const view = new ARRAYS[dtype](buffer);
    this.#views.set(id, view);
    return view;
  }

  async run(handle: ProgramHandle, inputs: Readonly<Values>, options: RunOptions = {}): Promise<Values> {
    this.#mustBeOpen('run a program');
    const loaded = this.#find(handle), { signal } = options;
    const ordered = orderInputs(loaded.inputs, inputs), dims = orderDims(loaded.dims, options.dims ?? {});
    if (signal?.aborted) throw new InterruptedError('The run was aborted before it began.', { cause: signal.reason });
    try {
      const { job, promise } = this.#addon.start(this.#number, loaded.number, ordered, dims, options.profile !== undefined);
      const abort = (): void => { if (this.#closing === undefined) this.#addon.abort(this.#number, job); };
      signal?.addEventListener('abort', abort, { once: true });
      const { outputs, seconds } = await promise.finally(() => signal?.removeEventListener('abort', abort));
      if (seconds !== undefined) options.profile?.(seconds);
      return Object.fromEntries(loaded.outputs.map(([name, dtype], i) => [name, new ARRAYS[dtype](outputs[i]!)]));
    } catch (error) {
      throw failureOf(error, { cause: signal?.aborted ? signal.reason : undefined });
    }
  }

  memory(): MemoryUse {
    this.#mustBeOpen('count memory');
    return this.#addon.memory(this.#number);
  }

  /** What the machine is, whatever this executor uses of it. */
  machine(): Machine {
    return this.#addon.machine();
  }

  /** Measures this executor's limits (about half a second, after the runs that were asked for before). */
  async measurePeak(): Promise<Peak> {
    this.#mustBeOpen('measure');
    return this.#addon.measurePeak(this.#number).catch((error: unknown) => { throw failureOf(error); });
  }

  close(): Promise<void> {
    if (this.#closing === undefined) {
      abandoned?.unregister(this);
      this.#closing = this.#addon.close(this.#number);
      this.#loaded.clear();
    }
    return this.#closing;
  }

  #mustBeOpen(action: string): void {
    if (this.#closing === undefined) return;
    throw new BackendError(`Cannot ${action}: this executor is closed.`, { help: 'Open another one.' });
  }

  #find(handle: ProgramHandle): Loaded {
    const loaded = this.#loaded.get(handle);
    if (loaded !== undefined) return loaded;
    throw new ConfigError('This program is not loaded here: it was unloaded, or loaded by another executor.');
  }
}

/** Names in the order of the program's tables, with the dtypes that its bytes have for them. */
function named(metas: ExecutableProgram['inputs'], codes: readonly number[]): Named[] {
  return Object.keys(metas).map((name, i) => [name, DTYPES[codes[i] ?? 0]!]); // the native core has checked the codes
}

/** @throws {ConfigError} naming the word that is none of `names` */
function refuseOthers(kind: string, given: object, names: readonly (readonly [string, unknown])[]): void {
  const extra = Object.keys(given).find((name) => !names.some(([known]) => known === name));
  if (extra === undefined) return;
  throw new ConfigError(`Cannot run the program: it has no ${kind} "${extra}", only ${names.map(([name]) => name).join(', ') || 'none at all'}.`, { path: extra });
}

/** Inputs in the program's order. @throws {ConfigError | ShapeError} naming the one that does not fit */
function orderInputs(inputs: readonly Named[], given: Readonly<Values>): TypedArray[] {
  refuseOthers('input', given, inputs);
  return inputs.map(([name, dtype]) => {
    const array = given[name];
    if (array === undefined) throw new ConfigError(`Cannot run the program: input "${name}" is missing.`, { path: name });
    if (array instanceof ARRAYS[dtype]) return array;
    throw new ShapeError(`Cannot run the program: input "${name}" is ${dtype} and needs a ${ARRAYS[dtype].name}.`, { op: 'run', shapes: [name] });
  });
}

/** Dimensions in the program's order, at their maximum where nothing is said. @throws {ConfigError | ShapeError} */
function orderDims(dims: Loaded['dims'], given: Readonly<Record<string, number>>): number[] {
  refuseOthers('dimension', given, dims);
  return dims.map(([name, max]) => {
    const value = given[name] ?? max;
    if (Number.isInteger(value) && value >= 0 && value <= max) return value;
    throw new ShapeError(`Cannot run the program: dimension "${name}" is ${value}, and may be an integer from 0 to ${max}.`, { op: 'run', shapes: [String(value)] });
  });
}
