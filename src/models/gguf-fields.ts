// What a GGUF file says, by key, and what is written. Layer: models.

import { FormatError } from '../base/errors.ts';
import type { GgufHeader, GgufValue } from './gguf.ts';
import type { GgufEntry } from './gguf-write.ts';

/** What a file says, by key. */
export class GgufFields {
  readonly path: string;
  readonly header: GgufHeader;

  constructor(header: GgufHeader, path: string) {
    this.header = header;
    this.path = path;
  }

  /** llama.cpp's word for the family, which its keys begin with. */
  get architecture(): string {
    return this.string('general.architecture') ?? '';
  }

  error(state: string): FormatError {
    return new FormatError(`Cannot read "${this.path}": ${state}.`, { path: this.path });
  }

  has(key: string): boolean {
    return this.header.metadata.has(key);
  }

  value(key: string): GgufValue | undefined {
    return this.header.metadata.get(key);
  }

  string(key: string): string | undefined {
    const value = this.value(key);
    if (value === undefined || typeof value === 'string') return value;
    throw this.error(`"${key}" should be a string, but is ${shown(value)}`);
  }

  /** A number, as short as it is written: an f32 of 1e-5 is 1e-5 here. */
  number(key: string): number | undefined {
    const value = this.value(key);
    if (value === undefined) return undefined;
    if (typeof value !== 'number') throw this.error(`"${key}" should be a number, but is ${shown(value)}; a different one for each layer is not supported`);
    return Number.isInteger(value) || Math.fround(value) !== value ? value : shortest(value);
  }

  needed(key: string): number {
    const value = this.number(key);
    if (value === undefined) throw this.error(`it has no "${key}"`);
    return value;
  }

  /** @throws {FormatError} if the key is there with another value */
  only(key: string, allowed: GgufValue): void {
    const value = this.value(key);
    if (value !== undefined && value !== allowed) throw this.error(`"${key}" is ${shown(value)}, but only ${shown(allowed)} is supported`);
  }
}

function shown(value: GgufValue): string {
  return typeof value === 'object' ? `an array of ${value.length}` : JSON.stringify(typeof value === 'bigint' ? String(value) : value);
}

/** The shortest decimal that rounds to the same f32. */
export function shortest(value: number): number {
  for (let digits = 1; digits < 9; digits++) {
    const short = Number(value.toPrecision(digits));
    if (Math.fround(short) === value) return short;
  }
  return value;
}

export const whole = (key: string, value: number): GgufEntry => ({ key, type: 'u32', value });
export const real = (key: string, value: number): GgufEntry => ({ key, type: 'f32', value });
export const text = (key: string, value: string): GgufEntry => ({ key, type: 'string', value });

/** Rows of the embedding: the vocabulary, whatever the metadata says. */
export function vocabulary(fields: GgufFields): number {
  const table = fields.header.tensors.get('token_embd.weight');
  if (table === undefined) throw fields.error('it has no tensor "token_embd.weight"');
  return table.shape[0]!;
}
