import { describe, expect, it } from 'vitest';
import { decodeProgram, encodeProgram, type DecodedProgram, type Operand } from '../../src/core/index.ts';

const operand: Operand = { space: 'arena', dtype: 'f32', index: 0, byteOffset: 64, stride0: -3, dims: [-1, 5] };

/** A program of many instructions: larger than the first buffer of the writer. */
function program(nInstructions: number): DecodedProgram {
  return {
    arenaBytes: 2 ** 40,
    dims: [7],
    inputs: [{ ...operand, space: 'input' }],
    states: [{ id: '权重.0', bytes: 12 }, { id: '', bytes: 4 }],
    outputs: [operand],
    instructions: Array.from({ length: nInstructions }, (_, i) => ({
      op: 'fill',
      commits: i % 2 === 1,
      attrs: [i, -Infinity, -0],
      workspaceOffset: i,
      workspaceBytes: 2 ** 33,
      inputs: [],
      outputs: [operand],
    })),
  };
}

describe('encodeProgram()', () => {
  it.each([0, 1, 3000])('is undone by decodeProgram(): %i instructions', (n) => {
    expect(decodeProgram(encodeProgram(program(n)))).toEqual(program(n));
  });

  it('holds operators of more than 255 operands', () => {
    const base = program(1), many = Array.from({ length: 300 }, (_, i) => ({ ...operand, index: i }));
    const large: DecodedProgram = { ...base, instructions: [{ ...base.instructions[0]!, op: 'globalNorm', inputs: many, outputs: many }] };
    expect(decodeProgram(encodeProgram(large))).toEqual(large);
  });
});

describe('decodeProgram()', () => {
  const bytes = encodeProgram(program(2));

  it('refuses every truncation', () => {
    for (let n = 0; n < bytes.length; n++) expect(() => decodeProgram(bytes.subarray(0, n)), String(n)).toThrow(/Cannot decode the program/);
  });

  it('refuses another table of operators', () => {
    const other = bytes.slice();
    other[8]! ^= 1;
    expect(() => decodeProgram(other)).toThrow(/another table of operators/);
  });

  it('never throws anything but a FormatError on damaged bytes', () => {
    for (let i = 0; i < bytes.length; i++) {
      const damaged = bytes.slice();
      damaged[i] = 255;
      try {
        decodeProgram(damaged);
      } catch (error) {
        expect((error as Error).name).toBe('FormatError');
      }
    }
  });
});
