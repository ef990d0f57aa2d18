// Arrays of plain schemas that hold together, as rules by position and by how often `contains` was met. Layer: engine (pure).

import { CapacityError } from '../../base/errors.ts';
import { choice, NEVER, rule, sequence, type Expression } from './expression.ts';
import { refuse, type Leaf } from './schema-branches.ts';
import type { ValueRules } from './schema-values.ts';
import { canonical, itemSchemas } from './schema-evaluate.ts';
import type { Located } from './schema-resolver.ts';
import { largest, numberIn, smallest } from './schema-scalars.ts';

/** Longest array that is written where a schema allows longer ones with a bound, and the most that it may demand. */
const MAX_ITEMS = 512;
const MOST_ITEMS = 5000;
const MAX_CONTAINS = 3;

type Contains = { readonly at: Located; readonly min: number; readonly max: number };

export class ArrayRules {
  readonly #values: ValueRules;

  constructor(values: ValueRules) {
    this.#values = values;
  }

  of(leaves: readonly Leaf[], excluded: readonly (readonly unknown[])[]): Expression {
    const unique = leaves.find(({ schema }) => schema.uniqueItems === true);
    let min = Math.ceil(largest(leaves, 'minItems', 0)), max = Math.floor(smallest(leaves, 'maxItems'));
    if (min > MOST_ITEMS) throw new CapacityError(`Cannot compile the schema: an array needs ${min} items, and ${MOST_ITEMS} is the most`, { need: min, have: MOST_ITEMS });
    if (excluded.length > 0) { // by length: shorter than all of them, or longer
      const sizes = excluded.map((value) => value.length), least = Math.min(...sizes);
      if (min < least) max = Math.min(max, least - 1);
      else min = Math.max(min, Math.max(...sizes) + 1);
    }
    if (max < Infinity) max = Math.min(max, Math.max(min, MAX_ITEMS));
    if (unique !== undefined) {
      const distinct = this.#distinct(leaves, unique, min, max);
      if (distinct !== undefined) return distinct;
      max = Math.min(max, Math.max(min, 1));
    }
    if (min > max) return NEVER;
    const contains = leaves.filter(({ schema }) => 'contains' in schema).map((leaf): Contains => ({
      at: this.#values.resolver.inside(leaf.at, 'contains'),
      min: leaf.at.draft === '7' ? 1 : numberIn(leaf, 'minContains', 1),
      max: leaf.at.draft === '7' ? Infinity : numberIn(leaf, 'maxContains', Infinity),
    }));
    if (contains.length > MAX_CONTAINS) throw refuse(leaves.find(({ schema }) => 'contains' in schema)!.at, 'contains', `is there more than ${MAX_CONTAINS} times`);
    return new Positions(this.#values, leaves, { min, max, contains }).all();
  }

  /** Arrays whose items differ for sure; undefined where at most one item comes anyway. */
  #distinct(leaves: readonly Leaf[], unique: Leaf, min: number, max: number): Expression | undefined {
    if (max < 2) return undefined;
    const { resolver } = this.#values, prefix = prefixLength(leaves);
    const schemas = (i: number): Located[] => leaves.flatMap((leaf) => itemSchemas(resolver, leaf, leaves, i));
    const values = prefix === 0 && !leaves.some(({ schema }) => 'contains' in schema) ? this.#values.finite(schemas(0)) : undefined;
    if (values !== undefined) return this.#subset(values, min, max);
    if (min < 2) return undefined;
    // Items of which each is of another type, or another constant.
    const items = Array.from({ length: min }, (_, i) => this.#values.finite(schemas(i)));
    if (items.some((one) => one === undefined) || leaves.some(({ schema }) => 'contains' in schema)) throw refuse(unique.at, 'uniqueItems', 'of more than one item is supported only where the items are listed (enum, const, boolean)');
    const seen = new Set<string>(), row: unknown[] = [];
    for (const one of items) {
      const free = one!.find((value) => !seen.has(canonical(value)));
      if (free === undefined) return NEVER;
      seen.add(canonical(free));
      row.push(free);
    }
    return this.#values.literal(row);
  }

  /** Some of the values in their order, each once. */
  #subset(values: readonly unknown[], min: number, max: number): Expression {
    const { any, rules } = this.#values, names = new Map<string, string>();
    const from = (i: number, count: number): Expression => {
      const key = `${i},${Math.min(count, Math.max(min, 1) + (max < Infinity ? max : 0))}`, known = names.get(key);
      if (known !== undefined) return rule(known);
      const name = this.#values.name();
      names.set(key, name);
      const options: Expression[] = count >= min ? [any.close(']')] : [];
      if (i < values.length && count < max) {
        options.push(sequence(...(count > 0 ? [any.comma] : []), this.#values.literal(values[i]), from(i + 1, count + 1)));
        if (i + 1 < values.length) options.push(from(i + 1, count));
      }
      rules.set(name, choice(...options));
      return rule(name);
    };
    return sequence(any.open('['), from(0, 0));
  }
}

function prefixLength(leaves: readonly Leaf[]): number {
  return Math.max(0, ...leaves.map(({ at, schema }) => Math.max(Array.isArray(schema.items) ? schema.items.length : 0, at.draft !== '7' && Array.isArray(schema.prefixItems) ? schema.prefixItems.length : 0)));
}

/** One array: a rule for each position and count of contained items. */
class Positions {
  readonly #values: ValueRules;
  readonly #leaves: readonly Leaf[];
  readonly #limits: { readonly min: number; readonly max: number; readonly contains: readonly Contains[] };
  /** From here on all positions are alike. */
  readonly #last: number;
  readonly #names = new Map<string, string>();
  readonly #open: { name: string; at: number; counts: readonly number[] }[] = [];

  constructor(values: ValueRules, leaves: readonly Leaf[], limits: { min: number; max: number; contains: readonly Contains[] }) {
    this.#values = values;
    this.#leaves = leaves;
    this.#limits = limits;
    this.#last = Math.max(prefixLength(leaves), limits.min, limits.max < Infinity ? limits.max : 0, 1);
  }

  all(): Expression {
    const first = this.#rule(0, this.#limits.contains.map(() => 0));
    for (let next = this.#open.pop(); next !== undefined; next = this.#open.pop()) this.#values.rules.set(next.name, this.#build(next.at, next.counts));
    return sequence(this.#values.any.open('['), first);
  }

  #rule(at: number, counts: readonly number[]): Expression {
    const capped = counts.map((count, i) => Math.min(count, this.#limits.contains[i]!.max < Infinity ? Infinity : this.#limits.contains[i]!.min));
    const position = Math.min(at, this.#last), key = `${position}|${capped.join()}`, known = this.#names.get(key);
    if (known !== undefined) return rule(known);
    const name = this.#values.name();
    this.#names.set(key, name);
    this.#open.push({ name, at: position, counts: capped });
    return rule(name);
  }

  #build(at: number, counts: readonly number[]): Expression {
    const { any, branches, resolver } = this.#values, { min, max, contains } = this.#limits;
    const options: Expression[] = at >= min && counts.every((count, i) => count >= contains[i]!.min) ? [any.close(']')] : [];
    if (at >= max) return choice(...options);
    const own = this.#leaves.flatMap((leaf) => itemSchemas(resolver, leaf, this.#leaves, at)), comma = at > 0 ? [any.comma] : [];
    for (let set = 0; set < 1 << contains.length; set++) {
      const asked = [...own], next = [...counts];
      let fits = true;
      contains.forEach((one, i) => {
        if ((set >> i) & 1) {
          fits &&= counts[i]! < one.max && (one.max < Infinity || counts[i]! < one.min);
          asked.push(one.at);
          next[i]!++;
        } else if (one.max < Infinity) asked.push(branches.negated(one.at));
      });
      if (fits) options.push(sequence(...comma, this.#values.value(asked), this.#rule(at + 1, next)));
    }
    return choice(...options);
  }
}
