// Added tokens: matched as a whole wherever they stand in a text, before the model sees it. Layer: tokenizer (pure).
// Of several that begin at one place the longest is taken, and of several places the first.
// Source: github.com/huggingface/tokenizers 0.23, tokenizers/src/tokenizer/added_vocabulary.rs.

import { contains, classSet } from './char-set.ts';
import { isSpace } from './normalizers.ts';

/** A token with an id that is matched as a whole, before the model sees the text. */
export interface AddedToken {
  readonly id: number;
  readonly content: string;
  /** Special tokens are matched only where the caller allows it; others wherever they stand in a text. */
  readonly special: boolean;
  /** Only where no letter, digit or underscore touches it. */
  readonly singleWord?: boolean;
  /** Takes the white space before it along. */
  readonly lstrip?: boolean;
  /** Takes the white space behind it along. */
  readonly rstrip?: boolean;
  /** Looked for in the normalized text, itself normalized. */
  readonly normalized?: boolean;
}

/** A stretch of a text: a token, or text between tokens. */
export interface Stretch {
  readonly from: number;
  readonly to: number;
  readonly token: AddedToken | undefined;
}

/** A node of the tree of contents, by UTF-16 unit. */
interface TrieNode {
  readonly next: Map<number, TrieNode>;
  token?: AddedToken;
}

/** Finds a set of added tokens. */
export class AddedTokens {
  readonly isEmpty: boolean;
  readonly #root: TrieNode = { next: new Map() };
  readonly #begins = new Uint8Array(0x10000); // units that a token begins with

  /** @param spelling how a token stands in the text, where that is not its content */
  constructor(tokens: readonly AddedToken[], spelling: (token: AddedToken) => string = ({ content }) => content) {
    this.isEmpty = tokens.length === 0;
    for (const token of tokens) {
      const content = spelling(token);
      if (content === '') continue; // nothing was left of it
      let node = this.#root;
      this.#begins[content.charCodeAt(0)] = 1;
      for (let i = 0; i < content.length; i++) {
        const unit = content.charCodeAt(i), next = node.next.get(unit) ?? { next: new Map() };
        node.next.set(unit, next);
        node = next;
      }
      node.token ??= token;
    }
  }

  /** The whole text as stretches, from left to right. */
  split(text: string): Stretch[] {
    const out: Stretch[] = [], begins = this.#begins;
    let done = 0;
    for (let i = 0; i < text.length;) {
      const found = begins[text.charCodeAt(i)] === 0 ? undefined : this.#longest(text, i);
      if (found === undefined) {
        i++;
        continue;
      }
      const { token } = found;
      let from = i, to = found.to;
      i = to;
      if (token.singleWord && (isWordBefore(text, from) || isWordAt(text, to))) continue;
      if (token.lstrip) { while (from > done && isSpace(text.charCodeAt(from - 1))) from--; }
      if (token.rstrip) { while (to < text.length && isSpace(text.charCodeAt(to))) to++; }
      from = Math.max(from, done);
      if (from > done) out.push({ from: done, to: from, token: undefined });
      out.push({ from, to, token });
      done = to;
    }
    if (done < text.length) out.push({ from: done, to: text.length, token: undefined });
    return out;
  }

  #longest(text: string, from: number): { token: AddedToken; to: number } | undefined {
    let node: TrieNode | undefined = this.#root, found: { token: AddedToken; to: number } | undefined;
    for (let i = from; i < text.length; i++) {
      node = node.next.get(text.charCodeAt(i));
      if (node === undefined) break;
      if (node.token !== undefined) found = { token: node.token, to: i + 1 };
    }
    return found;
  }
}

const isWord = (codePoint: number): boolean => contains(classSet(String.raw`[\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\p{Join_Control}]`), codePoint); // \w of Rust's regex

function isWordAt(text: string, at: number): boolean {
  return at < text.length && isWord(text.codePointAt(at)!);
}

function isWordBefore(text: string, at: number): boolean {
  if (at === 0) return false;
  const unit = text.charCodeAt(at - 1);
  return isWord((unit & 0xfc00) === 0xdc00 && at > 1 ? text.codePointAt(at - 2)! : unit);
}
