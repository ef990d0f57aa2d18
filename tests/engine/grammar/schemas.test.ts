// JSON Schemas as constraints: walks by masks are valid by a second validator; what is not supported is named.

import { Ajv, type ValidateFunction } from 'ajv';
import { Ajv2020 } from 'ajv/dist/2020.js';
import formats from 'ajv-formats';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { Random } from '../../../src/base/random.ts';
import { compileSchema, type SchemaOptions } from '../../../src/engine/grammar/index.ts';
import { smallVocabulary, takes, walk } from './walks.ts';

const vocabulary = smallVocabulary();
const addFormats = formats as unknown as (ajv: Ajv) => void;

function validator(schema: unknown, draft: '7' | '2020-12', documents: Readonly<Record<string, unknown>> = {}): ValidateFunction | undefined {
  const ajv = new (draft === '7' ? Ajv : Ajv2020)({ strict: false, logger: false, multipleOfPrecision: 6 });
  addFormats(ajv as unknown as Ajv);
  try {
    for (const [uri, document] of Object.entries(documents)) ajv.addSchema(document as object, uri);
    return ajv.compile(schema as object | boolean);
  } catch {
    return undefined; // it does not know the schema's own references
  }
}

/** Some walks of each style; all have to be valid. */
function checkWalks(schema: unknown, { rounds = 4, ...options }: SchemaOptions & { rounds?: number } = {}): string[] {
  const grammar = compileSchema(schema, vocabulary, options), validate = validator(schema, options.draft ?? '2020-12')!, random = new Random(11, JSON.stringify(schema)), texts: string[] = [];
  for (let n = 0; n < rounds; n++) {
    const { text } = walk(grammar, vocabulary, random, { style: n % 2 === 0 ? 'random' : 'nesting' });
    expect([text, validate(JSON.parse(text)), validate.errors]).toEqual([text, true, null]);
    texts.push(text);
  }
  return texts;
}

const PERSON = { type: 'object', properties: { name: { type: 'string', minLength: 1 }, age: { type: 'integer', minimum: 0, maximum: 150 }, tags: { type: 'array', items: { enum: ['a', '中', 'c'] }, uniqueItems: true } }, required: ['name'], additionalProperties: false };
const SCHEMAS: Record<string, unknown> = {
  object: PERSON,
  tree: { type: 'object', properties: { value: { type: 'number' }, children: { type: 'array', items: { $ref: '#' } } }, required: ['value', 'children'] },
  mutual: { $ref: '#/$defs/a', $defs: { a: { type: 'array', items: { $ref: '#/$defs/b' } }, b: { type: 'object', additionalProperties: { $ref: '#/$defs/a' } } } },
  kinds: { oneOf: ['circle', 'square', 'line'].map((kind) => ({ type: 'object', properties: { kind: { const: kind }, size: { exclusiveMinimum: 0, type: 'number' } }, required: ['kind', 'size'] })) },
  'text that is no word': { type: 'string', not: { enum: ['a', 'ab'] }, maxLength: 3 },
  'pattern and length': { type: 'string', pattern: '^[a-c]+$', minLength: 2, maxLength: 5 },
  'all together': { allOf: [{ type: 'object', required: ['x'], properties: { x: { minimum: 3 } } }, { properties: { x: { type: 'integer', maximum: 5 } } }] },
  // As text: an object with the key "then" is a trap for promises.
  conditions: JSON.parse('{"type":"object","properties":{"a":{"type":"boolean"},"b":{"type":"string"}},"required":["a"],"if":{"properties":{"a":{"const":true}}},"then":{"required":["b"]},"else":{"properties":{"b":false}}}'),
  dependent: { type: 'object', properties: { a: { type: 'null' }, b: { type: 'null' } }, dependentRequired: { a: ['b'] } },
  contains: { type: 'array', contains: { const: 7 }, minContains: 2, maxContains: 3, items: { type: 'integer' }, maxItems: 6 },
  names: { type: 'object', propertyNames: { pattern: '^[ab]+$' }, minProperties: 2, maxProperties: 4, additionalProperties: { type: 'boolean' } },
  patterns: { type: 'object', patternProperties: { '^n_': { type: 'number' }, _s$: { type: 'string' } }, additionalProperties: false },
  unevaluated: { type: 'object', allOf: [{ properties: { a: { type: 'string' } } }], properties: { b: { type: 'integer' } }, unevaluatedProperties: false, minProperties: 1 },
  tuple: { type: 'array', prefixItems: [{ type: 'string' }, { type: 'integer' }], items: false, minItems: 2 },
  'any value': true,
  'mixed enum': { enum: [1, 'one', null, { a: [1, 2] }, true] },
  'escaped names': { type: 'object', properties: { 'a"b\\\n中': { type: 'null' } }, required: ['a"b\\\n中'] },
};

