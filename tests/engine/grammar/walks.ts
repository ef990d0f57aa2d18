// A small vocabulary of our own, and walks through constraints by their masks.

import type { Constraint } from '../../../src/engine/constraint.ts';
import type { CompiledGrammar, Vocabulary } from '../../../src/engine/grammar/index.ts';
import type { Random } from '../../../src/base/random.ts';

const WORDS = [
  '{"',
  '":',
  '": "',
  '", "',
  '","',
  '"}',
  '"}]',
  '}}',
  '[[',
  ']]',
  '],[',
  '{}',
  '[]',
  '": ',
  ', ',
  '": {',
  '": [',
  '"]',
  '\\"',
  '\\n',
  '\\u00',
  'true',
  'false',
  'null',
  'name',
  'age',
  'a',
  'ab',
  'abc',
  'hello',
  ' world',
  'foo',
  'bar',
  '中',
  '中文',
  '你好',
  '，',
  '😀',
  'é',
  '12',
  '123',
  '0.',
  '.5',
  '-1',
  '1e5',
  '2024',
  '-01',
  'T',
  ':00',
  '<tool_call>',
  '<tool',
  '_call>',
  '</tool_call>',
  '\n',
];
const encoder = new TextEncoder();

/** All bytes, some words, halves of characters, a special token and a stop token. */
export function smallVocabulary(): Vocabulary & { readonly stop: number; readonly special: number } {
  const tokens: (Uint8Array | undefined)[] = Array.from({ length: 256 }, (_, byte) => Uint8Array.of(byte));
  for (const word of WORDS) if (encoder.encode(word).length > 1) tokens.push(encoder.encode(word));
  tokens.push(encoder.encode('中').subarray(0, 2), encoder.encode('"中').subarray(0, 3), Uint8Array.of(0xad, 0x22));
  const special = tokens.length, stop = special + 1;
  tokens.push(undefined, undefined);
  return { bytesOf: (id) => tokens[id], size: tokens.length, stopIds: [stop], stop, special };
}

/** The ids whose bits are set. */
export function idsOf(mask: Uint32Array): number[] {
  const ids: number[] = [];
  mask.forEach((bits, word) => {
    for (let bit = 0; bit < 32; bit++) if ((bits >>> bit) & 1) ids.push(word * 32 + bit);
  });
  return ids;
}

export const maskOf = (constraint: Constraint, vocabulary: Vocabulary): Uint32Array => {
  const mask = new Uint32Array((vocabulary.size + 31) >> 5);
  constraint.fillMask(mask);
  return mask;
};

/** How a walk chooses: at random, or what opens brackets and strings as long as it may; both end when asked to. */
export type Style = 'random' | 'nesting';

export type Walk = { readonly text: string; readonly tokens: number };

/**
 * A text by masks. After `patience` tokens it prefers to end: the tokens behind which the fewest bytes are needed.
 *
 * @throws if no token may come, if what the mask allows is not accepted, or if no end comes
 */
export function walk(grammar: CompiledGrammar, vocabulary: Vocabulary, random: Random, { style = 'random', patience = 30, most = 2000 }: { style?: Style; patience?: number; most?: number } = {}): Walk {
  const constraint = grammar.start(), bytes: number[] = [], stops = new Set(vocabulary.stopIds);
  const cost = (id: number): number => {
    if (stops.has(id)) return -1;
    const next = constraint.fork();
    return next.accept(id) ? next.bytesToEnd : Infinity;
  };
  const opens = (id: number): boolean => [0x5b, 0x7b].includes(vocabulary.bytesOf(id)?.[0] ?? 0);
  for (let n = 0; n < most; n++) {
    const ids = idsOf(maskOf(constraint, vocabulary));
    if (ids.length === 0) throw new Error(`no token may follow ${JSON.stringify(Buffer.from(bytes).toString())}`);
    const opening = style === 'nesting' ? ids.filter(opens) : [];
    let id = ids[random.int(ids.length)]!;
    if (opening.length > 0 && n < patience) id = opening[random.int(opening.length)]!;
    if (n >= patience) {
      const costs = ids.map(cost), least = Math.min(...costs), best = ids.filter((_, i) => costs[i] === least);
      id = best[random.int(best.length)]!;
    }
    if (constraint.canEnd && n < patience && random.int(3) === 0) id = vocabulary.stopIds[0]!;
    if (!constraint.accept(id)) throw new Error(`token ${id} is in the mask and not accepted`);
    if (stops.has(id)) return { text: new TextDecoder('utf-8', { fatal: true }).decode(Uint8Array.from(bytes)), tokens: n };
    bytes.push(...vocabulary.bytesOf(id)!);
  }
  throw new Error(`no end after ${most} tokens: ${JSON.stringify(Buffer.from(bytes).toString().slice(0, 300))}`);
}

/** Whether a grammar takes a whole text, byte by byte. */
export function takes(grammar: CompiledGrammar, text: string): boolean {
  const constraint = grammar.start();
  for (const byte of encoder.encode(text)) if (!constraint.accept(byte)) return false;
  return constraint.canEnd;
}
