// Memory of the reference backend: float64 cells under the byte addresses of a program. Layer: backends.
// A cell stands for `unit` bytes, the smallest element that a program has, so that any two elements that share a byte
// on the native core share a cell here, and an offset that the planner got wrong shows.

import { totalmem } from 'node:os';
import { CapacityError, FormatError } from '../../base/errors.ts';
import { DTYPE_BYTES, type DType } from '../../core/dtype.ts';
import type { NDArray } from '../../core/ndarray.ts';
import type { Operand } from '../../core/program.ts';

/** A piece of memory that operands lie in. */
export interface Region {
  readonly cells: Float64Array;
  /** Bytes that a cell stands for. */
  readonly unit: number;
}

/** Cells of zeros. @throws {CapacityError} if the machine does not have the memory */
export function allocateCells(count: number): Float64Array {
  const need = count * Float64Array.BYTES_PER_ELEMENT, have = totalmem();
  try {
    if (need <= have) return new Float64Array(count);
  } catch { // the allocator says no: said below
  }
  throw new CapacityError(`Cannot load the program: the reference backend needs ${need} bytes for it, and the machine has ${have}. Use the native core, or a smaller model or batch.`, { need, have });
}

/** Elements from one row of the first axis to the next, were they contiguous. */
const rowOf = (shape: readonly number[]): number => shape.slice(1).reduce((n, dim) => n * dim, 1);

/** Calls `visit` with the cell of each element in row-major order. */
function forEachCell(operand: Operand, shape: readonly number[], unit: number, visit: (cell: number, flat: number) => void): void {
  const step = DTYPE_BYTES[operand.dtype] / unit, start = operand.byteOffset / unit;
  const row = rowOf(shape), rows = shape[0] ?? 1;
  for (let i = 0, flat = 0; i < rows; i++) {
    for (let j = 0; j < row; j++, flat++) visit(start + (i * operand.stride0 + j) * step, flat);
  }
}

/** The operand's values, in a contiguous copy. */
export function readOperand(region: Region, operand: Operand, shape: readonly number[]): NDArray {
  const data = new Float64Array((shape[0] ?? 1) * rowOf(shape));
  forEachCell(operand, shape, region.unit, (cell, flat) => {
    data[flat] = region.cells[cell]!;
  });
  return { shape, data };
}

/** Writes a value where the operand lies. What else its bytes held is lost: it reads as NaN from now on. */
export function writeOperand(region: Region, operand: Operand, { shape, data }: NDArray): void {
  const cellsEach = DTYPE_BYTES[operand.dtype] / region.unit;
  forEachCell(operand, shape, region.unit, (cell, flat) => {
    region.cells[cell] = data[flat]!;
    for (let k = 1; k < cellsEach; k++) region.cells[cell + k] = NaN;
  });
}

/** Makes bytes unreadable: whoever still counts on a value there gets NaN. */
export function scribble({ cells, unit }: Region, byteOffset: number, bytes: number): void {
  cells.fill(NaN, Math.floor(byteOffset / unit), Math.ceil((byteOffset + bytes) / unit));
}

/** @throws {FormatError} if the operand, of this shape, does not lie within `bytes` of memory on element boundaries */
export function checkOperand(operand: Operand, shape: readonly number[], bytes: number, what: string): void {
  const { byteOffset, stride0, dtype } = operand, size = DTYPE_BYTES[dtype as DType], row = rowOf(shape), rows = shape[0] ?? 1;
  const fail = (why: string): never => {
    throw new FormatError(`Cannot load the program: ${what} ${why}. Compile it again.`, { path: '(program)' });
  };
  if (byteOffset % size !== 0) fail(`starts at byte ${byteOffset}, which is no multiple of its ${size}-byte elements`);
  if (rows * row === 0) return;
  if (rows > 1 && stride0 < row) fail(`has rows of ${row} elements that are only ${stride0} apart`);
  const end = byteOffset + ((rows - 1) * stride0 + row) * size;
  if (end > bytes) fail(`ends at byte ${end} of ${bytes}`);
}
