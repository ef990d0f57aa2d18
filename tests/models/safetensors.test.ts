// Headers that lie, in every way that could be thought of.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FormatError } from '../../src/base/errors.ts';
import { formatHeader, headerLength, parseHeader, type SafetensorsHeader } from '../../src/models/index.ts';
import { widenBf16, widenF16 } from '../../src/models/narrow-floats.ts';

const encoder = new TextEncoder();

/** Parses a header in front of `dataBytes` bytes. */
function parse(json: string | Uint8Array, dataBytes: number): SafetensorsHeader {
  const bytes = typeof json === 'string' ? encoder.encode(json) : json;
  return parseHeader(bytes, 8 + bytes.length + dataBytes, 'x.safetensors');
}

function failure(run: () => unknown): FormatError {
  try {
    run();
  } catch (error) {
    expect(error).toBeInstanceOf(FormatError);
    return error as FormatError;
  }
  throw new Error('it was accepted');
}

const tensor = (shape: unknown, offsets: unknown, dtype: unknown = 'F32'): string => JSON.stringify({ dtype, shape, data_offsets: offsets });

describe('parseHeader()', () => {
  it('reads tensors in the order of their bytes, and metadata', () => {
    const { tensors, metadata } = parse(`{"b":${tensor([2], [8, 16])},"__metadata__":{"format":"pt","名":"值"},"a":${tensor([], [0, 8], 'F64')},"空":${tensor([0, 5], [16, 16])}}   `, 16);
    expect([...tensors.keys()]).toEqual(['a', 'b', '空']);
    expect(tensors.get('b')).toMatchObject({ dtype: 'F32', shape: [2] });
    expect(tensors.get('b')!.end - tensors.get('b')!.begin).toBe(8);
    expect(metadata.get('名')).toBe('值');
  });

  const a = `"a":${tensor([2], [0, 8])}`, huge = String(2 ** 53);
  it.each<[string, string, number, RegExp]>([
    ['no object', '[]', 0, /does not begin with "\{"/],
    ['spaces before the brace', ' {}', 0, /does not begin/],
    ['no JSON', '{"a":', 0, /not JSON/],
    ['a tensor twice', `{${a},${a}}`, 8, /"a" is given twice/],
    ['a tensor twice, once escaped', `{${a},"\\u0061":${tensor([2], [0, 8])}}`, 8, /"a" is given twice/],
    ['a field twice', '{"a":{"dtype":"F32","dtype":"F16","shape":[2],"data_offsets":[0,8]}}', 8, /"dtype" is given twice/],
    ['__proto__', `{"__proto__":${tensor([2], [0, 8])}}`, 8, /"__proto__"/],
    ['__proto__ inside', `{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8],"__proto__":{}}}`, 8, /unknown field "__proto__"/],
    ['an inherited name as type', `{"a":${tensor([2], [0, 8], 'toString')}}`, 8, /unknown type "toString"/],
    ['an unknown type', `{"a":${tensor([2], [0, 8], 'F31')}}`, 8, /unknown type "F31"/],
    ['a missing type', '{"a":{"shape":[2],"data_offsets":[0,8]}}', 8, /tensor "a" has no dtype/],
    ['a shape that is a number', `{"a":${tensor(2, [0, 8])}}`, 8, /shape of tensor "a" should be an array/],
    ['a negative axis', `{"a":${tensor([-2], [0, 8])}}`, 8, /shape of tensor "a" has -2/],
    ['a broken axis', `{"a":${tensor([1.5], [0, 6])}}`, 6, /shape of tensor "a" has 1\.5/],
    ['an axis of 2^53', `{"a":{"dtype":"U8","shape":[${huge}],"data_offsets":[0,${huge}]}}`, 8, /has 9007199254740992, which is no whole number/],
    ['a product that passes 2^53', `{"a":${tensor([2 ** 30, 2 ** 30], [0, 8])}}`, 8, /passes 2\^53/],
    ['a product that wraps to the right size in 64 bits', `{"a":${tensor([2 ** 32, 2 ** 32, 1], [0, 0], 'U8')}}`, 0, /passes 2\^53/],
    ['offsets that go back', `{"a":${tensor([2], [8, 0])}}`, 8, /before its beginning/],
    ['three offsets', `{"a":${tensor([2], [0, 8, 8])}}`, 8, /3 data_offsets/],
    ['fewer bytes than the shape needs', `{"a":${tensor([3], [0, 8])}}`, 8, /needs 12 bytes, but has 8/],
    ['a tensor past the end', `{"a":${tensor([2], [0, 8])}}`, 7, /cut short/],
    ['overlapping tensors', `{${a},"b":${tensor([2], [4, 12])}}`, 12, /"b" overlaps tensor "a"/],
    ['the same bytes twice', `{${a},"b":${tensor([2], [0, 8])}}`, 8, /overlaps/],
    ['a hole', `{${a},"b":${tensor([2], [12, 20])}}`, 20, /4 bytes between tensor "a" and tensor "b"/],
    ['a hole at the beginning', `{"a":${tensor([2], [4, 12])}}`, 12, /4 bytes between the header and tensor "a"/],
    ['bytes after the end', `{${a}}`, 11, /3 bytes after tensor "a"/],
    ['metadata that is no text', '{"__metadata__":{"n":1}}', 0, /"n" of __metadata__ should be a string/],
    ['a null tensor', '{"a":null}', 0, /tensor "a" should be an object/],
  ])('refuses %s', (_what, json, dataBytes, message) => {
    const error = failure(() => parse(json, dataBytes));
    expect(error.message).toMatch(message);
    expect(error.path).toBe('x.safetensors');
  });

  it('refuses what is not UTF-8', () => {
    expect(failure(() => parse(Uint8Array.from([0x7b, 0x22, 0xff, 0x22, 0x7d]), 0)).message).toMatch(/not UTF-8/);
  });

  it('says where a tensor that lies is described', () => {
    const json = `{${a},"b":${tensor([3], [8, 16])}}`;
    expect(failure(() => parse(json, 16)).offset).toBe(8 + json.indexOf('"b":') + 4);
  });

  it('never throws anything but a FormatError, whatever the bytes', () => {
    const valid = `{${a},"b":${tensor([1, 2], [8, 12], 'F16')}}`;
    fc.assert(fc.property(fc.array(fc.tuple(fc.nat(valid.length - 1), fc.integer({ min: 0, max: 255 })), { maxLength: 4 }), fc.nat(20), (changes, dataBytes) => {
      const bytes = encoder.encode(valid);
      for (const [at, value] of changes) bytes[at] = value;
      try {
        for (const { begin, end } of parse(bytes, dataBytes).tensors.values()) expect(end <= 8 + bytes.length + dataBytes && begin <= end).toBe(true);
      } catch (error) {
        expect(error).toBeInstanceOf(FormatError);
      }
    }), { numRuns: 2000, seed: 5 });
  });
});

