// Checks of a program before the reference backend runs it. Layer: backends.
// After them every operand lies in its memory and has the shape that its operator's rules give.

import { FormatError } from '../../base/errors.ts';
import { DTYPE_BYTES } from '../../core/dtype.ts';
import { opOf } from '../../core/op-table.ts';
import { resolveDims, type DecodedProgram, type Operand, type ProgramInstruction } from '../../core/program.ts';
import { showShape, type Meta } from '../../core/shape.ts';
import type { ExecutableProgram } from '../executor.ts';
import { checkOperand } from './memory.ts';

function refuse(why: string, cause?: unknown): never {
  throw new FormatError(`Cannot load the program: ${why}. Compile it again.`, { path: '(program)', cause });
}

/** @throws {FormatError} if the tables do not fit the names, an operand its memory, or an instruction its operator */
export function checkProgram(decoded: DecodedProgram, program: ExecutableProgram): void {
  const counts = (of: { inputs: object; outputs: object; dims: object; states: object }): string =>
    (['inputs', 'outputs', 'dims', 'states'] as const).map((table) => `${Object.keys(of[table]).length} ${table}`).join(', ');
  if (counts(decoded) !== counts(program)) refuse(`it names ${counts(program)}, and its bytes have ${counts(decoded)}`);
  program.states.forEach(({ id }, i) => decoded.states[i]!.id === id || refuse(`its state ${i} is "${decoded.states[i]!.id}", not "${id}"`));
  const memory = { none: [0], arena: [decoded.arenaBytes], input: decoded.inputs.map((operand) => bytesOf(operand, decoded.dims)), state: decoded.states.map(({ bytes }) => bytes) };
  const check = (operand: Operand, what: string): void => {
    if (operand.space === 'none') return;
    const bytes = memory[operand.space][operand.index], shape = resolveDims(operand, decoded.dims);
    if (bytes === undefined) refuse(`${what} lies in ${operand.space} ${operand.index}, which is not there`);
    if (shape.includes(undefined as never)) refuse(`${what} has a bounded dimension that is not there`);
    checkOperand(operand, shape, bytes, what);
  };
  decoded.inputs.forEach((operand, i) => check(operand, `input ${i}`));
  decoded.outputs.forEach((operand, i) => check(operand, `output ${i}`));
  decoded.instructions.forEach((instruction, i) => {
    const { op, inputs, outputs, workspaceOffset, workspaceBytes } = instruction, where = `of instruction ${i} (${op})`;
    inputs.forEach((operand, k) => check(operand, `operand ${k} ${where}`));
    outputs.forEach((operand, k) => check(operand, `result ${k} ${where}`));
    if (workspaceOffset + workspaceBytes > decoded.arenaBytes) refuse(`the workspace ${where} ends outside the arena`);
    checkRules(instruction, decoded.dims, where);
  });
}

function bytesOf(operand: Operand, dims: readonly number[]): number {
  return resolveDims(operand, dims).reduce((n, dim) => n * dim, DTYPE_BYTES[operand.dtype]);
}

/** The operator's own rule must give the shapes that the bytes say. */
function checkRules({ op, attrs, inputs, outputs }: ProgramInstruction, dims: readonly number[], where: string): void {
  const meta = (operand: Operand): Meta => ({ shape: resolveDims(operand, dims), dtype: operand.dtype });
  const x = inputs.map((operand) => (operand.space === 'none' ? null : meta(operand))), y = outputs.map(meta);
  const rules = opOf(op);
  if (rules.kind !== 'primitive' && rules.kind !== 'named') refuse(`there can be no instruction "${op}"`);
  let found: readonly Meta[], again: readonly number[];
  try {
    const decoded = rules.attrs.decode(attrs, x, y);
    found = rules.infer(decoded, x);
    again = rules.attrs.encode(decoded);
  } catch (cause) { // decoders of attributes trust their numbers: whatever they stumble over is damage
    return refuse(`the operands ${where} do not fit it (${(cause as Error).message})`, cause);
  }
  if (again.length !== attrs.length || !again.every((value, i) => Object.is(value, attrs[i]))) refuse(`the immediates ${where} are none that a compiler writes`);
  const show = (metas: readonly Meta[]): string => metas.map(({ shape }) => showShape(shape)).join(', ');
  const fits = (meta: Meta, i: number): boolean => outputs[i]?.space === 'none' || show([meta]) === (y[i] && show([y[i]]));
  if (found.length !== y.length || !found.every(fits)) refuse(`the results ${where} are ${show(found)}, and its bytes say ${show(y)}`);
}
