// The word that was meant. Layer: cli.

import { closest, distance } from 'fastest-levenshtein';

/** The known word that is near enough to be meant, or that begins with what was written. */
export function nearest(word: string, known: readonly string[]): string | undefined {
  if (known.length === 0) return undefined;
  const best = closest(word, [...known]);
  // A third of the letters: nearer words are slips of the finger, farther ones are other words.
  if (distance(word, best) <= Math.max(2, Math.floor(word.length / 3))) return best;
  return word.length >= 4 ? known.find((name) => name.startsWith(word)) : undefined;
}

/** `: did you mean "…"?` if there is such a word, else a full stop. */
export function didYouMean(word: string, known: readonly string[]): string {
  const meant = nearest(word, known);
  return meant === undefined ? '.' : `: did you mean "${meant}"?`;
}
