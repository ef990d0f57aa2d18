// The program: one versioned byte buffer that an executor runs, and its decoder. Layer: core.
// Little endian; every part is a multiple of 8 bytes.
//   header        magic u32, version u32, opTableHash u64, arenaBytes u64, nDims, nInputs, nStates, nOutputs,
//                 nInstructions, instructionBytes u32, reserved u32 × 2
//   dims          max u32 each
//   inputs        operand each
//   states        bytes u64, idLength u32, id (UTF-8) each
//   outputs       operand each
//   instructions  opcode u16, flags u16 (bit 0: writes durable state), nIn u32, nOut u32, nAttrs u32, workspaceOffset u64,
//                 workspaceBytes u64, attrs f64 × nAttrs, operands
//   operand       space u8, dtype u8, rank u8, pad u8, index u32, byteOffset u64, stride0 i64, dims i64 × rank
//                 (≥ 0 literal, −1−d the bounded dim d)

import { ByteWriter } from '../base/byte-writer.ts';
import { FormatError } from '../base/errors.ts';
import { DTYPES, type DType } from './dtype.ts';
import { OP_NAMES, opTableHash } from './op-table.ts';
import type { OpName } from './op-attrs.ts';
import type { Bound, Meta } from './shape.ts';
import type { State } from './state.ts';
import type { Target } from './target.ts';
import type { Plan } from './plan.ts';

export const PROGRAM_MAGIC = 0x50485441; // 'ATHP'
export const PROGRAM_VERSION = 2;

/** Where operands lie; the order is the code of the format. */
export const SPACES = ['none', 'arena', 'input', 'state'] as const;
export type Space = (typeof SPACES)[number];

/** A compiled computation for one target, with what a caller needs to run it. */
export interface Program {
  readonly target: Target;
  readonly bytes: Uint8Array;
  readonly plan: Plan;
  readonly states: readonly State[];
  readonly inputs: Readonly<Record<string, Meta>>;
  readonly outputs: Readonly<Record<string, Meta>>;
  /** Bounded axes, in the order of their numbers. */
  readonly dims: readonly Bound[];
}

export interface Operand {
  readonly space: Space;
  readonly dtype: DType;
  readonly index: number;
  readonly byteOffset: number;
  readonly stride0: number;
  readonly dims: readonly number[];
}

export interface ProgramInstruction {
  readonly op: OpName;
  readonly commits: boolean;
  readonly attrs: readonly number[];
  readonly workspaceOffset: number;
  readonly workspaceBytes: number;
  readonly inputs: readonly Operand[];
  readonly outputs: readonly Operand[];
}

/** What the bytes say. */
export interface DecodedProgram {
  readonly arenaBytes: number;
  readonly dims: readonly number[];
  readonly inputs: readonly Operand[];
  readonly states: readonly { readonly id: string; readonly bytes: number }[];
  readonly outputs: readonly Operand[];
  readonly instructions: readonly ProgramInstruction[];
}

function writeOperand(w: ByteWriter, o: Operand): void {
  w.u8(SPACES.indexOf(o.space));
  w.u8(DTYPES.indexOf(o.dtype));
  w.u8(o.dims.length);
  w.u8(0);
  w.u32(o.index);
  w.u64(o.byteOffset);
  w.i64(o.stride0);
  for (const dim of o.dims) w.i64(dim);
}

/** The bytes of a program. */
export function encodeProgram(p: DecodedProgram): Uint8Array {
  const body = new ByteWriter();
  for (const { op, commits, attrs, workspaceOffset, workspaceBytes, inputs, outputs } of p.instructions) {
    body.u16(OP_NAMES.indexOf(op));
    body.u16(commits ? 1 : 0);
    body.u32(inputs.length);
    body.u32(outputs.length);
    body.u32(attrs.length);
    body.u64(workspaceOffset);
    body.u64(workspaceBytes);
    for (const attr of attrs) body.f64(attr);
    for (const operand of [...inputs, ...outputs]) writeOperand(body, operand);
  }
  const w = new ByteWriter();
  w.u32(PROGRAM_MAGIC);
  w.u32(PROGRAM_VERSION);
  w.u64(opTableHash());
  w.u64(p.arenaBytes);
  for (const n of [p.dims.length, p.inputs.length, p.states.length, p.outputs.length, p.instructions.length, body.length, 0, 0]) w.u32(n);
  for (const max of p.dims) w.u32(max);
  w.pad(8);
  for (const operand of p.inputs) writeOperand(w, operand);
  for (const { id, bytes } of p.states) {
    const name = new TextEncoder().encode(id);
    w.u64(bytes);
    w.u32(name.length);
    w.raw(name);
    w.pad(8);
  }
  for (const operand of p.outputs) writeOperand(w, operand);
  w.raw(body.finish());
  return w.finish();
}

