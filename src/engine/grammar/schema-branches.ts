// A schema's alternatives: every way to satisfy allOf, anyOf, oneOf, not, if and references, each a list of plain schemas that
// hold together. Negation is pushed inwards; where a keyword has no negation that a schema can say, that way is left out, for
// only some of what is valid need be written. Layer: engine (pure).

import { CapacityError, ConfigError } from '../../base/errors.ts';
import { isObject, type Located, type SchemaObject, type SchemaResolver } from './schema-resolver.ts';

/** A plain schema, and the schemas that it stands in (itself included): those that see what it evaluates. */
export type Leaf = { readonly at: Located; readonly schema: SchemaObject; readonly holders: readonly Located[] };
type Task = { readonly at: Located; readonly holders: readonly Located[] };
/** One of these lists has to hold. */
type Choice = readonly (readonly Task[])[];

export const TYPES = ['null', 'boolean', 'number', 'string', 'array', 'object'] as const;
const MAX_BRANCHES = 1000;
const MAX_STEPS = 200_000;

export const refuse = (at: Located, keyword: string, why = 'is not supported here'): ConfigError => new ConfigError(`Cannot compile the schema: "${keyword}" ${why} (${at.pointer}/${keyword})`, { path: `${at.pointer}/${keyword}` });

const listOf = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : []);
const entriesOf = (value: unknown): [string, unknown][] => (isObject(value) ? Object.entries(value) : []);

export class Branches {
  readonly #resolver: SchemaResolver;
  readonly #made = new Map<SchemaObject | boolean, Map<string, SchemaObject>>();
  #steps = 0;

  constructor(resolver: SchemaResolver) {
    this.#resolver = resolver;
  }

  /** A schema of ours at the place of another; the same object for the same key, so that recursion is seen. */
  derived(at: Located, key: string, make: () => SchemaObject): Located {
    let known = this.#made.get(at.schema);
    if (known === undefined) this.#made.set(at.schema, known = new Map());
    let schema = known.get(key);
    if (schema === undefined) known.set(key, schema = make());
    return { ...at, schema };
  }

  negated(at: Located): Located {
    if (typeof at.schema === 'boolean') return { ...at, schema: !at.schema };
    return this.derived(at, 'not', () => ({ not: at.schema }));
  }

  /** All ways in which schemas hold together. @throws {CapacityError} if there are too many */
  of(items: readonly Located[]): Leaf[][] {
    const out: Leaf[][] = [];
    this.#expand(items.map((at) => ({ at, holders: [] })), [], [], out);
    return out;
  }

