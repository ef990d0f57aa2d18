// Decontamination: documents that share a long run of words with an evaluation set are dropped. Layer: data (file access).
// Runs of 13 words as in GPT-3 (Brown et al. 2020, arXiv 2005.14165, appendix C), lower case, punctuation left out; a CJK
// character counts as a word. An item shorter than a run is looked for whole. Runs are compared by hashes of 53 bits, and
// where one is found the document's text is what is reported.

import { readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { z } from 'zod';
import { storageError } from '../../base/durable.ts';
import { ConfigError } from '../../base/errors.ts';
import type { StageKind } from '../stage.ts';

const options = z.strictObject({
  against: z.union([z.string(), z.array(z.string()).min(1)]).describe('evaluation sets: JSONL files, or texts with an item a line'),
  n: z.int().min(2).max(64).default(13).describe('words in a run'),
  minWords: z.int().min(1).default(8).describe('shorter items are not looked for: they are in every text'),
  maxHits: z.int().min(0).default(0).describe('a document with so many different runs of a set is still kept'),
});
type Options = z.infer<typeof options>;

/** Hashes to sets; sets by number. */
type Runs = { readonly names: string[]; readonly byLength: Map<number, Map<number, number>> };

/** Drops documents that contain an evaluation item or a run of its words. */
export const decontaminate: StageKind<Options> = {
  name: 'decontaminate',
  about: 'Drops documents that share runs of words (13 by default) with evaluation sets, and says which set and which words.',
  scope: 'document',
  options,
  files: ({ against }) => (typeof against === 'string' ? [against] : against),
  start({ against, n, minWords, maxHits }, context) {
    const runs = readSets(typeof against === 'string' ? [against] : against, n, minWords);
    return async function*(documents) {
      for await (const document of documents) {
        const hits = findRuns(document.text, runs), worst = [...hits.values()].sort((a, b) => b.count - a.count)[0];
        if (worst === undefined || worst.count <= maxHits) {
          yield document;
          continue;
        }
        for (const { name } of hits.values()) context.count(`decontaminate.${name}`);
        context.drop(document, worst.name, `${worst.count} runs of ${n} words of ${worst.name}, more than ${maxHits}: "${worst.words}"`);
      }
    };
  },
};

type Word = { text: string; hash: number };

function wordsOf(text: string): Word[] {
  const words: Word[] = [];
  for (const [word] of text.normalize('NFKC').toLowerCase().matchAll(/[\p{scx=Han}\p{scx=Hiragana}\p{scx=Katakana}]|[\p{L}\p{N}\p{M}]+/gu)) words.push({ text: word, hash: hashWord(word) });
  return words;
}

/** FNV-1a. */
function hashWord(word: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < word.length; i++) hash = Math.imul(hash ^ word.charCodeAt(i), 0x01000193);
  return hash >>> 0;
}

/** A number below 2^53 of words [at, at + length). */
function runHash(words: readonly Word[], at: number, length: number): number {
  let a = 0x9e3779b1, b = 0x85ebca6b;
  for (let i = at; i < at + length; i++) {
    const { hash } = words[i]!;
    a = Math.imul(a ^ hash, 0xcc9e2d51) ^ (a >>> 15);
    b = Math.imul(b ^ (hash + 0x7f4a7c15), 0x1b873593) ^ (b >>> 13);
  }
  return (a >>> 0) * 2 ** 21 + (b >>> 11);
}

function readSets(paths: readonly string[], n: number, minWords: number): Runs {
  const names: string[] = [], byLength = new Map<number, Map<number, number>>();
  for (const path of paths) {
    const set = names.push(basename(path)) - 1;
    let items = 0;
    for (const item of itemsOf(path)) {
      const words = wordsOf(item), length = Math.min(n, words.length);
      if (words.length < minWords) continue;
      items++;
      let table = byLength.get(length);
      if (table === undefined) byLength.set(length, table = new Map());
      for (let at = 0; at + length <= words.length; at++) {
        const hash = runHash(words, at, length);
        if (!table.has(hash)) table.set(hash, set);
      }
    }
    if (items === 0) throw new ConfigError(`Cannot look for "${path}": it has no item of ${minWords} words or more.`, { path: 'data.stages' });
  }
  return { names, byLength };
}

/** Texts of a set: of JSON lines every string (a question, its choices), else lines. */
function* itemsOf(path: string): Generator<string> {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (cause) {
    throw storageError('read the evaluation set', path, cause);
  }
  for (const line of text.split('\n')) {
    if (!line.trimStart().startsWith('{')) yield line;
    else {
      let value: unknown;
      try {
        value = JSON.parse(line);
      } catch {
        yield line;
        continue;
      }
      yield* stringsOf(value);
    }
  }
}

function* stringsOf(value: unknown): Generator<string> {
  if (typeof value === 'string') yield value;
  else if (typeof value === 'object' && value !== null) { for (const inner of Object.values(value)) yield* stringsOf(inner); }
}

function findRuns(text: string, { names, byLength }: Runs): Map<number, { name: string; count: number; words: string }> {
  const words = wordsOf(text), hits = new Map<number, { name: string; count: number; words: string }>(), seen = new Set<number>();
  for (const [length, table] of byLength) {
    for (let at = 0; at + length <= words.length; at++) {
      const hash = runHash(words, at, length), set = table.get(hash);
      if (set === undefined || seen.has(hash)) continue;
      seen.add(hash);
      const hit = hits.get(set);
      if (hit !== undefined) hit.count++;
      else hits.set(set, { name: names[set]!, count: 1, words: words.slice(at, at + length).map((word) => word.text).join(' ') });
    }
  }
  return hits;
}