/** Reads numbers and says where it ran out of them. */
class Reader {
  readonly #view: DataView;
  readonly #bytes: Uint8Array;
  at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  fail(why: string): never {
    throw new FormatError(`Cannot decode the program: ${why} at byte ${this.at}. Compile it again.`, { path: '(program)', offset: this.at });
  }

  #take(n: number): number {
    const at = this.at;
    if (at + n > this.#bytes.length) this.fail('it ends too early');
    this.at += n;
    return at;
  }

  u8(): number {
    return this.#view.getUint8(this.#take(1));
  }
  u16(): number {
    return this.#view.getUint16(this.#take(2), true);
  }
  u32(): number {
    return this.#view.getUint32(this.#take(4), true);
  }
  f64(): number {
    return this.#view.getFloat64(this.#take(8), true);
  }
  bigU64(): bigint {
    return this.#view.getBigUint64(this.#take(8), true);
  }

  u64(): number {
    const value = this.bigU64();
    return value <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(value) : this.fail('a number is too large');
  }

  i64(): number {
    return Number(this.#view.getBigInt64(this.#take(8), true));
  }
  text(length: number): string {
    return new TextDecoder().decode(this.#bytes.subarray(this.#take(length), this.at));
  }
  align(): void {
    this.#take((8 - (this.at % 8)) % 8);
  }

  /** n things, none of which can be smaller than `least` bytes. */
  list<T>(n: number, least: number, read: () => T): T[] {
    if (n * least > this.#bytes.length - this.at) this.fail(`${n} entries do not fit what is left`);
    return Array.from({ length: n }, read);
  }

  operand(): Operand {
    const space = SPACES[this.u8()] ?? this.fail('an operand lies in an unknown space');
    const dtype = DTYPES[this.u8()] ?? this.fail('an operand has an unknown type');
    const rank = this.u8();
    this.u8();
    const index = this.u32(), byteOffset = this.u64(), stride0 = this.i64();
    return { space, dtype, index, byteOffset, stride0, dims: this.list(rank, 8, () => this.i64()) };
  }
}

const OPERAND_BYTES = 24, INSTRUCTION_BYTES = 32;

/** @throws {FormatError} with the byte where the buffer is not a program of this version and operator table */
export function decodeProgram(bytes: Uint8Array): DecodedProgram {
  const r = new Reader(bytes);
  if (r.u32() !== PROGRAM_MAGIC) r.fail('this is no program');
  if (r.u32() !== PROGRAM_VERSION) r.fail('it has another version');
  if (r.bigU64() !== opTableHash()) r.fail('it was compiled with another table of operators');
  const arenaBytes = r.u64();
  const [nDims, nInputs, nStates, nOutputs, nInstructions] = [r.u32(), r.u32(), r.u32(), r.u32(), r.u32()];
  r.u32();
  r.u32();
  r.u32();
  const dims = r.list(nDims, 4, () => r.u32());
  r.align();
  const inputs = r.list(nInputs, OPERAND_BYTES, () => r.operand());
  const states = r.list(nStates, 16, () => {
    const bytesOfState = r.u64(), id = r.text(r.u32());
    r.align();
    return { id, bytes: bytesOfState };
  });
  const outputs = r.list(nOutputs, OPERAND_BYTES, () => r.operand());
  const instructions = r.list(nInstructions, INSTRUCTION_BYTES, (): ProgramInstruction => {
    const op = OP_NAMES[r.u16()] ?? r.fail('an instruction has an unknown opcode');
    const commits = (r.u16() & 1) === 1, nIn = r.u32(), nOut = r.u32(), nAttrs = r.u32();
    const workspaceOffset = r.u64(), workspaceBytes = r.u64();
    const attrs = r.list(nAttrs, 8, () => r.f64());
    const operands = r.list(nIn + nOut, OPERAND_BYTES, () => r.operand());
    return { op, commits, attrs, workspaceOffset, workspaceBytes, inputs: operands.slice(0, nIn), outputs: operands.slice(nIn) };
  });
  return { arenaBytes, dims, inputs, states, outputs, instructions };
}

/** Shape of an operand when its bounded axes are `dims`. */
export function resolveDims(operand: Operand, dims: readonly number[]): number[] {
  return operand.dims.map((dim) => (dim >= 0 ? dim : dims[-1 - dim]!));
}

/** Types of an instruction's operands when the bounded axes are `dims`; an operand that is not there is null. */
export function operandMetas({ inputs, outputs }: ProgramInstruction, dims: readonly number[]): { readonly x: (Meta | null)[]; readonly y: Meta[] } {
  const meta = (operand: Operand): Meta => ({ shape: resolveDims(operand, dims), dtype: operand.dtype });
  return { x: inputs.map((operand) => (operand.space === 'none' ? null : meta(operand))), y: outputs.map(meta) };
}
