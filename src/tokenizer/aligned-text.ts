// A text on its way to tokens, and (if asked for) where in the original each of its characters comes from.
// Layer: tokenizer (pure). Places are UTF-16 units. Without places a text is little more than its string.
// Source: the alignments of Hugging Face tokenizers, tokenizers/src/tokenizer/normalizer.rs.

/** A replacement of text[from..to). */
export interface Edit {
  readonly from: number;
  readonly to: number;
  readonly text: string;
  /**
   * Which characters it belongs to: one by one from the first on, and what is over to the last (`head`, if not said); one by
   * one back from the last, and what is over to the first (`tail`); all to the last (`last`).
   */
  readonly align?: 'head' | 'tail' | 'last';
}

/** See the file's header. */
export class AlignedText {
  readonly text: string;
  /** For each unit where its character begins in the original; undefined if nobody asks. */
  readonly starts: Int32Array | undefined;
  /** And where it ends. */
  readonly ends: Int32Array | undefined;
  /** Whether it begins where the original does. */
  readonly isFirst: boolean;

  constructor(text: string, isFirst: boolean, starts?: Int32Array, ends?: Int32Array) {
    this.text = text;
    this.isFirst = isFirst;
    this.starts = starts;
    this.ends = ends;
  }

  /** A text that is its own original. */
  static of(text: string, isAligned: boolean): AlignedText {
    if (!isAligned) return new AlignedText(text, true);
    const starts = new Int32Array(text.length), ends = new Int32Array(text.length);
    for (let i = 0; i < text.length;) {
      const size = text.codePointAt(i)! > 0xffff ? 2 : 1;
      starts.fill(i, i, i + size);
      ends.fill(i + size, i, i + size);
      i += size;
    }
    return new AlignedText(text, true, starts, ends);
  }

  slice(from: number, to: number): AlignedText {
    if (from === 0 && to === this.text.length) return this;
    return new AlignedText(this.text.slice(from, to), this.isFirst && from === 0, this.starts?.subarray(from, to), this.ends?.subarray(from, to));
  }

  /** Another string in its place; only where nobody asks for places. */
  withText(text: string): AlignedText {
    return new AlignedText(text, this.isFirst);
  }

  /** The text after replacements, in order and apart from each other. */
  edited(edits: readonly Edit[]): AlignedText {
    if (edits.length === 0) return this;
    const parts: string[] = [];
    let at = 0;
    for (const { from, to, text } of edits) {
      parts.push(this.text.slice(at, from), text);
      at = to;
    }
    parts.push(this.text.slice(at));
    const text = parts.join(''), [head] = edits, source = this.text.slice(0, head!.to);
    // What stands for several characters is in the place of the last: it does not begin where the original does.
    const isFirst = this.isFirst && !(head!.from === 0 && head!.align === 'last' && source.length > (source.codePointAt(0)! > 0xffff ? 2 : 1));
    if (this.starts === undefined) return new AlignedText(text, isFirst);
    const starts = new Int32Array(text.length), ends = new Int32Array(text.length);
    let read = 0, write = 0;
    const keep = (to: number): void => {
      starts.set(this.starts!.subarray(read, to), write);
      ends.set(this.ends!.subarray(read, to), write);
      write += to - read;
      read = to;
    };
    for (const edit of edits) {
      keep(edit.from);
      write = this.#place(edit, starts, ends, write);
      read = edit.to;
    }
    keep(this.text.length);
    return new AlignedText(text, isFirst, starts, ends);
  }

  /** Notes where the characters of a replacement come from. @returns where the next go */
  #place({ from, to, text, align = 'head' }: Edit, starts: Int32Array, ends: Int32Array, write: number): number {
    const before = this.text.slice(from, to), sources: number[] = [];
    for (let i = 0; i < before.length; i += before.codePointAt(i)! > 0xffff ? 2 : 1) sources.push(from + i);
    const last = sources.length - 1;
    let at = write, n = align === 'last' ? last : 0;
    const gone = align === 'tail' ? sources.length - [...text].length : 0; // joined into the first
    for (const character of text) {
      // An insertion belongs to the character before it, or at the start to the one behind.
      const source = sources[Math.max(0, Math.min(n++, last))] ?? Math.max(0, from - 1);
      starts.fill(this.starts![source] ?? 0, at, at + character.length);
      ends.fill(this.ends![source] ?? 0, at, at + character.length);
      at += character.length;
      if (at === write + character.length) n += gone;
    }
    return at;
  }

  /** The text with something put before it, which belongs to its first character. */
  prepended(text: string): AlignedText {
    if (this.text === '') return this;
    if (this.starts === undefined) return new AlignedText(text + this.text, this.isFirst);
    const longer = (of: Int32Array): Int32Array => {
      const out = new Int32Array(text.length + of.length).fill(of[0]!, 0, text.length);
      out.set(of, text.length);
      return out;
    };
    return new AlignedText(text + this.text, this.isFirst, longer(this.starts), longer(this.ends!));
  }
}
