// A state in float64, with the view in its own dtype that callers read and write. Layer: backends.

import { DTYPE_BYTES, isBlockFormat, type DType } from '../../core/dtype.ts';
import type { Meta } from '../../core/shape.ts';
import type { TypedArray } from '../executor.ts';
import { ARRAYS } from '../run-arguments.ts';
import { allocateCells, type Region } from './memory.ts';
import { numberOf, numbersOf, store, storedOf } from './storage.ts';

/**
 * Runs compute on `cells`; callers see `view`. An element of the view that nobody touched keeps its float64 value from
 * run to run, so that an oracle's training does not lose digits by being looked at.
 */
export class StateMemory implements Region {
  readonly meta: Meta;
  readonly bytes: number;
  readonly unit: number;
  readonly cells: Float64Array;
  readonly view: TypedArray;

  constructor(meta: Meta, bytes: number) {
    const { dtype } = meta;
    this.meta = meta;
    this.bytes = bytes;
    this.unit = DTYPE_BYTES[dtype];
    this.cells = allocateCells(bytes / this.unit);
    this.view = new ARRAYS[dtype](isBlockFormat(dtype) ? bytes : bytes / this.unit);
  }

  get dtype(): DType {
    return this.meta.dtype;
  }

  /** Bytes of the process's memory that it takes. */
  get allocated(): number {
    return this.cells.byteLength + this.view.byteLength;
  }

  /** Takes over what callers wrote into the view. */
  refresh(): void {
    const { dtype } = this;
    if (isBlockFormat(dtype)) return void this.cells.set(numbersOf(dtype, this.view));
    for (let i = 0; i < this.cells.length; i++) {
      const stored = this.view[i]!;
      if (!Object.is(storedOf(dtype, this.cells[i]!), stored)) this.cells[i] = numberOf(dtype, stored);
    }
  }

  /** Shows the float64 values in the view. */
  publish(): void {
    const { dtype } = this;
    if (!isBlockFormat(dtype)) store(dtype, this.cells, this.view); // no operator writes block formats
  }
}
