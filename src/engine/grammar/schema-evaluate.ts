// Whether a value satisfies plain schemas: enums and constants are filtered by it, names too. Layer: engine (pure).

import type { Branches, Leaf } from './schema-branches.ts';
import { refuse } from './schema-branches.ts';
import { accepts } from './dfa.ts';
import { formatDfa } from './formats.ts';
import { decimalOf } from './numbers.ts';
import { regexDfa } from './regex.ts';
import { isObject, type Located, type SchemaObject, type SchemaResolver } from './schema-resolver.ts';

/** A text that is the same for equal values. */
export function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join()}]`;
  if (isObject(value)) return `{${Object.keys(value).sort().map((key) => `${JSON.stringify(key)}:${canonical(value[key])}`).join()}}`;
  return JSON.stringify(value === 0 ? 0 : value);
}

export function typeOf(value: unknown): string {
  return value === null ? 'null' : Array.isArray(value) ? 'array' : typeof value;
}

export function isMultiple(value: number, divisor: number): boolean {
  const a = decimalOf(value), b = decimalOf(divisor), scale = Math.max(a.scale, b.scale);
  return (a.digits * 10n ** BigInt(scale - a.scale)) % (b.digits * 10n ** BigInt(scale - b.scale)) === 0n;
}

/** Evaluates values against the alternatives of schemas. */
export class Evaluator {
  readonly #resolver: SchemaResolver;
  readonly #branches: Branches;

  constructor(resolver: SchemaResolver, branches: Branches) {
    this.#resolver = resolver;
    this.#branches = branches;
  }

  /** Whether a value satisfies schemas together; of what only some is written, a negation say, false where it is not sure. */
  satisfies(items: readonly Located[], value: unknown): boolean {
    if (items.every(({ schema }) => schema === true)) return true;
    return this.#branches.of(items).some((leaves) => this.satisfiesAll(leaves, value));
  }

  /** The same of one alternative. */
  satisfiesAll(leaves: readonly Leaf[], value: unknown): boolean {
    return leaves.every((leaf) => this.#plain(leaf, leaves, value));
  }

  #plain(leaf: Leaf, leaves: readonly Leaf[], value: unknown): boolean {
    const { schema } = leaf;
    if ('type' in schema && ![schema.type].flat().some((type) => type === typeOf(value) || (type === 'integer' && Number.isInteger(value)))) return false;
    if ('const' in schema && canonical(schema.const) !== canonical(value)) return false;
    if (Array.isArray(schema.enum) && !schema.enum.some((one) => canonical(one) === canonical(value))) return false;
    if (Array.isArray(schema.$notEnum) && schema.$notEnum.some((one) => canonical(one) === canonical(value))) return false;
    if (typeof value === 'number') return number(schema, value);
    if (typeof value === 'string') return this.#string(leaf, value);
    if (Array.isArray(value)) return this.#array(leaf, leaves, value);
    return isObject(value) ? this.#object(leaf, leaves, value) : true;
  }

  #string({ at, schema }: Leaf, value: string): boolean {
    const length = [...value].length, format = typeof schema.format === 'string' ? formatDfa(schema.format) : undefined;
    return length >= Number(schema.minLength ?? 0) && length <= Number(schema.maxLength ?? Infinity)
      && (typeof schema.pattern !== 'string' || matches(at, 'pattern', schema.pattern, value))
      && (typeof schema.$notPattern !== 'string' || !matches(at, '$notPattern', schema.$notPattern, value))
      && (format === undefined || accepts(format, value));
  }

  #array(leaf: Leaf, leaves: readonly Leaf[], value: readonly unknown[]): boolean {
    const { at, schema } = leaf;
    if (value.length < Number(schema.minItems ?? 0) || value.length > Number(schema.maxItems ?? Infinity)) return false;
    if (schema.uniqueItems === true && new Set(value.map(canonical)).size < value.length) return false;
    if ('contains' in schema) {
      const inside = this.#resolver.inside(at, 'contains'), count = value.filter((item) => this.satisfies([inside], item)).length;
      if (count < Number(schema.minContains ?? 1) || count > Number(schema.maxContains ?? Infinity)) return false;
    }
    return value.every((item, i) => this.satisfies(itemSchemas(this.#resolver, leaf, leaves, i), item));
  }

  #object(leaf: Leaf, leaves: readonly Leaf[], value: SchemaObject): boolean {
    const { at, schema } = leaf, names = Object.keys(value);
    if (names.length < Number(schema.minProperties ?? 0) || names.length > Number(schema.maxProperties ?? Infinity)) return false;
    if (Array.isArray(schema.required) && !schema.required.every((name) => Object.hasOwn(value, String(name)))) return false;
    if ('propertyNames' in schema && !names.every((name) => this.satisfies([this.#resolver.inside(at, 'propertyNames')], name))) return false;
    return names.every((name) => this.satisfies(propertySchemas(this.#resolver, leaf, leaves, (pattern) => matches(at, 'patternProperties', pattern, name), name), value[name]));
  }
}

function number(schema: SchemaObject, value: number): boolean {
  return value >= Number(schema.minimum ?? -Infinity) && value <= Number(schema.maximum ?? Infinity)
    && !('exclusiveMinimum' in schema && value <= Number(schema.exclusiveMinimum)) && !('exclusiveMaximum' in schema && value >= Number(schema.exclusiveMaximum))
    && (!('multipleOf' in schema) || isMultiple(value, Number(schema.multipleOf))) && (!('$notMultipleOf' in schema) || !isMultiple(value, Number(schema.$notMultipleOf)))
    && (schema.$fractional !== true || !Number.isInteger(value));
}

const matches = (at: Located, keyword: string, pattern: string, value: string): boolean => accepts(patternDfa(at, keyword, pattern), value);

/** The strings that hold a match of a pattern. @throws {ConfigError} with the pattern's place */
export function patternDfa(at: Located, keyword: string, pattern: string): ReturnType<typeof regexDfa> {
  try {
    return regexDfa(pattern, true);
  } catch (cause) {
    throw refuse(at, keyword, `is not supported: ${(cause as Error).message}`);
  }
}

/** What a leaf asks of the item at an index. */
export function itemSchemas(resolver: SchemaResolver, leaf: Leaf, leaves: readonly Leaf[], index: number): Located[] {
  const own = ownItem(leaf, index);
  if (own !== undefined) return [resolver.inside(leaf.at, ...own)];
  if (!('unevaluatedItems' in leaf.schema)) return [];
  const seen = leaves.some((other) => other !== leaf && other.holders.includes(leaf.at) && (ownItem(other, index) !== undefined || 'unevaluatedItems' in other.schema));
  return seen ? [] : [resolver.inside(leaf.at, 'unevaluatedItems')];
}

function ownItem({ at, schema }: Leaf, index: number): (string | number)[] | undefined {
  const { prefixItems, items } = schema;
  if (at.draft !== '7' && Array.isArray(prefixItems) && index < prefixItems.length) return ['prefixItems', index];
  if (Array.isArray(items)) return index < items.length ? ['items', index] : 'additionalItems' in schema ? ['additionalItems'] : undefined;
  return items === undefined ? undefined : ['items'];
}

/** What a leaf asks of a property; `matchesPattern` says which patterns its name has. */
export function propertySchemas(resolver: SchemaResolver, leaf: Leaf, leaves: readonly Leaf[], matchesPattern: (pattern: string) => boolean, name: string | undefined): Located[] {
  const own = ownProperty(leaf, matchesPattern, name);
  if (own.length > 0 || !('unevaluatedProperties' in leaf.schema)) return own.map((path) => resolver.inside(leaf.at, ...path));
  const seen = leaves.some((other) => other !== leaf && other.holders.includes(leaf.at) && (ownProperty(other, matchesPattern, name).length > 0 || 'unevaluatedProperties' in other.schema));
  return seen ? [] : [resolver.inside(leaf.at, 'unevaluatedProperties')];
}

function ownProperty({ schema }: Leaf, matchesPattern: (pattern: string) => boolean, name: string | undefined): string[][] {
  const found: string[][] = [];
  if (name !== undefined && isObject(schema.properties) && Object.hasOwn(schema.properties, name)) found.push(['properties', name]);
  if (isObject(schema.patternProperties)) { for (const pattern of Object.keys(schema.patternProperties)) if (matchesPattern(pattern)) found.push(['patternProperties', pattern]); }
  if (found.length === 0 && 'additionalProperties' in schema) found.push(['additionalProperties']);
  return found;
}
