// Objects of plain schemas that hold together: named properties in the schema's order, then others. Layer: engine (pure).

import { CapacityError } from '../../base/errors.ts';
import { combine, isEmpty, minimise, Nfa, determinise, words, lengths, accepts as acceptsText, LAST_CHARACTER, type Dfa } from './dfa.ts';
import { choice, isNever, NEVER, rule, sequence, text, type Expression } from './expression.ts';
import { refuse, type Leaf } from './schema-branches.ts';
import type { ValueRules } from './schema-values.ts';
import { patternDfa, propertySchemas } from './schema-evaluate.ts';
import { isObject, type Located } from './schema-resolver.ts';
import { largest, smallest, stringDfa } from './schema-scalars.ts';

/** Patterns whose combinations are told apart, and the most properties that a schema may demand. */
const MAX_PATTERNS = 4;
const MOST_PROPERTIES = 500;

type Named = { readonly key: Expression; readonly value: Expression; readonly required: boolean };
/** Properties without a name of their own: texts of keys, and what their values are. */
type Others = { readonly keys: Dfa; readonly value: Expression };

export class ObjectRules {
  readonly #values: ValueRules;

  constructor(values: ValueRules) {
    this.#values = values;
  }

  of(leaves: readonly Leaf[], excluded: readonly object[]): Expression {
    const names = namesOf(leaves), required = new Set(leaves.flatMap(({ schema }) => (Array.isArray(schema.required) ? schema.required.map(String) : [])));
    let min = Math.ceil(largest(leaves, 'minProperties', 0)), max = Math.floor(smallest(leaves, 'maxProperties'));
    if (excluded.length > 0) { // by size, as arrays
      const sizes = excluded.map((value) => Object.keys(value).length), least = Math.min(...sizes);
      if (Math.max(min, required.size) < least) max = Math.min(max, least - 1);
      else min = Math.max(min, Math.max(...sizes) + 1);
    }
    if (min > max || required.size > max) return NEVER;
    if (min > MOST_PROPERTIES) throw new CapacityError(`Cannot compile the schema: an object needs ${min} properties, and ${MOST_PROPERTIES} is the most`, { need: min, have: MOST_PROPERTIES });
    const patterns = patternsOf(leaves), named: Named[] = [];
    for (const name of names) {
      const value = this.#named(name, leaves, patterns);
      if (isNever(value) && required.has(name)) return NEVER;
      if (!isNever(value)) named.push({ key: text(JSON.stringify(name)), value, required: required.has(name) });
    }
    const asks = leaves.some(({ schema }) => ['patternProperties', 'propertyNames', 'unevaluatedProperties'].some((keyword) => keyword in schema) || isObject(schema.additionalProperties) || schema.additionalProperties === true);
    const others = asks || names.size === 0 || min > named.length ? this.#others(leaves, names, patterns) : [];
    return new Order(this.#values, { named, others, min, max }).all();
  }

  #named(name: string, leaves: readonly Leaf[], patterns: ReadonlyMap<string, Dfa>): Expression {
    const { resolver, evaluator } = this.#values;
    for (const leaf of leaves) if ('propertyNames' in leaf.schema && !evaluator.satisfies([resolver.inside(leaf.at, 'propertyNames')], name)) return NEVER;
    return this.#values.value(leaves.flatMap((leaf) => propertySchemas(resolver, leaf, leaves, (pattern) => acceptsText(patterns.get(pattern)!, name), name)));
  }

  /** For each combination of patterns that a key may have: such keys, and their values. */
  #others(leaves: readonly Leaf[], names: ReadonlySet<string>, patterns: ReadonlyMap<string, Dfa>): Others[] {
    const all = [...patterns], found: Others[] = [];
    if (all.length > MAX_PATTERNS) throw refuse(leaves.find(({ schema }) => 'patternProperties' in schema)!.at, 'patternProperties', `has more than ${MAX_PATTERNS} patterns`);
    let free = this.#keyTexts(leaves);
    if (names.size > 0) free = combine(free, words([...names]), true);
    for (let set = 0; set < 1 << all.length; set++) {
      const has = new Set(all.filter((_, i) => (set >> i) & 1).map(([pattern]) => pattern));
      const value = this.#values.value(leaves.flatMap((leaf) => propertySchemas(this.#values.resolver, leaf, leaves, (pattern) => has.has(pattern), undefined)));
      if (isNever(value)) continue;
      let keys = free;
      for (const [pattern, dfa] of all) keys = combine(keys, dfa, !has.has(pattern));
      if (!isEmpty(keys)) found.push({ keys, value });
    }
    return found;
  }

  /** What `propertyNames` allows. */
  #keyTexts(leaves: readonly Leaf[]): Dfa {
    const { resolver, branches, evaluator } = this.#values, asked: Located[] = leaves.filter(({ schema }) => 'propertyNames' in schema).map((leaf) => resolver.inside(leaf.at, 'propertyNames'));
    if (asked.length === 0) return lengths(0, Infinity);
    const options: Dfa[] = [];
    for (const own of branches.of(asked)) {
      if (own.some(({ schema }) => 'type' in schema && ![schema.type].flat().includes('string'))) continue;
      const listed = own.map(({ schema }) => ('const' in schema ? [schema.const] : schema.enum)).find(Array.isArray) as unknown[] | undefined;
      const excluded = own.flatMap(({ schema }) => (Array.isArray(schema.$notEnum) ? schema.$notEnum : [])).filter((value) => typeof value === 'string');
      if (listed === undefined) options.push(stringDfa(own, excluded) ?? lengths(0, Infinity));
      else options.push(words(listed.filter((value): value is string => typeof value === 'string' && evaluator.satisfiesAll(own, value))));
    }
    return either(options);
  }
}

