// Unigram: of all ways to write a piece with tokens the likeliest. Layer: tokenizer (pure).
// Each token has a score (the logarithm of its probability); the best sum is found from left to right (Viterbi).
// Source: Kudo 2018, arXiv 1804.10959; github.com/huggingface/tokenizers 0.23, tokenizers/src/models/unigram/model.rs;
// github.com/google/sentencepiece src/unigram_model.cc (sums in single precision).

import { ConfigError } from '../base/errors.ts';
import type { IdBuffer } from './id-buffer.ts';
import { byteToken } from './merge-bpe.ts';
import { WordCache, type PieceModel } from './piece-model.ts';
import { StringTrie } from './string-trie.ts';

/** An unknown character's score is this much below the worst token's. */
const UNKNOWN_PENALTY = 10;
const LONGEST_CACHED = 32;

export interface UnigramFields {
  readonly tokens: readonly (string | undefined)[];
  /** By id. */
  readonly scores: Float64Array;
  readonly unknown?: number | undefined;
  readonly byteFallback?: boolean;
  /** Ids in `tokens` that text must never give. */
  readonly reserved?: ReadonlySet<number>;
  /** Sums as SentencePiece makes them. */
  readonly singlePrecision?: boolean;
}

/** See the file's header. */
export class Unigram implements PieceModel {
  readonly type = 'Unigram';
  readonly tokens: readonly (string | undefined)[];
  readonly #fields: UnigramFields;
  readonly #ids = new Map<string, number>();
  readonly #trie = new StringTrie();
  readonly #unknownScore: number;
  readonly #cache = new WordCache();
  readonly #encoder = new TextEncoder();
  #scores = new Float64Array(64); // scratch, by place: the best sum up to there, where its last token begins, and its id
  #starts = new Int32Array(64);
  #best = new Int32Array(64);

  constructor(fields: UnigramFields) {
    this.#fields = fields;
    this.tokens = fields.tokens;
    let least = Infinity;
    fields.tokens.forEach((token, id) => {
      if (token === undefined) return;
      this.#ids.set(token, id);
      least = Math.min(least, fields.scores[id]!);
      if (token !== '' && !fields.reserved?.has(id)) this.#trie.add(token, id);
    });
    this.#unknownScore = fields.singlePrecision ? Math.fround(least - UNKNOWN_PENALTY) : least - UNKNOWN_PENALTY;
  }

  encodePiece(piece: string, out: IdBuffer, spans?: IdBuffer): void {
    if (spans !== undefined || piece.length > LONGEST_CACHED) this.#encode(piece, out, spans);
    else if (!this.#cache.copy(piece, out)) {
      const from = out.length;
      this.#encode(piece, out);
      this.#cache.store(piece, out, from);
    }
  }

  #encode(piece: string, out: IdBuffer, spans?: IdBuffer): void {
    const cuts = this.#bestCuts(piece); // places, from the end to the start
    for (let i = cuts.length - 1; i > 0; i--) {
      const from = cuts[i]!, id = this.#best[cuts[i - 1]!]!;
      let to = cuts[i - 1]!;
      if (id < 0) { while (i > 1 && this.#best[cuts[i - 2]!]! < 0) to = cuts[--i - 1]!; // unknown ones in a row are one
       }
      const first = out.length;
      if (id >= 0) out.push(id);
      else this.#pushUnknown(piece.slice(from, to), out);
      if (spans === undefined) continue;
      for (let k = first; k < out.length; k++) {
        spans.push(from);
        spans.push(to);
      }
    }
  }

  /** Finds the best way; leaves each token's id at its end in `#best`, -1 for an unknown character. */
  #bestCuts(piece: string): number[] {
    const size = piece.length, trie = this.#trie, isSingle = this.#fields.singlePrecision === true;
    if (this.#scores.length <= size) {
      this.#scores = new Float64Array(2 * size + 1);
      this.#starts = new Int32Array(2 * size + 1);
      this.#best = new Int32Array(2 * size + 1);
    }
    const scores = this.#scores, starts = this.#starts, best = this.#best;
    starts.fill(-1, 0, size + 1);
    scores[0] = 0;
    for (let i = 0; i < size;) {
      const width = piece.codePointAt(i)! > 0xffff ? 2 : 1, sum = scores[i]!;
      let hasSingle = false;
      for (let j = i, node = 0; j < size;) {
        node = trie.next(node, piece.charCodeAt(j));
        if (node < 0) break;
        const id = trie.valueAt(node);
        j++;
        if (id < 0) continue;
        const exact = sum + this.#fields.scores[id]!, score = isSingle ? Math.fround(exact) : exact;
        if (j === i + width) hasSingle = true;
        if (starts[j]! >= 0 && score <= scores[j]!) continue;
        scores[j] = score;
        starts[j] = i;
        best[j] = id;
      }
      if (!hasSingle) {
        const j = i + width, exact = sum + this.#unknownScore, score = isSingle ? Math.fround(exact) : exact;
        if (starts[j]! < 0 || score > scores[j]!) {
          scores[j] = score;
          starts[j] = i;
          best[j] = -1;
        }
      }
      i += width;
    }
    const cuts = [size];
    for (let at = size; at > 0;) cuts.push(at = starts[at]!);
    return cuts;
  }

  #pushUnknown(text: string, out: IdBuffer): void {
    const { unknown, byteFallback } = this.#fields;
    if (byteFallback) {
      const ids = Array.from(this.#encoder.encode(text), (byte) => this.#ids.get(byteToken(byte)));
      if (!ids.includes(undefined)) {
        for (const id of ids) out.push(id!);
        return;
      }
    }
    if (unknown === undefined) throw new ConfigError(`Cannot encode ${JSON.stringify(text.slice(0, 20))}: this vocabulary lacks it and has no token for the unknown. Use another tokenizer for such text.`);
    out.push(unknown);
  }

  idOf(token: string): number | undefined {
    return this.#ids.get(token);
  }

  toJson(): string {
    const vocab = this.tokens.map((token, id) => JSON.stringify([token ?? '', this.#fields.scores[id]!]));
    return `{"type":"Unigram","unk_id":${this.#fields.unknown ?? null},"vocab":[${vocab.join(',')}],"byte_fallback":${this.#fields.byteFallback === true}}`;
  }
}
