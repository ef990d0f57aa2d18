// GGUF headers: what is written is read, and every lie is named with its offset.

import { describe, expect, it } from 'vitest';
import { FormatError } from '../../src/base/errors.ts';
import { formatGguf, parseGguf, type GgufEntry, type GgufHeader } from '../../src/models/index.ts';

function parse(bytes: Uint8Array): GgufHeader {
  return parseGguf({ path: 'x.gguf', size: bytes.length, read: (out, at) => {
    if (at + out.length > bytes.length) throw new RangeError('read past the end');
    out.set(bytes.subarray(at, at + out.length));
  } });
}

function refusal(bytes: Uint8Array): FormatError {
  try {
    parse(bytes);
  } catch (error) {
    expect(error).toBeInstanceOf(FormatError);
    return error as FormatError;
  }
  throw new Error('it was read');
}

const ENTRIES: GgufEntry[] = [
  { key: 'u8', type: 'u8', value: 200 },
  { key: 'i8', type: 'i8', value: -100 },
  { key: 'u16', type: 'u16', value: 60000 },
  { key: 'i16', type: 'i16', value: -30000 },
  { key: 'u32', type: 'u32', value: 4e9 },
  { key: 'i32', type: 'i32', value: -2e9 },
  { key: 'f32', type: 'f32', value: 0.5 },
  { key: 'bool', type: 'bool', value: true },
  { key: 'string', type: 'string', value: 'Ärger 漢字 🙂' },
  { key: 'u64', type: 'u64', value: 2 ** 53 - 1 },
  { key: 'wide', type: 'u64', value: 2n ** 63n },
  { key: 'i64', type: 'i64', value: -5 },
  { key: 'f64', type: 'f64', value: Math.PI },
  { key: 'strings', items: 'string', value: ['a', '', 'ç'] },
  { key: 'ints', items: 'i32', value: [1, -2, 3] },
  { key: 'flags', items: 'bool', value: [true, false] },
  { key: 'none', items: 'f64', value: [] },
];
const TENSORS = [{ name: 'a', type: 'f32', shape: [3, 4] }, { name: 'b', type: 'q8_0', shape: [2, 64] }, { name: 'c', type: 'f16', shape: [5] }] as const;

/** A small file: values are zeros. a takes 48 bytes (padded 64), b 136 (160), c 10. */
function file(entries: readonly GgufEntry[] = ENTRIES, tensors: Parameters<typeof formatGguf>[1] = TENSORS): Uint8Array {
  const header = formatGguf(entries, tensors), bytes = new Uint8Array(header.length + 64 + 160 + 10);
  bytes.set(header);
  return bytes;
}

/** Where a text stands, in bytes. */
const placeOf = (bytes: Uint8Array, text: string): number => Buffer.from(bytes).indexOf(text);

