// Damage that knows the structure of what it damages: JSON by its tree, binary headers by their numbers, texts by words.

import { Random } from '../../src/base/random.ts';

/** Seeded choices. */
export class Chance {
  readonly #random: Random;

  constructor(seed: number, index: number) {
    this.#random = new Random(seed, index);
  }

  below(n: number): number {
    return Math.floor(this.#random.uniform() * n);
  }

  one<T>(items: readonly T[]): T {
    return items[this.below(items.length)]!;
  }

  flip(probability = 0.5): boolean {
    return this.#random.uniform() < probability;
  }
}

/** Numbers at which something usually breaks. */
export const EVIL_NUMBERS: readonly number[] = [0, -0, 1, -1, 2, 3, 7, 8, 63, 64, 255, 256, 65_535, 65_536, 2 ** 31 - 1, 2 ** 31, 2 ** 32 - 1, 2 ** 32, 2 ** 53 - 1, 2 ** 53, 2 ** 63, 1e308, -1e308, 0.5, 1e-300];

/** Values that stand where others should; as texts, since some are no values of JavaScript. */
const EVIL_JSON: readonly string[] = [
  ...EVIL_NUMBERS.map(String).map((text) => text.replace('e+', 'e')),
  'null',
  'true',
  'false',
  '""',
  '"__proto__"',
  '"constructor"',
  String.raw`"\ud800"`,
  '"\\u0000"',
  '[]',
  '{}',
  '[[]]',
  '{"__proto__":{"a":1}}',
  '99999999999999999999999999',
  '1e400',
  `"${'x'.repeat(5000)}"`,
  `${'['.repeat(2000)}${']'.repeat(2000)}`,
  `[${'0,'.repeat(3000)}0]`,
  '"(a+)+$"',
  '"(?:a|a)*b"',
  '"[\\\\p{L}"',
];

/** JSON as a tree of texts, so that keys may be there twice and numbers be any. */
type Tree = string | { readonly open: '[' | '{'; readonly items: { key: string; value: Tree }[] };

function treeOf(value: unknown): Tree {
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  if (Array.isArray(value)) return { open: '[', items: value.map((item) => ({ key: '', value: treeOf(item) })) };
  return { open: '{', items: Object.entries(value).map(([key, item]) => ({ key: JSON.stringify(key), value: treeOf(item) })) };
}

function textOf(tree: Tree): string {
  if (typeof tree === 'string') return tree;
  const items = tree.items.map(({ key, value }) => (tree.open === '{' ? `${key}:${textOf(value)}` : textOf(value))).join(',');
  return tree.open === '[' ? `[${items}]` : `{${items}}`;
}

/** Every place of a tree. */
function placesOf(tree: Tree, found: { items: { key: string; value: Tree }[]; at: number }[] = []): typeof found {
  if (typeof tree !== 'string') {
    tree.items.forEach((item, at) => {
      found.push({ items: tree.items, at });
      placesOf(item.value, found);
    });
  }
  return found;
}

/** A JSON text with one to four places of its tree damaged, and now and then some of its characters. */
export function damagedJson(value: unknown, chance: Chance): string {
  const tree = treeOf(value);
  for (let n = 1 + chance.below(4); n > 0; n--) {
    const places = placesOf(tree);
    if (places.length === 0) break;
    const { items, at } = chance.one(places), item = items[at]!;
    switch (chance.below(7)) {
      case 0:
        items.splice(at, 1);
        break;
      case 1:
        items.splice(chance.below(items.length + 1), 0, { ...item });
        break;
      case 2:
        item.key = chance.one(['"__proto__"', '""', String.raw`"\u0061"`, '"constructor"', item.key]);
        break;
      case 3:
        item.value = textOf(chance.one(places.map((place) => place.items[place.at]!.value))); // its text: a part may hold this place
        break;
      default:
        item.value = chance.one(EVIL_JSON);
    }
    if (textLength(tree) > 300_000) break;
  }
  const text = textOf(tree);
  return chance.flip(0.1) ? damagedText(text, chance) : text;
}

const textLength = (tree: Tree): number => (typeof tree === 'string' ? tree.length : tree.items.reduce((sum, { key, value }) => sum + key.length + textLength(value), 0));

/** A text with words taken out, put in twice, or swapped, or cut short. */
export function damagedText(text: string, chance: Chance, words: readonly string[] = ['{', '}', '[', ']', '"', ',', ':', '\\', '\u0000', '0', '-', '\ud800']): string {
  for (let n = 1 + chance.below(3); n > 0; n--) {
    const a = chance.below(text.length + 1), b = Math.min(text.length, a + chance.below(30)), middle = text.slice(a, b);
    switch (chance.below(5)) {
      case 0:
        text = text.slice(0, a) + text.slice(b);
        break;
      case 1:
        text = text.slice(0, b) + middle + text.slice(b);
        break;
      case 2:
        text = text.slice(0, a);
        break;
      default:
        text = text.slice(0, a) + chance.one(words) + text.slice(b);
    }
  }
  return text;
}

/** Bytes with numbers of a header replaced, bits turned, stretches repeated, or the end cut off. */
export function damagedBytes(bytes: Uint8Array, headerBytes: number, chance: Chance): Uint8Array {
  let out = Uint8Array.from(bytes);
  for (let n = 1 + chance.below(3); n > 0; n--) {
    const at = chance.below(Math.max(1, Math.min(headerBytes, out.length - 8))), view = new DataView(out.buffer);
    switch (chance.below(6)) {
      case 0:
        if (at + 8 <= out.length) view.setBigUint64(at, BigInt.asUintN(64, BigInt(Math.trunc(chance.one(EVIL_NUMBERS.filter((value) => Math.abs(value) < 1e20))))), true);
        break;
      case 1:
        if (at + 4 <= out.length) view.setUint32(at, chance.one(EVIL_NUMBERS) >>> 0, true);
        break;
      case 2:
        out = out.slice(0, chance.flip() ? at : chance.below(out.length + 1));
        break;
      case 3:
        out = Uint8Array.from([...out.subarray(0, at), ...out.subarray(at, at + chance.below(64)), ...out.subarray(at)]);
        break;
      default:
        if (at < out.length) out[at]! ^= 1 << chance.below(8);
    }
  }
  return out;
}
