// A state in float64, with the view in its own dtype that callers read and write. Layer: backends.

import { DTYPE_BYTES, isBlockFormat, type DType } from '../../core/dtype.ts';
import type { TypedArray } from '../executor.ts';
import { ARRAYS } from '../run-arguments.ts';
import { allocateCells, type Region } from './memory.ts';
import { numberOf, numbersOf, store, storedOf } from './storage.ts';

/**
 * Runs compute on `cells`; callers see `view`. An element of the view that nobody touched keeps its float64 value from
 * run to run, so that an oracle's training does not lose digits by being looked at.
 */
export class StateMemory implements Region {
  readonly dtype: DType;
  readonly bytes: number;
  readonly unit: number;
  readonly cells: Float64Array;
  readonly view: TypedArray;

  constructor(dtype: DType, bytes: number) {
    this.dtype = dtype;
    this.bytes = bytes;
    this.unit = DTYPE_BYTES[dtype];
    this.cells = allocateCells(bytes / this.unit);
    this.view = new ARRAYS[dtype](isBlockFormat(dtype) ? bytes : bytes / this.unit);
  }

  /** Bytes of the process's memory that it takes. */
  get allocated(): number {
    return this.cells.byteLength + this.view.byteLength;
  }

  /** Takes over what callers wrote into the view. */
  refresh(): void {
    if (isBlockFormat(this.dtype)) return void this.cells.set(numbersOf(this.dtype, this.view));
    for (let i = 0; i < this.cells.length; i++) {
      const stored = this.view[i]!;
      if (!Object.is(storedOf(this.dtype, this.cells[i]!), stored)) this.cells[i] = numberOf(this.dtype, stored);
    }
  }

  /** Shows the float64 values in the view. */
  publish(): void {
    if (isBlockFormat(this.dtype)) return; // no operator writes block formats
    store(this.dtype, this.cells, this.view);
  }
}