  #expand(open: Task[], choices: Choice[], leaves: Leaf[], out: Leaf[][]): void {
    while (open.length > 0) {
      if (++this.#steps > MAX_STEPS) throw new CapacityError(`Cannot compile the schema: its alternatives take more than ${MAX_STEPS} steps`, { need: this.#steps, have: MAX_STEPS });
      const { at, holders } = open.pop()!, { schema } = at;
      if (schema === false) return;
      if (schema === true) continue;
      const held = [...holders, at];
      if (leaves.some((leaf) => leaf.schema === schema && leaf.at.scope.join() === at.scope.join() && leaf.holders.length <= held.length && leaf.holders.every((h, i) => h.schema === held[i]!.schema || h.schema === schema))) continue;
      const own = at.draft === '7' && '$ref' in schema ? { $ref: schema.$ref } : schema;
      leaves.push({ at, schema: own, holders: held });
      if (!this.#applicators({ at, schema: own, holders: held }, open, choices)) return;
    }
    const choice = choices.pop();
    if (choice === undefined) {
      if (!typesMeet(leaves)) return;
      if (out.length >= MAX_BRANCHES) throw new CapacityError(`Cannot compile the schema: there are more than ${MAX_BRANCHES} ways to satisfy ${leaves[0]?.at.pointer ?? '#'}`, { need: out.length + 1, have: MAX_BRANCHES });
      out.push(leaves);
      return;
    }
    if (!typesMeet(leaves)) return;
    for (const option of choice) this.#expand([...option].reverse(), [...choices], [...leaves], out);
  }

  /** Adds what must hold too. @returns false if nothing can */
  #applicators({ at, schema, holders }: Leaf, open: Task[], choices: Choice[]): boolean {
    const resolver = this.#resolver, task = (located: Located): Task => ({ at: located, holders });
    const each = (keyword: string): Located[] => listOf(schema[keyword]).map((_, i) => resolver.inside(at, keyword, i));
    if ('$ref' in schema) open.push(task(resolver.reference(at, schema.$ref)));
    if ('$dynamicRef' in schema) open.push(task(resolver.reference(at, schema.$dynamicRef, true)));
    open.push(...each('allOf').map(task));
    if ('anyOf' in schema) choices.push(each('anyOf').map((option) => [task(option)]));
    if ('oneOf' in schema) {
      const options = each('oneOf');
      choices.push(options.map((option, i) => [task(option), ...options.filter((other, j) => j !== i && !this.#disjoint(option, other)).map((other) => ({ at: this.negated(other), holders: [] }))]));
    }
    if ('not' in schema) {
      const negations = this.#negations(resolverInside(resolver, at, 'not'));
      if (negations.length === 0) return false;
      if (negations.length === 1) open.push(...negations[0]!);
      else choices.push(negations);
    }
    if ('if' in schema && ('then' in schema || 'else' in schema)) {
      const test = resolver.inside(at, 'if'), yes = 'then' in schema ? [task(resolver.inside(at, 'then'))] : [], no = 'else' in schema ? [task(resolver.inside(at, 'else'))] : [];
      choices.push([[task(test), ...yes], [{ at: this.negated(test), holders: [] }, ...no]]);
    }
    for (const keyword of ['dependentRequired', 'dependentSchemas', 'dependencies']) {
      for (const [name, value] of entriesOf(schema[keyword])) {
        const absent = this.derived(at, `absent ${name}`, () => ({ properties: { [name]: false } }));
        const names = Array.isArray(value) ? [name, ...(value as string[])] : [name];
        const present = this.derived(at, `present ${names.join('\0')}`, () => ({ type: 'object', required: names }));
        choices.push([[{ at: absent, holders: [] }], [{ at: present, holders: [] }, ...(Array.isArray(value) ? [] : [task(resolver.inside(at, keyword, name))])]]);
      }
    }
    return true;
  }

  /** The ways in which a schema does not hold. */
  #negations(at: Located): Choice {
    const { schema } = at, resolver = this.#resolver;
    if (typeof schema === 'boolean') return schema ? [] : [[]];
    const options: Task[][] = [], task = (located: Located): Task => ({ at: located, holders: [] });
    let refused: string | undefined;
    const say = (key: string, made: () => SchemaObject): void => void options.push([task(this.derived(at, key, made))]);
    const not = (located: Located): Task => task(this.negated(located));
    const each = (keyword: string): Located[] => listOf(schema[keyword]).map((_, i) => resolver.inside(at, keyword, i));
    for (const [keyword, value] of Object.entries(schema)) {
      if (at.draft === '7' && '$ref' in schema && keyword !== '$ref') continue;
      const plain = plainNegation(keyword, value);
      if (plain !== undefined) {
        plain.forEach((made, i) => say(`${keyword} ${i}`, () => made));
        continue;
      }
      switch (keyword) {
        case 'properties':
          for (const [name, inner] of entriesOf(value)) {
            if (inner !== true) say(`properties ${name}`, () => ({ type: 'object', required: [name], properties: { [name]: { not: inner } } }));
          }
          break;
        case 'prefixItems':
          listOf(value).forEach((inner, i) => say(`prefixItems ${i}`, () => ({ type: 'array', minItems: i + 1, prefixItems: [...Array.from({ length: i }, () => true), { not: inner }] })));
          break;
        case 'items':
          if (Array.isArray(value)) value.forEach((inner, i) => say(`items ${i}`, () => ({ type: 'array', minItems: i + 1, [at.draft === '7' ? 'items' : 'prefixItems']: [...Array.from({ length: i }, () => true), { not: inner }] })));
          else if ('prefixItems' in schema) refused ??= keyword;
          else if (value !== true) say('items', () => ({ type: 'array', contains: { not: value } }));
          break;
        case 'contains':
          if ('minContains' in schema || 'maxContains' in schema) refused ??= keyword;
          else say('contains', () => ({ type: 'array', items: { not: value } }));
          break;
        case 'anyOf':
          options.push(each('anyOf').map(not));
          break;
        case 'allOf':
          for (const part of each('allOf')) options.push([not(part)]);
          break;
        case 'oneOf': {
          const parts = each('oneOf');
          options.push(parts.map(not));
          parts.forEach((a, i) => parts.slice(i + 1).forEach((b) => options.push([task(a), task(b)])));
          break;
        }
        case 'not':
          options.push([task(resolver.inside(at, 'not'))]);
          break;
        case '$ref':
        case '$dynamicRef':
          options.push([not(resolver.reference(at, value, keyword === '$dynamicRef'))]);
          break;
        case 'if':
          if ('then' in schema) options.push([task(resolver.inside(at, 'if')), not(resolver.inside(at, 'then'))]);
          if ('else' in schema) options.push([not(resolver.inside(at, 'if')), not(resolver.inside(at, 'else'))]);
          break;
        case 'dependentSchemas':
          for (const [name] of entriesOf(value)) options.push([task(this.derived(at, `present ${name}`, () => ({ type: 'object', required: [name] }))), not(resolver.inside(at, keyword, name))]);
          break;
        default:
          if (NOT_NEGATED.has(keyword)) refused ??= keyword;
      }
    }
    if (options.length === 0 && refused !== undefined) throw refuse(at, refused, 'is not supported inside "not"');
    return options;
  }

  /** Whether two schemas surely share no value, by what can be seen without effort. */
  #disjoint(a: Located, b: Located): boolean {
    const one = this.#facts(a), other = this.#facts(b);
    if (one.types !== undefined && other.types !== undefined && !one.types.some((type) => other.types!.includes(type))) return true;
    if (one.values !== undefined && other.values !== undefined && !one.values.some((value) => other.values!.includes(value))) return true;
    const areObjects = one.types?.join() === 'object' || other.types?.join() === 'object';
    if (!areObjects) return false;
    for (const [name, values] of one.fixed) {
      const others = other.fixed.get(name);
      if (others !== undefined && (one.required.has(name) || other.required.has(name)) && !values.some((value) => others.includes(value))) return true;
    }
    return false;
  }

  #facts(first: Located): { types: readonly string[] | undefined; values: readonly string[] | undefined; required: Set<string>; fixed: Map<string, readonly string[]> } {
    let types: readonly string[] | undefined, values: readonly string[] | undefined;
    const required = new Set<string>(), fixed = new Map<string, readonly string[]>(), open = [first], seen = new Set<unknown>();
    while (open.length > 0) {
      const at = open.pop()!, { schema } = at;
      if (typeof schema === 'boolean' || seen.has(schema)) continue;
      seen.add(schema);
      if ('$ref' in schema) open.push(this.#resolver.reference(at, schema.$ref));
      if ('type' in schema) types ??= typesOf(schema.type);
      values ??= constants(schema);
      for (const name of listOf(schema.required)) required.add(String(name));
      for (const [name, inner] of entriesOf(schema.properties)) {
        const found = isObject(inner) ? constants(inner) : undefined;
        if (found !== undefined) fixed.set(name, found);
      }
    }
    return { types, values, required, fixed };
  }
}

const resolverInside = (resolver: SchemaResolver, at: Located, keyword: string): Located => resolver.inside(at, keyword);

/** The values of const or enum, as texts, if none of them is a number, array or object (of which texts say too little). */
function constants(schema: SchemaObject): string[] | undefined {
  const values = 'const' in schema ? [schema.const] : Array.isArray(schema.enum) ? schema.enum : undefined;
  return values?.every((value) => typeof value === 'string' || typeof value === 'boolean' || value === null) ? values.map((value) => JSON.stringify(value)) : undefined;
}

/** Types as named, "integer" as the number that it is. */
export function typesOf(type: unknown): string[] {
  return [...new Set((Array.isArray(type) ? type : [type]).map((name) => (name === 'integer' ? 'number' : String(name))))];
}

function typesMeet(leaves: readonly Leaf[]): boolean {
  let types: string[] = [...TYPES];
  for (const { schema } of leaves) if ('type' in schema) types = types.filter((type) => typesOf(schema.type).includes(type));
  return types.length > 0;
}

/** Keywords that assert something, but not in a way that can be turned round. */
const NOT_NEGATED = new Set(['additionalProperties', 'additionalItems', 'patternProperties', 'propertyNames', 'uniqueItems', 'unevaluatedItems', 'unevaluatedProperties', 'dependencies', 'format']);

/** The schemas, one of which holds where a plain assertion does not; undefined if it is none. */
function plainNegation(keyword: string, value: unknown): SchemaObject[] | undefined {
  const n = Number(value);
  switch (keyword) {
    case 'type': {
      const names = Array.isArray(value) ? value : [value], rest = TYPES.filter((type) => !typesOf(value).includes(type));
      const others: SchemaObject[] = rest.length > 0 ? [{ type: rest }] : [];
      return names.includes('integer') && !names.includes('number') ? [...others, { type: 'number', $fractional: true }] : others;
    }
    case 'const':
      return [{ $notEnum: [value] }];
    case 'enum':
      return [{ $notEnum: value }];
    case 'minimum':
      return [{ type: 'number', exclusiveMaximum: n }];
    case 'maximum':
      return [{ type: 'number', exclusiveMinimum: n }];
    case 'exclusiveMinimum':
      return [{ type: 'number', maximum: n }];
    case 'exclusiveMaximum':
      return [{ type: 'number', minimum: n }];
    case 'multipleOf':
      return [{ type: 'number', $notMultipleOf: n }];
    case 'minLength':
      return n > 0 ? [{ type: 'string', maxLength: n - 1 }] : [];
    case 'maxLength':
      return [{ type: 'string', minLength: n + 1 }];
    case 'pattern':
      return [{ type: 'string', $notPattern: value }];
    case 'minItems':
      return n > 0 ? [{ type: 'array', maxItems: n - 1 }] : [];
    case 'maxItems':
      return [{ type: 'array', minItems: n + 1 }];
    case 'minProperties':
      return n > 0 ? [{ type: 'object', maxProperties: n - 1 }] : [];
    case 'maxProperties':
      return [{ type: 'object', minProperties: n + 1 }];
    case 'required':
      return listOf(value).map((name) => ({ type: 'object', properties: { [String(name)]: false } }));
    case 'dependentRequired':
      return entriesOf(value).flatMap(([name, names]) => listOf(names).map((other) => ({ type: 'object', required: [name], properties: { [String(other)]: false } })));
    default:
      return undefined;
  }
}
