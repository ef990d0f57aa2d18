// Counting the pieces of a training text: the first half of BPE training. Layer: tokenizer (pure).

import { grownFloats } from './grown.ts';
import type { SplitPattern } from './split-pattern.ts';
import { scannerOf, type Scanner } from './split-scanner.ts';
import { chunkEnd, PADDING, Utf8Text } from './utf8-text.ts';
import { WordTable } from './word-table.ts';

/**
 * Longer pieces are counted in parts of this many bytes: text without blanks (a line of 100 MB) would otherwise be one
 * word that every merge walks through. Merges differ from those of other trainers only where pieces are this long.
 */
const LONGEST_WORD = 1024;

/** Distinct words and how often each came, flat, so that it moves between threads without a copy. */
export interface WordCounts {
  /** All words' bytes, one after another. */
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** Where each word ends in `bytes`. */
  readonly ends: Uint32Array<ArrayBuffer>;
  readonly counts: Float64Array<ArrayBuffer>;
}

/** The end of a part of a long piece: at most LONGEST_WORD bytes, never inside a character. */
function partEnd(bytes: Uint8Array, start: number, end: number): number {
  let cut = start + LONGEST_WORD;
  if (cut >= end) return end;
  while ((bytes[cut]! & 0xc0) === 0x80) cut--; // a continuation byte
  return cut;
}

/** Counts pieces. The order in which texts come does not change the counts. */
export class WordCounter {
  readonly #words = new WordTable();
  readonly #scan: Scanner;
  readonly #text = new Utf8Text();
  #counts = new Float64Array(1024);

  constructor(pattern: SplitPattern) {
    this.#scan = scannerOf(pattern);
  }

  /** Counts the pieces of one text. */
  add(text: string): void {
    for (let from = 0; from < text.length;) {
      const to = chunkEnd(text, from);
      this.#text.load(text, from, to);
      this.addBytes(this.#text.bytes, this.#text.view, 0, this.#text.length);
      from = to;
    }
  }

  /** Counts the pieces of bytes[from..to): a whole text, or a part of one between safe cuts. */
  addBytes(bytes: Uint8Array, view: DataView, from: number, to: number): void {
    const scan = this.#scan;
    for (let start = from; start < to;) {
      const end = scan(bytes, start, to);
      for (let part = start; part < end;) {
        const next = partEnd(bytes, part, end);
        this.#count(view, part, next - part, 1);
        part = next;
      }
      start = end;
    }
  }

  /** Adds the counts of another counter. */
  merge(other: WordCounts): void {
    const padded = new Uint8Array(other.bytes.length + PADDING), view = new DataView(padded.buffer);
    padded.set(other.bytes);
    for (let i = 0, start = 0; i < other.ends.length; start = other.ends[i++]!) {
      this.#count(view, start, other.ends[i]! - start, other.counts[i]!);
    }
  }

  #count(view: DataView, start: number, length: number, times: number): void {
    const index = this.#words.indexOf(view, start, length);
    if (index >= this.#counts.length) this.#counts = grownFloats(this.#counts, index + 1);
    this.#counts[index]! += times;
  }

  /** What was counted so far. */
  take(): WordCounts {
    const { bytes, ends } = this.#words.flatten();
    return { bytes, ends, counts: this.#counts.slice(0, ends.length) };
  }
}
