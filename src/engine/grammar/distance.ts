// How many bytes an answer still needs: what a test, or an engine that is short of tokens, steers by. Layer: engine (pure).

import type { Automaton } from './automaton.ts';

/** For each state the fewest bytes to the end of its rule; Infinity where there is none (states that were dropped). */
export function shortestEnds({ bytes, closures }: Automaton): Float64Array {
  const ends = new Float64Array(bytes.length).fill(Infinity);
  for (let changed = true; changed;) { // backwards, for later states are nearer to the end: two or three rounds in general
    changed = false;
    for (let s = bytes.length - 1; s >= 0; s--) {
      const closure = closures[s]!;
      let least = closure.returns ? 0 : ends[s]!;
      for (const { pushes, state } of closure.entries) {
        let own = Infinity;
        for (const { to } of bytes[state]!) own = Math.min(own, 1 + ends[to]!);
        for (const to of pushes) own += ends[to]!;
        least = Math.min(least, own);
      }
      if (least < ends[s]!) {
        ends[s] = least;
        changed = true;
      }
    }
  }
  return ends;
}
