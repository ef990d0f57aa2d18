// SentencePiece's table of replacements, as `precompiled_charsmap` keeps it. Layer: tokenizer (pure).
// A double-array trie (Darts) leads from UTF-8 to a place in a block of strings that end in a zero byte.
// Source: github.com/google/sentencepiece src/normalizer.cc; github.com/huggingface/spm_precompiled src/lib.rs.

import { classSet } from './char-set.ts';
import type { Normalizer } from './normalizers.ts';
import type { Edit } from './aligned-text.ts';

/** Longer graphemes are looked up character by character. */
const LONGEST_GRAPHEME = 6;

/** Characters that never join a neighbour of the same kind into one grapheme; of controls all but the carriage return. */
const SIMPLE = String.raw`[\0-\x0c\x0e-\x7f\xa0-\xac\xae-\u02ff\u0370-\u0482\u048a-\u0588\u1e00-\u1fff\u2010-\u2027\u3000-\u3029\u3030-\u3098\u309b-\u9fff\uac00-\ud7a3\uf900-\ufaff\uff01-\uff9d]`;

/** The table. */
export class Charsmap {
  readonly #trie: Uint32Array;
  readonly #strings: Uint8Array;
  readonly #encoder = new TextEncoder();
  readonly #decoder = new TextDecoder('utf-8', { ignoreBOM: true });
  readonly #known = new Map<string, string | undefined>();

  /** @throws {RangeError} saying what is wrong with the bytes */
  constructor(bytes: Uint8Array) {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    if (bytes.length < 4) throw new RangeError('has fewer than 4 bytes');
    const size = view.getUint32(0, true);
    if (size % 4 !== 0 || size === 0 || size + 4 > bytes.length) throw new RangeError(`claims a table of ${size} bytes, which its ${bytes.length} bytes cannot hold`);
    this.#trie = Uint32Array.from({ length: size / 4 }, (_, i) => view.getUint32(4 + 4 * i, true));
    this.#strings = bytes.subarray(4 + size);
  }

  /** What begins `key`: the length of the shortest or longest entry and its replacement. */
  #find(key: Uint8Array, from: number, longest: boolean): { length: number; text: string } | undefined {
    const trie = this.#trie;
    let at = offsetOf(trie[0]!), length = 0, value = -1;
    for (let i = from; i < key.length && key[i] !== 0; i++) {
      at ^= key[i]!;
      const unit = trie[at];
      if (unit === undefined || ((unit & 0x800000ff) >>> 0) !== key[i]) break; // the label, and no leaf
      at ^= offsetOf(unit);
      if (((unit >>> 8) & 1) === 0) continue;
      value = (trie[at] ?? 0) & 0x7fffffff;
      length = i + 1 - from;
      if (!longest) break;
    }
    if (value < 0) return undefined;
    const end = this.#strings.indexOf(0, value);
    return { length, text: this.#decoder.decode(this.#strings.subarray(value, end < 0 ? undefined : end)) };
  }

  /** As Hugging Face tokenizers looks a grapheme or character up: by its shortest beginning that is there. */
  #replacement(part: string): string | undefined {
    if (this.#known.has(part)) return this.#known.get(part);
    const found = this.#find(this.#encoder.encode(part), 0, false)?.text;
    if (this.#known.size > 1 << 16) this.#known.clear();
    this.#known.set(part, found);
    return found;
  }

  /** `Precompiled` of a tokenizer.json: grapheme by grapheme. */
  byGrapheme(): Normalizer {
    const same = new Uint8Array(0x10000); // characters of one unit that stay: 1; unknown: 0
    const simple = new Uint8Array(0x10000), ranges = classSet(SIMPLE);
    for (let i = 0; i < ranges.length; i += 2) simple.fill(1, ranges[i], ranges[i + 1]);
    const isAlone = (text: string, at: number): boolean => at >= text.length || simple[text.charCodeAt(at)] === 1;
    const segmenter = new Intl.Segmenter('en', { granularity: 'grapheme' });
    return {
      apply: (text) => {
        const edits: Edit[] = [], { text: whole } = text;
        for (let i = 0; i < whole.length;) {
          const unit = whole.charCodeAt(i), endsHere = isAlone(whole, i + 1);
          if (endsHere && simple[unit] === 1) {
            if (same[unit] === 0 && !this.#edit(whole, i, i + 1, edits)) same[unit] = 1;
            i++;
            continue;
          }
          const start = i;
          do i++; while (i < whole.length && !(isAlone(whole, i - 1) && isAlone(whole, i))); // to where a grapheme must end
          for (const { segment, index } of segmenter.segment(whole.slice(start, i))) this.#editGrapheme(whole, start + index, start + index + segment.length, edits);
        }
        return text.edited(edits);
      },
    };
  }

  #editGrapheme(text: string, from: number, to: number, edits: Edit[]): void {
    const grapheme = text.slice(from, to), isShort = to - from < LONGEST_GRAPHEME && this.#encoder.encode(grapheme).length < LONGEST_GRAPHEME;
    if (isShort && this.#edit(text, from, to, edits)) return;
    for (let i = from; i < to;) {
      const size = text.codePointAt(i)! > 0xffff ? 2 : 1;
      this.#edit(text, i, i + size, edits);
      i += size;
    }
  }

  #edit(text: string, from: number, to: number, edits: Edit[]): boolean {
    const replacement = this.#replacement(text.slice(from, to));
    if (replacement === undefined) return false;
    edits.push({ from, to, text: replacement });
    return true;
  }

  /** As SentencePiece does it: from left to right the longest entry that is there. */
  byLongest(): Normalizer {
    const plain: (0 | 1)[] = []; // ASCII characters that are no entry
    return {
      apply: (text) => {
        const edits: Edit[] = [], { text: whole } = text;
        for (let i = 0; i < whole.length;) {
          const unit = whole.charCodeAt(i), next = i + 1 < whole.length ? whole.charCodeAt(i + 1) : 0x20;
          if (unit < 0x7f && unit >= 0x20 && next < 0x80 && (plain[unit] ??= this.#find(Uint8Array.of(unit), 0, true) === undefined ? 1 : 0) === 1) {
            i++; // no entry joins two ASCII characters
            continue;
          }
          const bytes = this.#encoder.encode(whole.slice(i, i + LONGEST_ENTRY)), found = this.#find(bytes, 0, true);
          if (found === undefined) {
            i += (unit & 0xfc00) === 0xd800 ? 2 : 1;
            continue;
          }
          const units = this.#decoder.decode(bytes.subarray(0, found.length)).length;
          edits.push({ from: i, to: i + units, text: found.text });
          i += units;
        }
        return text.edited(edits);
      },
    };
  }
}

/** Units that an entry of the table may have; those in use have at most 18 bytes. */
const LONGEST_ENTRY = 24;

/** The offset of a unit of the double array. */
function offsetOf(unit: number): number {
  return (unit >>> 10) << ((unit & 0x200) >>> 6);
}
