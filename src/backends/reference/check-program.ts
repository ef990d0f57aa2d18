// Checks of a program before the reference backend runs it. Layer: backends.
// After them every operand lies in its memory and has the shape that its operator's rules give.

import { DTYPE_BYTES } from '../../core/dtype.ts';
import { resolveDims, type DecodedProgram, type Operand } from '../../core/program.ts';
import { REFERENCE_TARGET } from '../../core/target.ts';
import { checkInstruction, refuse } from '../check-instruction.ts';
import type { ExecutableProgram } from '../executor.ts';
import { checkOperand } from './memory.ts';

/** @throws {FormatError} if the tables do not fit the names, an operand its memory, or an instruction its operator */
export function checkProgram(decoded: DecodedProgram, program: ExecutableProgram): void {
  const counts = (of: { inputs: object; outputs: object; dims: object; states: object }): string => (['inputs', 'outputs', 'dims', 'states'] as const).map((table) => `${Object.keys(of[table]).length} ${table}`).join(', ');
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
    checkInstruction(instruction, decoded.dims, REFERENCE_TARGET, where);
  });
}

function bytesOf(operand: Operand, dims: readonly number[]): number {
  return resolveDims(operand, dims).reduce((n, dim) => n * dim, DTYPE_BYTES[operand.dtype]);
}
