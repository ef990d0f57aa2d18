// Numbers and strings of plain schemas that hold together. Layer: engine (pure).

import { combine, isEmpty, lengths, words, type Dfa } from './dfa.ts';
import { formatDfa } from './formats.ts';
import type { NumberLimits } from './numbers.ts';
import { refuse, type Leaf } from './schema-branches.ts';
import { patternDfa } from './schema-evaluate.ts';

/** Longest string that is written where a schema allows longer ones. */
const MAX_LENGTH = 4096;

/** A keyword's number. @throws {ConfigError} if it is none */
export function numberIn({ at, schema }: Leaf, keyword: string, otherwise: number): number {
  const value = schema[keyword];
  if (value === undefined) return otherwise;
  if (typeof value !== 'number') throw refuse(at, keyword, 'is no number');
  return value;
}

/** The largest of a keyword's numbers. */
export const largest = (leaves: readonly Leaf[], keyword: string, otherwise: number): number => leaves.reduce((most, leaf) => Math.max(most, numberIn(leaf, keyword, otherwise)), otherwise);
export const smallest = (leaves: readonly Leaf[], keyword: string): number => leaves.reduce((least, leaf) => Math.min(least, numberIn(leaf, keyword, Infinity)), Infinity);

export function numberLimits(leaves: readonly Leaf[]): NumberLimits {
  const inclusive = { min: largest(leaves, 'minimum', -Infinity), max: smallest(leaves, 'maximum') };
  const exclusive = { min: largest(leaves, 'exclusiveMinimum', -Infinity), max: smallest(leaves, 'exclusiveMaximum') };
  const all = (keyword: string): number[] => leaves.flatMap((leaf) => (keyword in leaf.schema ? [numberIn(leaf, keyword, 1)] : []));
  for (const leaf of leaves) if ('multipleOf' in leaf.schema && !(numberIn(leaf, 'multipleOf', 1) > 0)) throw refuse(leaf.at, 'multipleOf', 'is not above 0');
  return {
    integer: leaves.some(({ schema }) => [schema.type].flat().includes('integer') && ![schema.type].flat().includes('number')),
    min: Math.max(inclusive.min, exclusive.min),
    minExcluded: exclusive.min >= inclusive.min && exclusive.min > -Infinity,
    max: Math.min(inclusive.max, exclusive.max),
    maxExcluded: exclusive.max <= inclusive.max && exclusive.max < Infinity,
    multipleOf: all('multipleOf'),
    notMultipleOf: all('$notMultipleOf'),
    fractional: leaves.some(({ schema }) => schema.$fractional === true),
  };
}

/** The strings; undefined for all of them. */
export function stringDfa(leaves: readonly Leaf[], excluded: readonly string[]): Dfa | undefined {
  const min = Math.ceil(largest(leaves, 'minLength', 0)), max = Math.floor(smallest(leaves, 'maxLength'));
  let dfa: Dfa | undefined;
  const meet = (other: Dfa, without = false): void => {
    dfa = dfa === undefined && !without ? other : combine(dfa ?? lengths(0, Infinity), other, without);
  };
  for (const { at, schema } of leaves) {
    const format = typeof schema.format === 'string' ? formatDfa(schema.format) : undefined;
    if (format !== undefined) meet(format);
    if (typeof schema.pattern === 'string') meet(patternDfa(at, 'pattern', schema.pattern));
    if (typeof schema.$notPattern === 'string') meet(patternDfa(at, '$notPattern', schema.$notPattern), true);
    if (dfa !== undefined && isEmpty(dfa) && format !== undefined) throw refuse(at, 'format', 'leaves no text beside the other keywords that this compiler knows');
  }
  if (min > max) return words([]);
  if (min > 0 || max < Infinity) meet(lengths(min, max === Infinity ? max : Math.max(min, Math.min(max, MAX_LENGTH))));
  if (excluded.length > 0) meet(words(excluded), true);
  return dfa;
}
