import fc from 'fast-check';
import { expect, test } from 'vitest';
import { parseJson, repeatedKey } from '../../src/base/checked-json.ts';

test('repeatedKey() finds none in what JSON.stringify writes', () => {
  fc.assert(fc.property(fc.jsonValue(), (value) => {
    expect(repeatedKey(JSON.stringify(value, null, 1))).toBeUndefined();
  }), { numRuns: 1000, seed: 10 });
});

test('repeatedKey() sees through escapes, braces in strings and depth', () => {
  expect(repeatedKey('{"a":{"b":["{\\"a\\":1}",{"a":1}]},"c":"a","b":1}')).toBeUndefined();
  expect(repeatedKey('{"x":[{"a" : 1, "\\u0061":2}]}')).toBe('a');
  expect(repeatedKey('{"__proto__":1,"__proto__":2}')).toBe('__proto__');
  expect(repeatedKey(`${'['.repeat(100_000)}${']'.repeat(100_000)}`)).toBeUndefined();
  expect(repeatedKey(`{"a":"${'x'.repeat(20_000_000)}","a":1}`)).toBe('a');
});

test('field() does not see what an object inherits', () => {
  expect(parseJson('{}', 'f').field('constructor').isNull).toBe(true);
  expect(parseJson('{"__proto__":{"a":1}}', 'f').field('a').isNull).toBe(true);
});
