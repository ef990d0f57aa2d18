// Pieces of held-out text, chosen by the seed: prompts, and how they really go on. Layer: cli.

import { Random } from '../base/random.ts';
import type { Corpus } from '../data/index.ts';

export interface Excerpt {
  /** The document. */
  readonly id: string;
  readonly prompt: string;
  /** What follows in the document. */
  readonly truth: string;
}

/** Characters before and after the cut. */
const PROMPT_CHARS = 160, TRUTH_CHARS = 200;

/**
 * Chooses excerpts from different held-out documents where there are enough; each begins at a line's start where it can.
 * The choice depends on the corpus and the seed alone.
 */
export function chooseExcerpts(corpus: Corpus, count: number, seed: number): Excerpt[] {
  const random = new Random(seed, 'excerpts'), wanted = PROMPT_CHARS + TRUTH_CHARS;
  // A uniform choice of `count` documents in one pass (Vitter 1985, algorithm R), so that a large corpus is not held.
  const chosen: { id: string; text: string }[] = [];
  let seen = 0;
  for (const { id, text } of corpus.documents('validation')) {
    if (text.trim().length < 40) continue;
    seen++;
    if (chosen.length < count) chosen.push({ id, text });
    else {
      const place = random.int(seen);
      if (place < count) chosen[place] = { id, text };
    }
  }
  if (chosen.length === 0) return [];
  return Array.from({ length: count }, (_, i) => {
    const { id, text } = chosen[i % chosen.length]!, room = Math.max(0, text.length - wanted);
    const from = lineStart(text, room === 0 ? 0 : random.int(room)), cut = Math.min(from + PROMPT_CHARS, from + Math.floor((text.length - from) / 2));
    const at = wholeCharacter(text, cut);
    return { id, prompt: text.slice(from, at), truth: text.slice(at, wholeCharacter(text, Math.min(text.length, at + TRUTH_CHARS))) };
  });
}

/** The start of the line, unless that is far away. */
function lineStart(text: string, at: number): number {
  const start = text.lastIndexOf('\n', at) + 1;
  return wholeCharacter(text, at - start <= PROMPT_CHARS ? start : at);
}

/** Not inside a surrogate pair. */
function wholeCharacter(text: string, at: number): number {
  const code = text.charCodeAt(at - 1);
  return code >= 0xd800 && code < 0xdc00 ? at + 1 : at;
}
