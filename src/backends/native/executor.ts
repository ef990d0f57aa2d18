// The native core as an Executor: names and types around the addon's numbers. Layer: backends.

import { BackendError, ConfigError, FormatError, InterruptedError } from '../../base/errors.ts';
import { DTYPES, isBlockFormat, type DType } from '../../core/dtype.ts';
import { decodeProgram } from '../../core/program.ts';
import { bytesOf, sameShape, showShape, type Meta } from '../../core/shape.ts';
import type { Target } from '../../core/target.ts';
import { checkInstruction } from '../check-instruction.ts';
import type { ExecutableProgram, Executor, MemoryUse, ProgramHandle, RunOptions, TypedArray, Values } from '../executor.ts';
import { ARRAYS, checkValues, orderDims, orderInputs } from '../run-arguments.ts';
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

type Named = readonly [name: string, dtype: DType];

interface Loaded extends ProgramHandle {
  readonly number: number;
  readonly outputs: readonly Named[];
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
  readonly #states = new Map<string, Meta>();
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
      this.#checkInstructions(bytes);
      const { program: number, inputs, outputs, dims } = this.#addon.load(this.#number, bytes);
      const loaded: Loaded = {
        program,
        number,
        outputs: Object.entries(program.outputs).map(([name, { dtype }]) => [name, dtype]),
      };
      if (!agrees(program.inputs, inputs) || !agrees(program.outputs, outputs) || !program.dims.every(({ max }, i) => max === dims[i]) || program.dims.length !== dims.length) {
        this.#addon.unload(this.#number, number);
        throw new ConfigError('Cannot load the program: its inputs, outputs or bounded dimensions are not those of its bytes.');
      }
      this.#declare(program.states, number);
      this.#loaded.set(loaded, loaded);
      return loaded;
    } catch (error) {
      const need = bytes.length < ARENA_BYTES_AT + 8 ?
        0
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
    const { dtype } = this.#metaOf(id);
    if (isBlockFormat(dtype)) throw new ConfigError(`Cannot show the memory of state "${id}": it is ${dtype} in an order of the native core's own. Use write("${id}", …) or read("${id}").`, { path: id });
    const view = new ARRAYS[dtype](this.#addon.state(this.#number, id)!);
    this.#views.set(id, view);
    return view;
  }

  write(id: string, values: TypedArray): void {
    this.#mustBeOpen(`write state "${id}"`);
    const meta = this.#metaOf(id);
    checkValues(id, meta, values);
    if (isBlockFormat(meta.dtype)) this.#arrange(id, meta, values, false);
    else this.state(id).set(values);
  }

  read(id: string): TypedArray {
    this.#mustBeOpen(`read state "${id}"`);
    const meta = this.#metaOf(id);
    if (!isBlockFormat(meta.dtype)) return this.state(id).slice();
    const blocks = new Uint8Array(bytesOf(meta));
    this.#arrange(id, meta, blocks, true);
    return blocks;
  }

  async run(handle: ProgramHandle, inputs: Readonly<Values>, options: RunOptions = {}): Promise<Values> {
    this.#mustBeOpen('run a program');
    const loaded = this.#find(handle), { signal } = options;
    const ordered = orderInputs(loaded.program.inputs, inputs, options.dims ?? {}), dims = orderDims(loaded.program.dims, options.dims ?? {});
    if (signal?.aborted) throw new InterruptedError('The run was aborted before it began.', { cause: signal.reason });
    try {
      const { job, promise } = this.#addon.start(this.#number, loaded.number, ordered, dims, options.profile !== undefined);
      const abort = (): void => {
        if (this.#closing === undefined) this.#addon.abort(this.#number, job);
      };
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
    return this.#addon.measurePeak(this.#number).catch((error: unknown) => {
      throw failureOf(error);
    });
  }

  close(): Promise<void> {
    if (this.#closing === undefined) {
      abandoned?.unregister(this);
      this.#closing = this.#addon.close(this.#number);
      this.#loaded.clear();
    }
    return this.#closing;
  }

  #metaOf(id: string): Meta {
    const meta = this.#states.get(id);
    if (meta !== undefined) return meta;
    throw new ConfigError(`There is no state "${id}": load a program that has it first. There are: ${[...this.#states.keys()].slice(0, 20).join(', ') || 'none'}.`);
  }

  #arrange(id: string, { shape: [rows, cols], dtype }: Meta, blocks: TypedArray, back: boolean): void {
    this.#addon.arrange(this.#number, id, blocks as Uint8Array, DTYPES.indexOf(dtype), rows as number, cols as number, back);
  }

  /** Remembers the types of a program's states; the native core knows their bytes only. */
  #declare(states: ExecutableProgram['states'], program: number): void {
    for (const { id, meta } of states) {
      const known = this.#states.get(id);
      if (known === undefined) continue;
      const same = known.dtype === meta.dtype && (!isBlockFormat(meta.dtype) || sameShape(known.shape, meta.shape));
      if (same) continue;
      this.#addon.unload(this.#number, program);
      throw new FormatError(`Cannot load the program: its state "${id}" is ${meta.dtype}${showShape(meta.shape)}, and here it is ${known.dtype}${showShape(known.shape)}.`, { path: '(program)' });
    }
    for (const { id, meta } of states) if (!this.#states.has(id)) this.#states.set(id, meta);
  }

  /** Decodes a program and checks its instructions by their operators' rules; that operands lie in their memory the native core checks. */
  #checkInstructions(bytes: Uint8Array): void {
    const decoded = decodeProgram(bytes);
    decoded.instructions.forEach((instruction, i) => checkInstruction(instruction, decoded.dims, this.#target, `of instruction ${i} (${instruction.op})`));
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

/** Whether the types of the program's tables are those that its bytes have. */
function agrees(metas: ExecutableProgram['inputs'], codes: readonly number[]): boolean {
  const dtypes = Object.values(metas).map(({ dtype }) => DTYPES.indexOf(dtype));
  return dtypes.length === codes.length && dtypes.every((code, i) => code === codes[i]); // the native core has checked the codes
}
