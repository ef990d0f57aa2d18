// Stop strings in a stream of text: what might be the beginning of one is held back until it is clear. Layer: engine.

/**
 * @example
 * const stops = new StopMatcher(['\n\n']);
 * stops.push('a\n'); // { text: 'a', stopped: false }
 * stops.push('\nb'); // { text: '', stopped: true }
 */
export class StopMatcher {
  readonly #stops: readonly string[];
  #held = '';

  constructor(stops: readonly string[]) {
    this.#stops = stops.filter((stop) => stop !== '');
  }

  /** Takes text. @returns what can be shown, which never holds a stop string or a part of one that came true */
  push(text: string): { text: string; stopped: boolean } {
    const all = this.#held + text;
    const at = Math.min(...this.#stops.map((stop) => all.indexOf(stop)).filter((i) => i >= 0), Infinity);
    if (at !== Infinity) {
      this.#held = '';
      return { text: all.slice(0, at), stopped: true };
    }
    const keep = this.#pending(all);
    this.#held = all.slice(all.length - keep);
    return { text: all.slice(0, all.length - keep), stopped: false };
  }

  /** What was held back, when nothing more comes. */
  flush(): string {
    const rest = this.#held;
    this.#held = '';
    return rest;
  }

  /** Length of the longest end of `text` that begins a stop string. */
  #pending(text: string): number {
    let longest = 0;
    for (const stop of this.#stops) {
      for (let n = Math.min(stop.length - 1, text.length); n > longest; n--) {
        if (text.endsWith(stop.slice(0, n))) longest = n;
      }
    }
    return longest;
  }
}