/** What any of them accepts. */
function either(options: readonly Dfa[]): Dfa {
  if (options.length === 1) return options[0]!;
  const nfa = new Nfa(), start = nfa.state(), final = nfa.state();
  for (const { edges, accepts } of options) {
    const states = edges.map(() => nfa.state());
    nfa.empties[start]!.push({ to: states[0]!, when: 'always' });
    edges.forEach((own, s) => {
      for (const [low, high, to] of own) nfa.edges[states[s]!]!.push([low, high, states[to]!]);
      if (accepts[s]) nfa.empties[states[s]!]!.push({ to: final, when: 'always' });
    });
  }
  return determinise(nfa, start, final);
}

function namesOf(leaves: readonly Leaf[]): Set<string> {
  const names = new Set<string>();
  for (const { schema } of leaves) if (isObject(schema.properties)) { for (const name of Object.keys(schema.properties)) names.add(name); }
  for (const { schema } of leaves) if (Array.isArray(schema.required)) { for (const name of schema.required) names.add(String(name)); }
  return names;
}

function patternsOf(leaves: readonly Leaf[]): Map<string, Dfa> {
  const found = new Map<string, Dfa>();
  for (const { at, schema } of leaves) {
    if (!isObject(schema.patternProperties)) continue;
    for (const pattern of Object.keys(schema.patternProperties)) if (!found.has(pattern)) found.set(pattern, patternDfa(at, 'patternProperties', pattern));
  }
  return found;
}

/** Keys of the i-th of n kinds: no key is of two, so that n keys of different kinds differ. */
function kindOf(keys: Dfa, i: number, n: number): Dfa {
  const edges = Array.from({ length: n }, (_, s): [number, number, number][] => [[0, LAST_CHARACTER, (s + 1) % n]]);
  return combine(keys, minimise({ edges, accepts: edges.map((_, s) => s === i) }));
}

/** The shortest texts of an automaton, up to a number of them. */
function firstWords(dfa: Dfa, count: number): string[] {
  const found: string[] = [];
  let row: [string, number][] = [['', 0]];
  for (let length = 0; length <= 64 && row.length > 0 && found.length < count; length++) {
    const next: [string, number][] = [];
    for (const [prefix, state] of row) {
      if (dfa.accepts[state]) found.push(prefix);
      for (const [low, high, to] of dfa.edges[state]!) for (let c = Math.max(low, 0x21); c <= Math.min(high, Math.max(low, 0x21) + count) && next.length < 4 * count; c++) next.push([prefix + String.fromCodePoint(c), to]);
    }
    row = next;
  }
  return found.slice(0, count);
}

/** One object: a rule for each named property with how many came before. */
class Order {
  readonly #values: ValueRules;
  readonly #named: readonly Named[];
  readonly #others: readonly Others[];
  readonly #min: number;
  readonly #max: number;
  readonly #names = new Map<string, string>();
  readonly #open: (() => void)[] = [];

  constructor(values: ValueRules, fields: { named: readonly Named[]; others: readonly Others[]; min: number; max: number }) {
    this.#values = values;
    this.#named = fields.named;
    this.#others = fields.others;
    this.#min = fields.min;
    this.#max = fields.max;
  }

  all(): Expression {
    const first = this.#rule(0, 0, 0);
    for (let next = this.#open.pop(); next !== undefined; next = this.#open.pop()) next();
    return sequence(this.#values.any.open('{'), first);
  }

  /** Before the i-th named property, behind `count` properties, `extras` of them without a name. */
  #rule(i: number, count: number, extras: number): Expression {
    const top = Math.max(this.#min, 1, this.#max < Infinity ? Math.min(this.#max, this.#named.length + MOST_PROPERTIES) : 0);
    const capped = Math.min(count, top), key = `${i},${capped},${Math.min(extras, this.#min)}`, known = this.#names.get(key);
    if (known !== undefined) return rule(known);
    const name = this.#values.name();
    this.#names.set(key, name);
    this.#open.push(() => this.#values.rules.set(name, choice(...this.#options(i, capped, extras))));
    return rule(name);
  }

  #options(i: number, count: number, extras: number): Expression[] {
    const { any } = this.#values, comma = count > 0 ? [any.comma] : [], one = this.#named[i];
    if (one !== undefined) {
      const options = count < this.#max ? [sequence(...comma, one.key, any.colon, one.value, this.#rule(i + 1, count + 1, extras))] : [];
      return one.required ? options : [...options, this.#rule(i + 1, count, extras)];
    }
    const options = count >= this.#min ? [any.close('}')] : [], needed = this.#min - 1;
    // A bounded number of extra keys only: `count` is capped where more would be counted.
    if (count >= this.#max || (this.#max < Infinity && count >= this.#named.length + MOST_PROPERTIES)) return options;
    for (const { keys, value } of this.#others) {
      const own = extras < this.#min && needed > 0 ? this.#distinct(keys, extras) : keys;
      if (isEmpty(own)) continue;
      options.push(sequence(...comma, text('"'), { kind: 'dfa', dfa: own, json: true }, text('"'), any.colon, value, this.#rule(i, count + 1, extras + 1)));
    }
    return options;
  }

  /** Keys for the i-th property without a name that surely differ from those of the others. */
  #distinct(keys: Dfa, i: number): Dfa {
    const kinds = Array.from({ length: this.#min }, (_, kind) => kindOf(keys, kind, this.#min));
    if (kinds.every((kind) => !isEmpty(kind))) return kinds[i]!;
    const first = firstWords(keys, this.#min);
    return words(first[i] === undefined ? [] : [first[i]!]);
  }
}
