// Whether guessing pays, and how far. Layer: engine.
// A guess that the model confirms saves a run, and one that it does not costs a wider one (Leviathan et al. 2023, arXiv
// 2211.17192, section 3; here the random number of a position is fixed, so that drawing each token as ever and comparing is
// exact at any temperature). What a run costs by its number of tokens, and how often guesses are right, is measured.
// An account keeps speculation honest: plain steps pay in a little, each guess may lose no more than there is, and gains pay
// in what they won. So it costs at most SHARE of the time, whatever the text, and turns itself off where it only loses.

import type { Drafter } from './drafter.ts';
import type { Piece } from './scheduler.ts';
import type { Sequence } from './sequence.ts';

/** Most tokens guessed at once for a sequence: later ones are seldom reached. */
export const MAX_DRAFT = 8;
/** Of plain decoding's time, what guessing may lose. */
const SHARE = 0.015;
/** What the account begins with and may hold, in steps. */
const [OPENING, MOST] = [1, 10];
/** How likely a guess is right before anything is known, and the least that is assumed. */
const [PRIOR, LEAST] = [0.8, 0.2];
/** Weight of the newest observation of an acceptance and of a time. */
const [RATE_WEIGHT, TIME_WEIGHT] = [0.15, 0.2];
/** Assumed for each further token of a run until it is measured; two cores of Zen 3 have 0.04 … 0.35 by format. */
const ASSUMED_GROWTH = 0.15;

export class Speculation {
  draftTokens = 0;
  acceptedTokens = 0;
  readonly #drafter: Drafter;
  readonly #always: boolean;
  readonly #rates = new Map<Sequence, number>();
  /** Seconds of a run by its tokens, of pure decoding; 0: unknown. */
  readonly #times: number[] = [];
  #balance: number | undefined;
  #prior = PRIOR;
  /** Seconds that the last guessing took, and for how many sequences the step is; 0: no step of pure decoding. */
  #spent = 0;
  #sequences = 0;

  /** @param always without asking whether it pays */
  constructor(drafter: Drafter, always = false) {
    this.#drafter = drafter;
    this.#always = always;
  }

  /** Gives the sequences drafts where that should pay. */
  async propose(running: readonly Sequence[]): Promise<void> {
    const ready = running.filter(({ reader, pending }) => !reader.isStalled && (pending === 1 || !this.#always)), n = ready.length;
    this.#spent = 0;
    for (const sequence of running) if (sequence.draft.length > 0) sequence.draft = [];
    this.#sequences = ready.every(({ pending }) => pending === 1) ? n : 0; // beside pieces of prompts nothing is waiting for memory
    if (this.#sequences === 0 || (!this.#times[n] && !this.#always)) return;
    const reaches = ready.map((sequence) => this.#drafter.reach(sequence, MAX_DRAFT)), most = this.#always ? Math.max(...reaches) : this.#best(ready, reaches);
    if (most === 0) return;
    const begin = performance.now();
    await this.#drafter.propose(ready, most);
    this.#spent = (performance.now() - begin) / 1000;
  }

  /** Learns from a step. @param gained tokens that it gave, of all sequences */
  record(pieces: readonly Piece[], gained: number, seconds: number): void {
    const n = this.#sequences, drafted = pieces.reduce((sum, { draft }) => sum + draft.length, 0), tokens = drafted + pieces.length;
    for (const piece of pieces) if (piece.draft.length > 0) this.#learnRate(piece);
    if (n === 0 || pieces.length !== n || pieces.some(({ count }) => count !== 1)) return;
    this.#learnTime(tokens, seconds);
    const plain = this.#times[n] ?? seconds;
    this.#balance ??= OPENING * plain;
    if (drafted > 0) this.#balance += (gained / n) * plain - seconds - this.#spent;
    else this.#balance += SHARE * seconds;
    this.#balance = Math.min(this.#balance, MOST * plain);
  }

  forget(sequence: Sequence): void {
    this.#rates.delete(sequence);
    this.#drafter.forget(sequence);
  }

  close(): Promise<void> {
    return this.#drafter.close();
  }

  /** The longest draft that gives the most tokens a second and that the account can bear; 0 for none. */
  #best(sequences: readonly Sequence[], reaches: readonly number[]): number {
    const n = sequences.length, plain = this.#times[n]!, longest = Math.max(...reaches);
    let best = 0, speed = 1.02 * (n / plain);
    for (let most = 1; most <= longest; most++) {
      let expected = n, drafted = 0;
      sequences.forEach((sequence, i) => {
        const length = Math.min(most, reaches[i]!), rate = this.#rates.get(sequence) ?? this.#prior;
        drafted += length;
        for (let j = 1, p = rate; j <= length; j++, p *= rate) expected += p;
      });
      const seconds = this.#timeOf(n, n + drafted) + this.#drafter.cost(n, most);
      if (seconds - plain > this.#balance!) break;
      if (expected / seconds > speed) [best, speed] = [most, expected / seconds];
    }
    return best;
  }

  /** Seconds of a run of so many tokens: measured, or between and beyond the nearest ones that are. */
  #timeOf(n: number, tokens: number): number {
    const times = this.#times;
    let low = tokens, high = tokens;
    while (!times[low] && low > n) low--;
    while (!times[high] && high < times.length) high++;
    const from = times[low]!, to = times[high];
    if (low === tokens) return from;
    return to === undefined ? from + (tokens - low) * ASSUMED_GROWTH * times[n]! / n : Math.max(from, from + ((to - from) * (tokens - low)) / (high - low));
  }

  #learnTime(tokens: number, seconds: number): void {
    const known = this.#times[tokens];
    // A pause of the machine says nothing: it counts as twice the usual.
    this.#times[tokens] = known ? known + TIME_WEIGHT * (Math.min(seconds, 2 * known) - known) : seconds;
  }

  #learnRate({ sequence, draft, start, count }: Piece): void {
    const right = sequence.done ? undefined : sequence.computed - start - count;
    this.draftTokens += draft.length;
    if (right === undefined) return;
    this.acceptedTokens += right;
    let rate = this.#rates.get(sequence) ?? this.#prior;
    for (let i = 0; i < Math.min(right + 1, draft.length); i++) rate += RATE_WEIGHT * (Number(i < right) - rate);
    this.#rates.set(sequence, Math.max(LEAST, rate));
    this.#prior = Math.max(LEAST, this.#prior + 0.1 * RATE_WEIGHT * (rate - this.#prior));
  }
}
