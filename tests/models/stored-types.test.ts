// Every type of a safetensors file against PyTorch (tests/golden/safetensors), through a mapping and without one.

import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { WeightFile } from '../../src/models/weight-files.ts';

const path = new URL('../golden/safetensors/types.safetensors', import.meta.url).pathname;
const golden = JSON.parse(readFileSync(new URL('../golden/safetensors/expected.json', import.meta.url), 'utf8')) as { values: Record<string, (number | string | null)[]> };
const mapFile = (file: string): Uint8Array => new Uint8Array(readFileSync(file));

describe.each([['read', undefined], ['mapped', mapFile]] as const)('WeightFile.readF32() of what is %s', (_how, map) => {
  it.each(Object.keys(golden.values))('gives the values of %s that PyTorch gives', (dtype) => {
    const file = new WeightFile(path, map), tensor = file.tensors.get(dtype)!, expected = golden.values[dtype]!.map((value) => (value === null ? Number.NaN : Number(value)));
    const values = new Float32Array(expected.length);
    file.readF32(tensor, values);
    file.close();
    expect(tensor.dtype).toBe(dtype);
    expect([...values]).toEqual(expected);
  });
});
