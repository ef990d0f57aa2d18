// The reference backend: runs encoded programs in plain TypeScript, every value in float64. Layer: backends.
// It is the oracle that proves programs right, and the way to work where no native core can be built. Memory is laid out
// as the program says; what nobody wrote yet, and what an instruction may use as scratch, reads as NaN.

import { BackendError, ConfigError, FormatError, InterruptedError } from '../../base/errors.ts';
import { DTYPE_BYTES, type DType } from '../../core/dtype.ts';
import { evaluateOp, type TypedArrayND } from '../../core/evaluate.ts';
import { opOf } from '../../core/op-table.ts';
import { decodeProgram, resolveDims, type DecodedProgram, type Operand, type ProgramInstruction } from '../../core/program.ts';
import { REFERENCE_TARGET, type Target } from '../../core/target.ts';
import type { ExecutableProgram, Executor, MemoryUse, ProgramHandle, RunOptions, TypedArray, Values } from '../executor.ts';
import { ARRAYS, checkValues, orderDims, orderInputs } from '../run-arguments.ts';
import { checkProgram } from './check-program.ts';
import { allocateCells, readOperand, scribble, writeOperand, type Region } from './memory.ts';
import { StateMemory } from './state-memory.ts';
import { numbersOf, store, type ElementType } from './storage.ts';

interface Loaded extends ProgramHandle {
  readonly decoded: DecodedProgram;
  /** Bytes of the smallest element in the arena. */
  readonly unit: number;
}

/** How long to work before the event loop gets a turn: an abort arrives in time, and pausing costs little. */
const TURN_MS = 25;

/**
 * Runs programs in float64, hundreds of times slower than the native core.
 *
 * @example
 * const executor = new ReferenceExecutor();
 * const handle = executor.load(compile(graph, { target: executor.target() }));
 * const { loss } = await executor.run(handle, { tokens });
 */
export class ReferenceExecutor implements Executor {
  readonly #loaded = new Map<ProgramHandle, Loaded>();
  readonly #states = new Map<string, StateMemory>();
  readonly #closing = new AbortController();
  #arena: Float64Array = new Float64Array(0);
  #queue: Promise<unknown> = Promise.resolve();

  target(): Target {
    return REFERENCE_TARGET;
  }

