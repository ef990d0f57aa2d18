// Checks of an instruction before an executor runs it, by its operator's own rules. Layer: backends.
// Executors check that each operand lies in its memory; kernels trust that operands agree with one another, which no
// damaged or foreign program may make untrue. After these checks no kernel touches what its operands do not name.

import { FormatError } from '../base/errors.ts';
import { isBlockFormat } from '../core/dtype.ts';
import { opOf } from '../core/op-table.ts';
import type { Op } from '../core/op.ts';
import { operandMetas, resolveDims, type Operand, type ProgramInstruction } from '../core/program.ts';
import { bytesOf, showShape, type Meta } from '../core/shape.ts';
import type { Target } from '../core/target.ts';

/** @throws {FormatError} */
export function refuse(why: string, cause?: unknown): never {
  throw new FormatError(`Cannot load the program: ${why}. Compile it again.`, { path: '(program)', cause });
}

/**
 * The operator's rules must give the shapes, types and scratch that the bytes say, for the largest bounded dimensions:
 * at smaller ones a kernel touches a part of the same memory.
 *
 * @param where the words for messages, such as `of instruction 3 (linear)`
 * @throws {FormatError} naming what does not fit
 */
export function checkInstruction(instruction: ProgramInstruction, dims: readonly number[], target: Target, where: string): void {
  const { op, attrs, inputs, outputs, workspaceBytes } = instruction;
  if ([...inputs, ...outputs].some((operand) => operand.dims.some((dim) => dim < -dims.length))) refuse(`an operand ${where} has a bounded dimension that is not there`);
  const { x, y } = operandMetas(instruction, dims);
  const rules = opOf(op);
  if (rules.kind !== 'primitive' && rules.kind !== 'named') refuse(`there can be no instruction "${op}"`);
  let found: readonly Meta[], again: readonly number[], scratch: number;
  try {
    const decoded = rules.attrs.decode(attrs, x, y);
    found = rules.infer(decoded, x);
    again = rules.attrs.encode(decoded);
    scratch = rules.workspace?.(decoded, x, y, target) ?? 0;
  } catch (cause) { // decoders of attributes trust their numbers: whatever they stumble over is damage
    return refuse(`the operands ${where} do not fit it (${(cause as Error).message})`, cause);
  }
  if (again.length !== attrs.length || !again.every((value, i) => Object.is(value, attrs[i]))) refuse(`the immediates ${where} are none that a compiler writes`);
  const show = (metas: readonly Meta[]): string => metas.map(({ shape, dtype }) => `${dtype}${showShape(shape)}`).join(', ');
  const fits = (result: Meta, i: number): boolean => outputs[i]?.space === 'none' || (y[i] !== undefined && sameSizes(result, y[i]) && canHold(rules, i, result, y[i]));
  if (found.length !== y.length || !found.every(fits)) refuse(`the results ${where} are ${show(found)}, and its bytes say ${show(y)}`);
  x.forEach((given, i) => given === null || isComputed(given) || (rules.blocks?.includes(i) && isBlockFormat(given.dtype)) || refuse(`operand ${i} ${where} is ${given.dtype}, which it cannot read`));
  if (workspaceBytes < scratch) refuse(`the scratch ${where} has ${workspaceBytes} bytes, and it needs ${scratch}`);
  checkOverlaps(instruction, dims, rules, where);
}

/** Types that kernels compute with. */
const isComputed = ({ dtype }: Meta): boolean => dtype === 'f32' || dtype === 'bf16' || dtype === 'i32';

const sameSizes = (a: Meta, b: Meta): boolean => a.shape.length === b.shape.length && a.shape.every((dim, i) => dim === b.shape[i]);

/** Whether output i may be stored in that type: the inferred one, or another floating type where the kernel converts. */
function canHold(rules: Op<unknown>, i: number, inferred: Meta, stored: Meta): boolean {
  if (inferred.dtype === stored.dtype) return isComputed(stored) || (stored.dtype === 'u8' && rules.bytesOut?.includes(i) === true);
  return rules.castable?.includes(i) === true && inferred.dtype !== 'i32' && (stored.dtype === 'f32' || stored.dtype === 'bf16');
}

interface Range {
  readonly place: string;
  readonly begin: number;
  readonly end: number;
}

/**
 * Scratch apart from all operands, and integers (row numbers, offsets) apart from what is written: a kernel checks them
 * once and counts on them then. The rest may overlap; a program that makes it do so by mistake computes nonsense, no more.
 */
function checkOverlaps({ inputs, outputs, workspaceOffset, workspaceBytes }: ProgramInstruction, dims: readonly number[], rules: Op<unknown>, where: string): void {
  const rangeOf = (operand: Operand): Range => {
    const shape = resolveDims(operand, dims), [rows = 1] = shape, row = shape.slice(1).reduce((n, dim) => n * dim, 1);
    const elements = rows * row === 0 ? 0 : (rows - 1) * operand.stride0 + row;
    return { place: operand.space === 'arena' ? 'arena' : `${operand.space} ${operand.index}`, begin: operand.byteOffset, end: operand.byteOffset + bytesOf({ shape: [elements], dtype: operand.dtype }) };
  };
  const meet = (a: Range, b: Range): boolean => a.place === b.place && a.begin < b.end && b.begin < a.end;
  const scratch: Range = { place: 'arena', begin: workspaceOffset, end: workspaceOffset + workspaceBytes };
  const written = outputs.filter(({ space }) => space !== 'none').map(rangeOf);
  inputs.forEach((operand, i) => {
    if (operand.space === 'none') return;
    const range = rangeOf(operand);
    if (meet(range, scratch)) refuse(`the scratch ${where} lies in its operand ${i}`);
    if (operand.dtype !== 'i32' || rules.reuse?.some(([input]) => input === i)) return;
    if (written.some((output) => meet(output, range))) refuse(`a result ${where} would overwrite its operand ${i}, which it counts on`);
  });
  if (written.some((output) => meet(output, scratch))) refuse(`the scratch ${where} lies in a result`);
}
