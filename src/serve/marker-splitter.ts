// Text that comes in pieces, cut at markers such as </think>, with what may be the beginning of one held back. Layer: serve (pure).

/** A piece of text, or a marker. */
export type Cut = { readonly kind: 'text'; readonly text: string } | { readonly kind: 'marker'; readonly text: string };

/**
 * @example
 * const splitter = new MarkerSplitter(['</think>']);
 * splitter.push('so</th'); // [text 'so']
 * splitter.push('ink>Yes'); // [marker '</think>', text 'Yes']
 */
export class MarkerSplitter {
  readonly #markers: readonly string[];
  #held = '';

  constructor(markers: readonly string[]) {
    this.#markers = markers;
  }

  push(text: string): Cut[] {
    const cuts: Cut[] = [];
    let rest = this.#held + text;
    for (;;) {
      const found = this.#first(rest);
      if (found === undefined) break;
      if (found.at > 0) cuts.push({ kind: 'text', text: rest.slice(0, found.at) });
      cuts.push({ kind: 'marker', text: found.marker });
      rest = rest.slice(found.at + found.marker.length);
    }
    const keep = this.#pending(rest);
    if (rest.length > keep) cuts.push({ kind: 'text', text: rest.slice(0, rest.length - keep) });
    this.#held = rest.slice(rest.length - keep);
    return cuts;
  }

  /** What was held back, when nothing more comes. */
  flush(): string {
    const rest = this.#held;
    this.#held = '';
    return rest;
  }

  /** The first marker, of several at one place the longest. */
  #first(text: string): { at: number; marker: string } | undefined {
    let best: { at: number; marker: string } | undefined;
    for (const marker of this.#markers) {
      const at = text.indexOf(marker);
      if (at >= 0 && (best === undefined || at < best.at || (at === best.at && marker.length > best.marker.length))) best = { at, marker };
    }
    return best;
  }

  /** Length of the longest end of `text` that begins a marker. */
  #pending(text: string): number {
    let longest = 0;
    for (const marker of this.#markers) {
      for (let n = Math.min(marker.length - 1, text.length); n > longest; n--) if (text.endsWith(marker.slice(0, n))) longest = n;
    }
    return longest;
  }
}
