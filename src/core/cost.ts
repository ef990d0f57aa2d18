// What an instruction does at the sizes, and on the integers, of one run; the plan counts at the largest sizes. Layer: core.

import { bytesMoved } from './bytes-moved.ts';
import { opOf } from './op-table.ts';
import type { Known } from './op.ts';
import { operandMetas, resolveDims, type DecodedProgram, type Operand, type ProgramInstruction } from './program.ts';
import { isBlockFormat, type DType } from './dtype.ts';
import { sizeOf } from './shape.ts';

/** Floating point operations, and bytes that must be read and written. */
export interface Work {
  readonly flops: number;
  readonly bytes: number;
}

/** Where an instruction's element type is named after one operand: blocks that it reads, or the largest that it reads, else writes. */
export function mainType({ inputs, outputs }: ProgramInstruction, dims: readonly number[]): DType {
  const numbers = (inputs.length > 0 ? inputs : outputs).filter(({ space, dtype }) => space !== 'none' && dtype !== 'i32');
  const blocks = inputs.find(({ dtype }) => isBlockFormat(dtype)), size = (operand: Operand): number => sizeOf(resolveDims(operand, dims));
  if (blocks !== undefined) return blocks.dtype;
  return numbers.reduce<Operand | undefined>((best, one) => (best === undefined || size(one) > size(best) ? one : best), undefined)?.dtype ?? outputs[0]!.dtype;
}

/** The work of a program's instructions, run after run. What depends on sizes alone is counted once for each size. */
export class WorkCounter {
  readonly #program: DecodedProgram;
  readonly #bySize = new Map<string, readonly Instruction[]>();

  constructor(program: DecodedProgram) {
    this.#program = program;
  }

  /**
   * @param dims the run's bounded dimensions, in the program's order
   * @param inputs the run's inputs, in the program's order
   */
  count(dims: readonly number[], inputs: readonly ArrayLike<number>[]): Work[] {
    const key = dims.join(), known = this.#bySize.get(key);
    const instructions = known ?? this.#program.instructions.map((one) => resolve(one, dims));
    if (known === undefined) this.#bySize.set(key, instructions);
    return instructions.map(({ work, of, reads }) => {
      if (reads.every((index) => index === undefined)) return work;
      return of(reads.map((index) => (index === undefined ? null : inputs[index]!)));
    });
  }
}

interface Instruction {
  /** As far as sizes tell. */
  readonly work: Work;
  readonly of: (known: Known) => Work;
  /** For each operand the run's input that it is, where that is a whole one of integers. */
  readonly reads: readonly (number | undefined)[];
}

function resolve(instruction: ProgramInstruction, dims: readonly number[]): Instruction {
  const { op, attrs, inputs } = instruction, { x, y } = operandMetas(instruction, dims);
  const rules = opOf(op), values = rules.attrs.decode(attrs, x, y);
  const of = (known?: Known): Work => ({ flops: rules.flops(values, x, y, known), bytes: bytesMoved(op, values, x, y, known) });
  return { work: of(), of, reads: inputs.map(({ space, dtype, index, byteOffset }) => (space === 'input' && dtype === 'i32' && byteOffset === 0 ? index : undefined)) };
}