describe('parseGguf()', () => {
  it('reads metadata of every type', () => {
    const { metadata, version } = parse(file());
    expect(version).toBe(3);
    expect(Object.fromEntries(metadata)).toEqual({
      u8: 200,
      i8: -100,
      u16: 60000,
      i16: -30000,
      u32: 4e9,
      i32: -2e9,
      f32: 0.5,
      bool: true,
      string: 'Ärger 漢字 🙂',
      u64: 2 ** 53 - 1,
      wide: 2n ** 63n,
      i64: -5,
      f64: Math.PI,
      strings: ['a', '', 'ç'],
      ints: Int32Array.of(1, -2, 3),
      flags: Uint8Array.of(1, 0),
      none: new Float64Array(0),
    });
  });

  it('places tensors with their rows in our order', () => {
    const bytes = file(), start = formatGguf(ENTRIES, TENSORS).length, tensors = [...parse(bytes).tensors.values()];
    expect(tensors).toEqual([
      { name: 'a', type: 'f32', shape: [3, 4], begin: start, end: start + 48 },
      { name: 'b', type: 'q8_0', shape: [2, 64], begin: start + 64, end: start + 200 },
      { name: 'c', type: 'f16', shape: [5], begin: start + 224, end: start + 234 },
    ]);
    expect(start % 32).toBe(0);
  });

  it('reads what gguf-py writes of nested arrays, and no deeper', () => {
    // key "n", array of arrays of u8: [[1], []]
    const nest = (depth: number): number[] => (depth === 0 ? [0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 7] : [9, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, ...nest(depth - 1)]);
    const of = (depth: number): Uint8Array => {
      const head = [...formatGguf([{ key: 'n', type: 'u32', value: 0 }], []).subarray(0, 33)]; // to the end of the key
      const bytes = [...head, 9, 0, 0, 0, ...nest(depth)];
      return Uint8Array.from([...bytes, ...new Array<number>((32 - (bytes.length % 32)) % 32).fill(0)]);
    };
    expect(parse(of(0)).metadata.get('n')).toEqual(Uint8Array.of(7));
    expect(parse(of(1)).metadata.get('n')).toEqual([Uint8Array.of(7)]);
    expect(refusal(of(6)).message).toContain('deeper than 4');
  });

  it('refuses a file cut short anywhere', () => {
    const bytes = file();
    for (let length = 0; length < bytes.length; length++) expect(refusal(bytes.subarray(0, length)).path).toBe('x.gguf');
    parse(bytes);
  });

  it('refuses or reads a file with any one byte changed, and never fails in another way', () => {
    const whole = file(), header = formatGguf(ENTRIES, TENSORS).length;
    let refused = 0;
    for (let at = 0; at < header; at++) {
      for (const change of [1, 0x80, 0xff]) {
        const bytes = Uint8Array.from(whole);
        bytes[at]! ^= change;
        try {
          parse(bytes);
        } catch (error) {
          expect(error).toBeInstanceOf(FormatError);
          refused++;
        }
      }
    }
    expect(refused).toBeGreaterThan(header / 2);
  });

  const at = (place: (bytes: Uint8Array) => number, value: bigint | number, width: 4 | 8 = 8) => (bytes: Uint8Array): void => {
    const view = new DataView(bytes.buffer), where = place(bytes);
    if (width === 8) view.setBigUint64(where, BigInt(value), true);
    else view.setUint32(where, Number(value), true);
  };
  // A tensor's description: name, u32 axes, u64 each, u32 type, u64 offset.
  const inTensor = (name: string, offset: number) => (bytes: Uint8Array): number => bytes.length - 234 - 200 + placeOf(bytes.subarray(bytes.length - 234 - 200), name) + 1 + offset;
  it.each([
    ['another magic', at(() => 0, 1, 4), 'does not begin with "GGUF"', 0],
    ['version 1', at(() => 4, 1, 4), 'version 1', 4],
    ['big-endian', at(() => 4, 0x03000000, 4), 'big-endian', 4],
    ['2⁶³ tensors', at(() => 8, 2n ** 63n), 'more than any file holds', 8],
    ['a billion tensors', at(() => 8, 1e9), 'claims 1000000000 tensors', 8],
    ['a billion metadata values', at(() => 16, 1e9), 'claims 1000000000 metadata values', 16],
    ['a key of 2⁴⁰ bytes', at(() => 24, 2 ** 40), 'needs 1099511627776 bytes', 32],
    ['a list of 2⁴⁰ strings', at((bytes) => placeOf(bytes, 'strings') + 7 + 8, 2 ** 40), 'claims 1099511627776 items', undefined],
    ['an unknown type of value', at((bytes) => placeOf(bytes, 'strings') + 7, 77, 4), 'unknown type 77', undefined],
    ['an unknown type of tensor', at(inTensor('b', 4 + 16), 16, 4), 'IQ2_XXS, which is not supported', undefined],
    ['five axes', at(inTensor('b', 0), 5, 4), '5 axes', undefined],
    ['a shape of 2⁵⁶ values', at(inTensor('b', 12), 2 ** 50), 'passes 2^53 bytes', undefined],
    ['rows that are no whole blocks', at(inTensor('b', 4), 65), 'no multiple of the 32', undefined],
    ['a crooked offset', at(inTensor('b', 4 + 16 + 4), 72), 'no multiple of the alignment', undefined],
    ['an overlap', at(inTensor('b', 4 + 16 + 4), 32), 'tensor "b" overlaps tensor "a"', undefined],
    ['a hole', at(inTensor('b', 4 + 16 + 4), 96), '', undefined],
    ["an end behind the file's", at(inTensor('c', 4 + 8 + 4), 1 << 20), 'cut short', undefined],
  ] as const)('refuses %s', (_name, change, message, offset) => {
    const bytes = file();
    change(bytes);
    const error = refusal(bytes);
    expect(error.message).toContain(message);
    expect(error.offset).toBeTypeOf('number');
    if (offset !== undefined) expect(error.offset).toBe(offset);
  });

  it('refuses a crooked alignment, names and keys that are there twice, and bytes that belong to nothing', () => {
    expect(refusal(file([{ key: 'general.alignment', type: 'u32', value: 24 }])).message).toContain('power of two');
    expect(refusal(file([{ key: 'general.alignment', type: 'string', value: '32' }])).message).toContain('power of two');
    const twice = file(), second = placeOf(twice, 'u16');
    twice.set(Buffer.from('u32'), second);
    expect(refusal(twice).message).toContain('"u32" is there twice');
    const same = file(ENTRIES, [TENSORS[0], { ...TENSORS[1], name: 'A' }, TENSORS[2]]);
    same[inTensor('A', 0)(same) - 1] = 0x61;
    expect(refusal(same).message).toContain('tensor "a" is there twice');
    expect(refusal(Uint8Array.from([...file(), ...new Array<number>(64).fill(0)])).message).toContain('belong to nothing');
  });

  it('takes no more memory than a fixed part and the header for a lie', () => {
    let most = 0;
    const bytes = file(), source = { path: 'x', size: 2 ** 40, read: (out: Uint8Array, from: number) => {
      most = Math.max(most, out.length);
      out.set(bytes.subarray(from, from + out.length));
    } };
    at(() => 24, 2 ** 39)(bytes);
    expect(() => parseGguf(source)).toThrow('passes 100000000 bytes');
    expect(most).toBeLessThan(2 ** 20);
  });
});

describe('formatGguf()', () => {
  it('refuses names that are there twice', () => {
    expect(() => formatGguf([ENTRIES[0]!, ENTRIES[0]!], [])).toThrow('"u8" is there twice');
    expect(() => formatGguf([], [TENSORS[0], TENSORS[0]])).toThrow('"a" is there twice');
  });
});
