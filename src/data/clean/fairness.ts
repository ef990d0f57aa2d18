// Representation and association of groups of people in a corpus. Layer: data (pure).
// How often each group is named, and with which attributes in the same sentence: pointwise mutual information (Church &
// Hanks 1990) and the odds ratio with its 95% interval (Woolf 1955: log odds ± 1.96 · sqrt(Σ 1/cell), 1/2 added to each cell after
// Haldane and Anscombe). Sentences, not documents, are the unit: in a long document everything stands beside everything.

import { ATTRIBUTE_WORDS, GROUP_WORDS, type Groups, type WordList } from './fairness-words.ts';
import { PhraseIndex } from './phrases.ts';
import { WordScanner } from './words.ts';

/** A group's part in its dimension. */
export type Representation = { dimension: string; group: string; mentions: number; sentences: number; documents: number; share: number; shareLow: number; shareHigh: number };
/** A group beside an attribute, against the other groups of its dimension. `notable`: the interval does not hold 1 after Bonferroni's correction. */
export type Association = { dimension: string; group: string; attribute: string; together: number; pmi: number; oddsRatio: number; low: number; high: number; notable: boolean };
export type FairnessReport = { documents: number; sentences: number; representation: Representation[]; associations: Association[]; notes: string[] };

/** Units beyond which a sentence is cut: a text without stops is no sentence. */
const LONGEST_SENTENCE = 1000;
/** The normal quantile of a 95% interval. */
const Z95 = 1.96;

/** Counts over a stream of documents; `merge` adds another process's counts. */
export class FairnessCounter {
  readonly #groups: readonly { dimension: string; group: string }[];
  readonly #attributes: readonly string[];
  readonly #phrases: PhraseIndex;
  readonly #scanner = new WordScanner();
  #counts: FairnessCounts;

  constructor(groups: Groups = GROUP_WORDS, attributes: Readonly<Record<string, WordList>> = ATTRIBUTE_WORDS) {
    this.#groups = Object.entries(groups).flatMap(([dimension, names]) => Object.keys(names).map((group) => ({ dimension, group })));
    this.#attributes = Object.keys(attributes);
    this.#phrases = new PhraseIndex([...Object.values(groups).flatMap((names) => Object.values(names)), ...Object.values(attributes)]);
    const g = this.#groups.length, a = this.#attributes.length;
    this.#counts = { documents: 0, sentences: 0, mentions: zeros(g), groupSentences: zeros(g), groupDocuments: zeros(g), attributeSentences: zeros(a), together: zeros(g * a) };
  }

