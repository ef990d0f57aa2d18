// What every executor offers: it holds state by name, loads programs and runs them off the JavaScript thread, one at a
// time. Layer: backends. The native core and the reference interpreter implement it; see docs/architecture.md.

import type { Program } from '../core/program.ts';
import type { Target } from '../core/target.ts';

/** Values of a tensor, row-major. bf16 and f16 are their bit patterns in a Uint16Array. */
export type TypedArray = Float32Array | Int32Array | Uint16Array | Uint8Array;

/** Values by name. */
export type Values = Record<string, TypedArray>;

/** What an executor needs of a compiled program: its bytes, and names and types for the numbers in them. */
export type ExecutableProgram = Pick<Program, 'bytes' | 'inputs' | 'outputs' | 'dims' | 'states'>;

/** A program that an executor has loaded. Only that executor can run it. */
export interface ProgramHandle {
  readonly program: ExecutableProgram;
}

export interface RunOptions {
  /** Bounded dimensions by name, each from 0 to its maximum, which it has when it is left out. */
  readonly dims?: Readonly<Record<string, number>> | undefined;
  /** Stops the run between two instructions, unless it has begun to write states: then it ends as if not aborted. */
  readonly signal?: AbortSignal | undefined;
  /** Gets the seconds that each instruction took, in their order, before the run's promise resolves. */
  readonly profile?: ((seconds: Float64Array) => void) | undefined;
}

/** Bytes that an executor has allocated. */
export interface MemoryUse {
  /** One block for the values of a run: the largest that a loaded program asks for. */
  readonly arenaBytes: number;
  /** All states. */
  readonly stateBytes: number;
}

export interface Executor {
  /** What programs must be compiled for. */
  target(): Target;

  /**
   * Checks a program and makes its new states, which begin as zeros; those that it shares with programs loaded before
   * keep their values.
   *
   * @throws {FormatError} if the bytes are not a valid program, or one for another version or target
   * @throws {CapacityError} if the memory is not there
   */
  load(program: ExecutableProgram): ProgramHandle;

  /** Forgets a program, not its states. Runs that were asked for before still happen. */
  unload(handle: ProgramHandle): void;

  /**
   * A state's own memory: what is written here is what programs read. Do not touch it while a run is in progress.
   *
   * @throws {ConfigError} if no loaded program has it, or it is in a block format and its memory in an order of its own
   */
  state(id: string): TypedArray;

  /**
   * Gives a state its values, those of block formats as their bytes (core/block-formats.ts). Not while a run is in
   * progress.
   *
   * @throws {ConfigError} if no loaded program has it
   * @throws {ShapeError} if the values are of another type or number
   */
  write(id: string, values: TypedArray): void;

  /**
   * A copy of a state's values, as `write` takes them.
   *
   * @throws {ConfigError} if no loaded program has it
   */
  read(id: string): TypedArray;

  /**
   * Runs a program after those asked for before it. Inputs are copied when this is called, so that they may be changed
   * at once.
   *
   * @returns fresh arrays by the outputs' names
   * @throws {ShapeError | ConfigError} (as a rejection) if an input or dimension is missing, unknown or too short
   * @throws {InterruptedError} if it was aborted, or the executor closed, before it wrote anything
   */
  run(handle: ProgramHandle, inputs: Readonly<Values>, options?: RunOptions): Promise<Values>;

  memory(): MemoryUse;

  /**
   * Ends the executor: runs that have not written anything are rejected, one that has is completed first. Views of
   * states stay readable. Calling it again returns the same promise.
   */
  close(): Promise<void>;
}