describe('headerLength()', () => {
  const prefix = (length: bigint): Uint8Array => {
    const bytes = new Uint8Array(8);
    new DataView(bytes.buffer).setBigUint64(0, length, true);
    return bytes;
  };
  it('reads little-endian', () => expect(headerLength(prefix(0x102n), 1000, 'x')).toBe(0x102));
  it.each<[string, Uint8Array, number, RegExp]>([
    ['an empty file', new Uint8Array(0), 0, /0 bytes, fewer than the eight/],
    ['a file of seven bytes', new Uint8Array(7), 7, /7 bytes/],
    ['a header longer than the file', prefix(1000n), 100, /claims 1000 bytes, but the file has 100/],
    ['a header of 2^64 − 1', prefix(2n ** 64n - 1n), 100, /claims/],
    ['a header of more than 100 MB', prefix(200_000_000n), 1e9, /more than 100000000 are not read/],
  ])('refuses %s', (_what, bytes, size, message) => expect(failure(() => headerLength(bytes, size, 'x')).message).toMatch(message));
});

describe('formatHeader()', () => {
  it('is read back by parseHeader(), values at multiples of eight', () => {
    fc.assert(fc.property(fc.uniqueArray(fc.string({ unit: 'grapheme' }).filter((name) => !name.startsWith('__')), { maxLength: 6 }), fc.array(fc.array(fc.nat(4), { maxLength: 3 }), { minLength: 6, maxLength: 6 }), (names, shapes) => {
      const tensors = names.map((name, i) => ({ name, dtype: (['F32', 'BF16', 'U8'] as const)[i % 3]!, shape: shapes[i]! }));
      const header = formatHeader(tensors, { format: 'pt' }), length = headerLength(header, 1e6, 'x');
      expect(header.length).toBe(8 + length);
      expect(header.length % 8).toBe(0);
      const sizes = tensors.map(({ dtype, shape }) => shape.reduce((n, dim) => n * dim, { F32: 4, BF16: 2, U8: 1 }[dtype]));
      const { tensors: read } = parseHeader(header.subarray(8), header.length + sizes.reduce((x, y) => x + y, 0), 'x');
      let begin = header.length;
      tensors.forEach(({ name, dtype, shape }, i) => {
        expect(read.get(name)).toEqual({ name, dtype, shape, begin, end: begin + sizes[i]! });
        begin += sizes[i]!;
      });
    }), { numRuns: 200, seed: 7 });
  });
});

describe('widening', () => {
  it('widenBf16() is the upper half of an f32', () => {
    const out = new Float32Array(5);
    widenBf16(Uint16Array.from([0x3f80, 0xc049, 0x7f80, 0x0001, 0x8000]), out);
    expect([...out]).toEqual([1, -3.140625, Infinity, 2 ** -133, -0]);
  });

  it('widenF16() is exact for normal, subnormal and special values', () => {
    const out = new Float32Array(8);
    widenF16(Uint16Array.from([0x3c00, 0xc248, 0x7bff, 0x0001, 0x03ff, 0x8000, 0xfc00, 0x7e00]), out);
    expect([...out]).toEqual([1, -3.140625, 65504, 2 ** -24, 1023 * 2 ** -24, -0, -Infinity, NaN]);
  });
});