describe('compileSchema()', () => {
  it.each(Object.entries(SCHEMAS))('writes only what is valid: %s', (_, schema) => {
    checkWalks(schema);
    checkWalks(schema, { whitespace: 'free', rounds: 2 });
  });

  it.each([[{ minimum: -3.5, maximum: 12.25 }], [{ exclusiveMinimum: 0, exclusiveMaximum: 1 }], [{ minimum: 98, maximum: 1003, type: 'integer' }], [{ maximum: -1 }], [{ multipleOf: 7, type: 'integer', minimum: 20, maximum: 300 }], [{ multipleOf: 0.01, minimum: 0.05, maximum: 2 }], [{ multipleOf: 1e6 }], [{
    type: 'integer',
    not: { multipleOf: 2 },
  }], [{ minimum: 5, maximum: 5 }], [{ exclusiveMinimum: -1e300, maximum: -1e20 }], [{ minimum: 1e-7, maximum: 3e-7 }], [{ not: { type: 'integer' } }]])('keeps numbers within %j', (limits) => {
    checkWalks({ type: 'number', ...limits }, { rounds: 12 });
  });

  it('takes every integer of a range, and none beside it', () => {
    const grammar = compileSchema({ type: 'integer', minimum: -12, exclusiveMaximum: 105 }, vocabulary);
    for (let n = -150; n <= 150; n++) expect([n, takes(grammar, String(n))]).toEqual([n, n >= -12 && n < 105]);
  });

  it.each(['date-time', 'date', 'time', 'duration', 'email', 'hostname', 'ipv4', 'ipv6', 'uri', 'uri-reference', 'uuid', 'json-pointer', 'regex'])('writes texts of the format %s', (format) => {
    checkWalks({ type: 'string', format }, { rounds: 8 });
  });

  it('takes what people write', () => {
    const person = compileSchema(PERSON, vocabulary), time = compileSchema({ type: 'string', format: 'date-time' }, vocabulary);
    expect(['{"name":"李雷"}', '{"name": "Ann", "age": 30, "tags": ["a", "c"]}', '{"age": 3}', '{"name": ""}', '{"name": "x", "age": 151}', '{"name": "x", "tags": ["c", "c"]}'].map((text) => takes(person, text))).toEqual([true, true, false, false, false, false]);
    expect(['"2024-02-28T23:59:59Z"', '"2024-02-30T00:00:00Z"'].map((text) => takes(time, text))).toEqual([true, false]);
  });

  it.each([
    [{ type: 'string', pattern: '(?=a)b' }, '#/pattern', 'looking around'],
    [{ properties: { a: { $ref: '#/nowhere' } }, required: ['a'] }, '#/properties/a/$ref', 'not in it'],
    [{ type: 'array', items: { type: 'string' }, uniqueItems: true, minItems: 3 }, '#/uniqueItems', 'more than one item'],
    [{ type: 'object', not: { propertyNames: { maxLength: 3 } } }, '#/not/propertyNames', 'inside "not"'],
    [{ type: 'string', minLength: 'x' }, '#/minLength', 'no number'],
  ])('names what it does not support: %j', (schema, pointer, reason) => {
    let caught: unknown;
    try {
      compileSchema(schema, vocabulary);
    } catch (cause) {
      caught = cause;
    }
    expect(caught).toMatchObject({ code: 'config', path: pointer, message: expect.stringContaining(reason) as string });
  });

  it('refuses what nothing satisfies', () => {
    for (const schema of [false, { type: 'string', minLength: 3, maxLength: 2 }, { allOf: [{ type: 'null' }, { type: 'array' }] }, { $ref: '#/$defs/a', $defs: { a: { type: 'array', items: { $ref: '#/$defs/a' }, minItems: 1 } } }]) {
      expect(() => compileSchema(schema, vocabulary)).toThrow(/nothing satisfies/);
    }
  });

  it('refuses bombs within a second', () => {
    const nested = (depth: number): unknown => JSON.parse(`${'{"not":'.repeat(depth)}{}${'}'.repeat(depth)}`);
    const bombs = [
      { type: 'string', minLength: 1e9 },
      { type: 'array', minItems: 1e9 },
      { type: 'object', minProperties: 1e9 },
      { type: 'string', pattern: '^(a|b)*a(a|b){20}$' },
      { type: 'string', pattern: '((a{100}){100}){100}' },
      { allOf: Array.from({ length: 30 }, (_, i) => ({ anyOf: [{ minimum: i }, { maximum: -i }, { multipleOf: i + 1 }] })) },
      { type: 'object', dependentSchemas: Object.fromEntries(Array.from({ length: 40 }, (_, i) => [`p${i}`, { required: [`q${i}`] }])) },
      nested(5000),
      'no schema',
      null,
    ];
    for (const bomb of bombs) {
      const begin = performance.now();
      expect(() => compileSchema(bomb, vocabulary)).toThrow();
      expect(performance.now() - begin).toBeLessThan(5000); // a second alone; machines that run tests are shared
    }
  });
});