  load(program: ExecutableProgram): ProgramHandle {
    this.#mustBeOpen('load a program');
    const decoded = decodeProgram(program.bytes);
    checkProgram(decoded, program);
    const fresh = program.states.flatMap(({ id, meta }, i): [string, StateMemory][] => {
      const { bytes } = decoded.states[i]!, known = this.#states.get(id);
      if (known === undefined) return [[id, new StateMemory(meta, bytes)]];
      if (known.bytes === bytes && known.dtype === meta.dtype) return [];
      throw new FormatError(`Cannot load the program: its state "${id}" has ${bytes} bytes of ${meta.dtype}, and here it has ${known.bytes} of ${known.dtype}.`, { path: '(program)' });
    });
    const operands = decoded.instructions.flatMap(({ inputs, outputs }) => [...inputs, ...outputs]).concat(decoded.outputs);
    const unit = Math.min(4, ...operands.filter(({ space }) => space === 'arena').map(({ dtype }) => DTYPE_BYTES[dtype]));
    const cells = Math.ceil(decoded.arenaBytes / unit);
    if (cells > this.#arena.length) this.#arena = allocateCells(cells);
    for (const [id, memory] of fresh) this.#states.set(id, memory);
    const handle: Loaded = { program, decoded, unit };
    this.#loaded.set(handle, handle);
    return handle;
  }

  unload(handle: ProgramHandle): void {
    this.#mustBeOpen('unload a program');
    this.#find(handle);
    this.#loaded.delete(handle);
  }

  state(id: string): TypedArray {
    const known = this.#states.get(id);
    if (known !== undefined) return known.view;
    throw new ConfigError(`There is no state "${id}": load a program that has it first. There are: ${[...this.#states.keys()].slice(0, 20).join(', ') || 'none'}.`);
  }

  write(id: string, values: TypedArray): void {
    this.#mustBeOpen(`write state "${id}"`);
    const view = this.state(id);
    checkValues(id, this.#states.get(id)!.meta, values);
    view.set(values);
  }

  read(id: string): TypedArray {
    this.#mustBeOpen(`read state "${id}"`);
    return this.state(id).slice();
  }

  async run(handle: ProgramHandle, inputs: Readonly<Values>, options: RunOptions = {}): Promise<Values> {
    this.#mustBeOpen('run a program');
    const loaded = this.#find(handle), { program } = loaded, given = options.dims ?? {};
    const dims = orderDims(program.dims, given);
    const metas = Object.values(program.inputs);
    const copies = orderInputs(program.inputs, inputs, given).map((array, i): Region => {
      const { dtype } = metas[i]!;
      return { cells: numbersOf(dtype, array), unit: DTYPE_BYTES[dtype] };
    });
    if (options.signal?.aborted) throw new InterruptedError('The run was aborted before it began.', { cause: options.signal.reason });
    const result = this.#queue.then(() => this.#execute(loaded, copies, dims, options));
    this.#queue = result.catch(() => undefined);
    return result;
  }

  memory(): MemoryUse {
    this.#mustBeOpen('count memory');
    return { arenaBytes: this.#arena.byteLength, stateBytes: [...this.#states.values()].reduce((sum, state) => sum + state.allocated, 0) };
  }

  async close(): Promise<void> {
    this.#closing.abort();
    await this.#queue;
    this.#loaded.clear();
    this.#arena = new Float64Array(0);
  }

  #mustBeOpen(action: string): void {
    if (!this.#closing.signal.aborted) return;
    throw new BackendError(`Cannot ${action}: this executor is closed.`, { help: 'Open another one.' });
  }

  #find(handle: ProgramHandle): Loaded {
    const loaded = this.#loaded.get(handle);
    if (loaded !== undefined) return loaded;
    throw new ConfigError('This program is not loaded here: it was unloaded, or loaded by another executor.');
  }

  async #execute({ program, decoded, unit }: Loaded, inputs: readonly Region[], dims: readonly number[], options: RunOptions): Promise<Values> {
    const states = decoded.states.map(({ id }) => this.#states.get(id)!);
    for (const state of states) state.refresh();
    const arena: Region = { cells: this.#arena, unit };
    scribble(arena, 0, decoded.arenaBytes);
    const regionOf = ({ space, index }: Operand): Region => (space === 'arena' ? arena : space === 'input' ? inputs[index]! : states[index]!);
    const seconds = new Float64Array(decoded.instructions.length);
    let committed = false, turn = performance.now();
    try {
      for (const [i, instruction] of decoded.instructions.entries()) {
        if (!committed) this.#stopIfAsked(options.signal);
        committed ||= instruction.commits;
        const before = performance.now();
        runInstruction(instruction, dims, regionOf);
        const now = performance.now();
        seconds[i] = (now - before) / 1000;
        if (now - turn < TURN_MS) continue;
        await new Promise(setImmediate);
        turn = performance.now();
      }
    } finally {
      for (const state of states) state.publish();
    }
    options.profile?.(seconds);
    const types = Object.entries(program.outputs);
    return Object.fromEntries(decoded.outputs.map((operand, i) => {
      const [name, { dtype }] = types[i]!, { data } = readOperand(regionOf(operand), operand, resolveDims(operand, dims));
      const array = new ARRAYS[dtype](data.length);
      store(dtype as ElementType, data, array); // checkProgram lets no block format out
      return [name, array];
    }));
  }

  #stopIfAsked(signal: AbortSignal | undefined): void {
    if (signal?.aborted) throw new InterruptedError('The run was aborted; it had not written anything.', { cause: signal.reason });
    if (this.#closing.signal.aborted) throw new InterruptedError('The executor was closed before the run had written anything.');
  }
}

const WORKSPACE: Operand = { space: 'arena', dtype: 'u8', index: 0, byteOffset: 0, stride0: 0, dims: [] };

/** Reads the operands, evaluates the operator by its definition, writes the results. */
function runInstruction(instruction: ProgramInstruction, dims: readonly number[], regionOf: (operand: Operand) => Region): void {
  const { op, attrs, outputs } = instruction;
  const useWorkspace = (): void => scribble(regionOf(WORKSPACE), instruction.workspaceOffset, instruction.workspaceBytes);
  const typed = (operand: Operand): { shape: number[]; dtype: DType } => ({ shape: resolveDims(operand, dims), dtype: operand.dtype });
  const outs = outputs.map(typed);
  if (outs.length > 0 && outs.every(({ shape }) => shape.includes(0))) return;
  useWorkspace(); // a kernel uses it while it still reads and already writes
  const inputs = instruction.inputs.map((operand): TypedArrayND | null => {
    if (operand.space === 'none') return null;
    const { shape, dtype } = typed(operand);
    return { ...readOperand(regionOf(operand), operand, shape), dtype };
  });
  const decoded = opOf(op).attrs.decode(attrs, inputs, outs);
  const results = evaluateOp(op, decoded as never, inputs);
  results.forEach((array, i) => {
    const operand = outputs[i];
    if (operand !== undefined && operand.space !== 'none') writeOperand(regionOf(operand), operand, array);
  });
  useWorkspace();
}