  /** Plain numbers, to travel between processes. */
  get counts(): FairnessCounts {
    return structuredClone(this.#counts);
  }

  add(text: string): void {
    const lower = text.toLowerCase(), words = this.#scanner.scan(lower), targets = this.#groups.length + this.#attributes.length;
    const inSentence = new Uint8Array(targets), inDocument = new Uint8Array(this.#groups.length);
    let from = 0, any = false;
    for (let w = 0; w < words.n; w++) {
      const start = words.starts[w]!, stop = isStop(lower, start, words.ends[w]!);
      if (stop || start - from > LONGEST_SENTENCE || (w > 0 && lower.slice(words.ends[w - 1]!, start).includes('\n'))) {
        this.#endSentence(inSentence, any);
        from = start;
        any = false;
      }
      if (stop) continue;
      any = true;
      const phrase = this.#phrases.at(words, w);
      if (phrase === undefined) continue;
      for (const target of phrase.targets) {
        inSentence[target] = 1;
        if (target >= this.#groups.length) continue;
        inDocument[target] = 1;
        this.#counts.mentions[target]!++;
      }
      w += phrase.length - 1;
    }
    this.#endSentence(inSentence, any);
    this.#counts.documents++;
    inDocument.forEach((seen, g) => this.#counts.groupDocuments[g]! += seen);
  }

  merge(other: FairnessCounts): void {
    this.#counts.documents += other.documents;
    this.#counts.sentences += other.sentences;
    for (const name of ['mentions', 'groupSentences', 'groupDocuments', 'attributeSentences', 'together'] as const) other[name].forEach((count, i) => this.#counts[name][i]! += count);
  }

  report(): FairnessReport {
    const { documents, sentences, mentions, groupSentences, groupDocuments } = this.#counts;
    const representation = this.#groups.map(({ dimension, group }, g): Representation => {
      const all = this.#groups.reduce((sum, other, i) => sum + (other.dimension === dimension ? mentions[i]! : 0), 0), [low, high] = wilson(mentions[g]!, all);
      return { dimension, group, mentions: mentions[g]!, sentences: groupSentences[g]!, documents: groupDocuments[g]!, share: all === 0 ? 0 : mentions[g]! / all, shareLow: low, shareHigh: high };
    });
    const notes = [
      'Words are counted, not meanings: irony, quotations and other senses of a word count too. Lists are in English and Chinese.',
      'An odds ratio above 1 means that the attribute stands in a sentence with the group more often than with the other groups of its dimension. It says nothing about causes.',
      `Intervals are 95% each; “notable” also holds after correcting for ${this.#groups.length * this.#attributes.length} comparisons (Bonferroni).`,
    ];
    return { documents, sentences, representation, associations: this.#groups.flatMap((_, g) => this.#attributes.map((_, a) => this.#association(g, a))), notes };
  }

  #association(g: number, a: number): Association {
    const { sentences, groupSentences, attributeSentences, together } = this.#counts, n = this.#attributes.length, { dimension, group } = this.#groups[g]!;
    const both = together[g * n + a]!, own = groupSentences[g]! - both;
    let otherBoth = 0, otherOwn = 0;
    this.#groups.forEach((other, i) => {
      if (i === g || other.dimension !== dimension) return;
      otherBoth += together[i * n + a]!;
      otherOwn += groupSentences[i]! - together[i * n + a]!;
    });
    const cells = [both, own, otherBoth, otherOwn].map((count) => count + 0.5), odds = Math.log(cells[0]! * cells[3]! / (cells[1]! * cells[2]!));
    const error = Math.sqrt(cells.reduce((sum, cell) => sum + 1 / cell, 0)), z = normalQuantile(1 - 0.025 / Math.max(1, this.#groups.length * n));
    const pmi = both === 0 ? -Infinity : Math.log2(both * sentences / (groupSentences[g]! * attributeSentences[a]!));
    return {
      dimension,
      group,
      attribute: this.#attributes[a]!,
      together: both,
      pmi: Number.isFinite(pmi) ? pmi : 0,
      oddsRatio: Math.exp(odds),
      low: Math.exp(odds - Z95 * error),
      high: Math.exp(odds + Z95 * error),
      notable: Math.abs(odds) > z * error,
    };
  }

  #endSentence(seen: Uint8Array, any: boolean): void {
    if (!any) return;
    const counts = this.#counts, g = this.#groups.length, n = this.#attributes.length;
    counts.sentences++;
    for (let a = 0; a < n; a++) counts.attributeSentences[a]! += seen[g + a]!;
    for (let i = 0; i < g; i++) {
      if (seen[i] === 0) continue;
      counts.groupSentences[i]!++;
      for (let a = 0; a < n; a++) counts.together[i * n + a]! += seen[g + a]!;
    }
    seen.fill(0);
  }
}

export type FairnessCounts = {
  documents: number;
  sentences: number;
  mentions: number[];
  groupSentences: number[];
  groupDocuments: number[];
  attributeSentences: number[];
  /** [groups, attributes] */
  together: number[];
};

const zeros = (n: number): number[] => new Array<number>(n).fill(0);

/** Whether a word is the end of a sentence. */
function isStop(text: string, start: number, end: number): boolean {
  for (let i = start; i < end; i++) if ('.?!。！？'.includes(text[i]!)) return end - start < 4 && !/[\p{L}\p{N}]/u.test(text[start]!);
  return false;
}

/** Wilson's 95% interval of a share (1927): right for small counts and for none. */
export function wilson(hits: number, of: number): [low: number, high: number] {
  if (of === 0) return [0, 1];
  const share = hits / of, z2 = Z95 ** 2 / of, centre = (share + z2 / 2) / (1 + z2), half = Z95 / (1 + z2) * Math.sqrt(share * (1 - share) / of + z2 / (4 * of));
  return [Math.max(0, centre - half), Math.min(1, centre + half)];
}

/** The normal quantile of a probability above 1/2 (Abramowitz & Stegun 26.2.23; error below 4.5e-4). */
function normalQuantile(p: number): number {
  const t = Math.sqrt(-2 * Math.log(1 - p));
  return t - (2.515517 + 0.802853 * t + 0.010328 * t * t) / (1 + 1.432788 * t + 0.189269 * t * t + 0.001308 * t ** 3);
}