const SUITE = join(import.meta.dirname, '../../../../shared/data/formats/json-schema-test-suite');
type Case = { readonly description: string; readonly schema: unknown; readonly tests: readonly { readonly data: unknown; readonly valid: boolean }[] };

function filesBelow(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => (entry.isDirectory() ? filesBelow(join(folder, entry.name)) : entry.name.endsWith('.json') ? [join(folder, entry.name)] : []));
}

/** Schemas on which ajv does not agree with the suite itself (it resolves $dynamicRef otherwise) cannot be judged by it. */
function judge(test: Case, draft: '7' | '2020-12', documents: Readonly<Record<string, unknown>>): ValidateFunction | undefined {
  const validate = validator(test.schema, draft, documents);
  try {
    return validate !== undefined && test.tests.every(({ data, valid }) => !valid || validate(data)) ? validate : undefined;
  } catch {
    return undefined; // some of its validators call themselves without end
  }
}

describe.skipIf(!existsSync(SUITE))('the JSON Schema test suite', () => {
  const documents: Record<string, unknown> = {};
  if (existsSync(SUITE)) { for (const file of filesBelow(join(SUITE, 'remotes'))) documents[`http://localhost:1234/${file.slice(join(SUITE, 'remotes').length + 1)}`] = JSON.parse(readFileSync(file, 'utf8')); }

  it.each(['2020-12', '7'] as const)('draft %s: what is accepted writes only what is valid, and nearly all is accepted', (draft) => {
    const used = Object.fromEntries(Object.entries(documents).filter(([uri]) => (draft === '7' ? /draft7|integer|nested|baseUri/ : /draft2020-12/).test(uri)));
    const wrong: string[] = [];
    let satisfiable = 0, accepted = 0;
    for (const file of filesBelow(join(SUITE, draft === '7' ? 'draft7' : 'draft2020-12'))) {
      for (const test of JSON.parse(readFileSync(file, 'utf8')) as Case[]) {
        const isSatisfiable = test.tests.some(({ valid }) => valid), name = `${file.slice(SUITE.length)}: ${test.description}`;
        satisfiable += isSatisfiable ? 1 : 0;
        let grammar: ReturnType<typeof compileSchema>;
        try {
          grammar = compileSchema(test.schema, vocabulary, { draft, documents: used });
        } catch (cause) {
          if (!['config', 'capacity'].includes((cause as { code: string }).code)) wrong.push(`${name}: ${String(cause)}`);
          continue;
        }
        accepted += isSatisfiable ? 1 : 0;
        const validate = judge(test, draft, used), random = new Random(2, name);
        for (let n = 0; n < 2; n++) {
          const { text } = walk(grammar, vocabulary, random, { style: n === 0 ? 'random' : 'nesting', patience: 8 }), value: unknown = JSON.parse(text);
          if (validate !== undefined && !validate(value)) wrong.push(`${name}: ${text}`);
        }
      }
    }
    expect(wrong).toEqual([]);
    expect(accepted / satisfiable).toBeGreaterThan(0.95);
  }, 120_000);
});
