// Weights that a model counts from one and a GGUF file holds plus one. The sum is rounded; what is lost is kept in the
// metadata, which other readers pass over, so that the model's own weights come back to the bit. Layer: models.

import type { GgufFields } from './gguf-fields.ts';
import type { GgufEntry } from './gguf-write.ts';

const REST = 'athanor.norms_from_one.rest';

/** Weights plus one by State, and the metadata of what rounding lost: nothing where it lost nothing. */
export function storedPlusOne(weights: ReadonlyMap<string, Float32Array>): { readonly stored: Map<string, Float32Array>; readonly entries: GgufEntry[] } {
  const stored = new Map([...weights].map(([id, values]) => [id, values.map((w) => w + 1)]));
  // In double each difference is exact, and it is a number of f32: the error of one addition.
  const rest = Float32Array.from([...weights].flatMap(([id, values]) => Array.from(values, (w, i) => (Number.isFinite(w) ? w - (stored.get(id)![i]! - 1) : 0))));
  return { stored, entries: rest.every((lost) => Object.is(lost, 0)) ? [] : [{ key: REST, items: 'f32', value: rest }] };
}

/**
 * What rounding lost, by State; of other writers' files nothing is known.
 *
 * @param sizes of the States in the order in which they were written
 * @throws {FormatError} if the file holds another number of values
 */
export function restOf(fields: GgufFields, sizes: ReadonlyMap<string, number>): Map<string, Float32Array> {
  const rest = fields.value(REST), parts = new Map<string, Float32Array>(), total = [...sizes.values()].reduce((sum, size) => sum + size, 0);
  if (rest === undefined) return parts;
  if (!(rest instanceof Float32Array) || rest.length !== total) throw fields.error(`"${REST}" should hold ${total} numbers of 32 bits, one for each weight of its norms`);
  let at = 0;
  for (const [id, size] of sizes) parts.set(id, rest.subarray(at, at += size));
  return parts;
}

/** The weights, from what is stored; in place. */
export function minusOne(stored: Float32Array, rest: Float32Array | undefined): Float32Array {
  for (let i = 0; i < stored.length; i++) {
    const near = stored[i]! - 1, lost = rest?.[i] ?? 0;
    stored[i] = near === 0 ? lost : near + lost; // 0 + −0 would be 0
  }
  return stored;
}
