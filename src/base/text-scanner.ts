// A text read from left to right: what parsers of small languages stand on. Layer: base (pure).

export class TextScanner {
  readonly source: string;
  /** UTF-16 units before what comes next. */
  at = 0;

  constructor(source: string) {
    this.source = source;
  }

  get isAtEnd(): boolean {
    return this.at >= this.source.length;
  }

  /** The unit that comes next, or one `ahead` of it; undefined beyond the end. */
  peek(ahead = 0): string | undefined {
    return this.source[this.at + ahead];
  }

  startsWith(text: string): boolean {
    return this.source.startsWith(text, this.at);
  }

  /** Goes over `text` if it comes next. @returns whether it did */
  take(text: string): boolean {
    if (!this.startsWith(text)) return false;
    this.at += text.length;
    return true;
  }

  /** Goes over what a pattern finds here, if it does. */
  match(pattern: RegExp): RegExpExecArray | null {
    const sticky = new RegExp(pattern, 'y');
    sticky.lastIndex = this.at;
    const found = sticky.exec(this.source);
    if (found !== null) this.at += found[0].length;
    return found;
  }

  /** Goes over a character. @returns its code point, or undefined at the end */
  next(): number | undefined {
    const codePoint = this.source.codePointAt(this.at);
    if (codePoint !== undefined) this.at += codePoint > 0xffff ? 2 : 1;
    return codePoint;
  }
}
