// JSON numbers within bounds, as automata over their decimal digits. Layer: engine (pure).
// Written without exponents and with at most some 15 digits, so that what is read back as a double is still within.

import { ConfigError } from '../../base/errors.ts';
import { combine, determinise, Nfa, words, type Dfa } from './dfa.ts';
import { regexDfa } from './regex.ts';

/** What a number must be; several `multipleOf` hold together. */
export type NumberLimits = {
  readonly integer: boolean;
  readonly min: number;
  readonly minExcluded: boolean;
  readonly max: number;
  readonly maxExcluded: boolean;
  readonly multipleOf: readonly number[];
  readonly notMultipleOf: readonly number[];
  /** Not an integer. */
  readonly fractional: boolean;
};

/** Digits before the point of numbers without a bound, and digits that a double surely keeps. */
const DIGITS = 15;
/** Digits behind the point, where bounds have no more. */
const FRACTION = 8;
/** Largest divisor that is followed as a remainder; of others the first multiples are listed. */
const MAX_DIVISOR = 300;
const LISTED = 1000;

/** A magnitude's digits before and behind the point, without an exponent. */
type Decimal = { readonly whole: string; readonly fraction: string };

/** 10^-exponent · digits of a double's shortest form. */
export function decimalOf(value: number): { digits: bigint; scale: number } {
  const [mantissa = '0', exponent = '0'] = Math.abs(value).toString().split('e'), [whole = '0', fraction = ''] = mantissa.split('.');
  const scale = fraction.length - Number(exponent), digits = BigInt(whole + fraction);
  return scale < 0 ? { digits: digits * 10n ** BigInt(-scale), scale: 0 } : { digits, scale };
}

function decimalText(value: number): Decimal {
  const { digits, scale } = decimalOf(value), all = digits.toString().padStart(scale + 1, '0');
  return { whole: all.slice(0, all.length - scale), fraction: all.slice(all.length - scale) };
}

/** The texts of all numbers (of bounded length) within limits, but of the excluded ones. */
export function numberDfa(limits: NumberLimits, excluded: readonly number[] = []): Dfa {
  const { min, max, minExcluded, maxExcluded } = limits;
  const nfa = new Nfa(), start = nfa.state(), final = nfa.state(), builder = new Range(nfa, final, limits);
  if (max >= 0) {
    const low = min > 0 ? min : 0;
    builder.add(start, { low, lowExcluded: min >= 0 && minExcluded && low === min, high: max, highExcluded: maxExcluded });
  }
  if (min < 0) {
    const minus = nfa.state(), low = max < 0 ? -max : 0;
    nfa.edges[start]!.push([0x2d, 0x2d, minus]);
    builder.add(minus, { low, lowExcluded: max >= 0 || maxExcluded, high: -min, highExcluded: minExcluded });
  }
  let dfa = determinise(nfa, start, final);
  if (limits.multipleOf.length > 0) dfa = multiplesIn(dfa, limits.multipleOf, false);
  for (const divisor of limits.notMultipleOf) dfa = multiplesIn(dfa, [divisor], true);
  if (limits.fractional) dfa = multiplesIn(dfa, [1], true);
  for (const value of excluded) {
    const { whole, fraction } = decimalText(value), sign = value < 0 ? '-' : value === 0 ? '-?' : '';
    dfa = combine(dfa, regexDfa(`${sign}${whole}${fraction === '' ? String.raw`(\.0*)?` : String.raw`\.${fraction}0*`}`), true);
  }
  return dfa;
}

type Span = { readonly low: number; readonly lowExcluded: boolean; readonly high: number; readonly highExcluded: boolean };

/** Non-negative numbers of a span, digit by digit beside its bounds. */
class Range {
  readonly #nfa: Nfa;
  readonly #final: number;
  readonly #limits: NumberLimits;

  constructor(nfa: Nfa, final: number, limits: NumberLimits) {
    this.#nfa = nfa;
    this.#final = final;
    this.#limits = limits;
  }

  add(start: number, { low, lowExcluded, high, highExcluded }: Span): void {
    if (low > high) return;
    const a = decimalText(low), b = high === Infinity ? undefined : decimalText(high);
    const longest = Math.min(b?.whole.length ?? Infinity, Math.max(DIGITS, a.whole.length));
    for (let length = a.whole.length; length <= longest; length++) {
      const atLow = length === a.whole.length, atHigh = b !== undefined && length === b.whole.length;
      const fraction = this.#limits.integer ? 0 : Math.max(a.fraction.length, b?.fraction.length ?? 0, Math.min(FRACTION, DIGITS - length));
      const last = { low: a.whole + a.fraction.padEnd(fraction, '0'), high: b === undefined ? '' : b.whole + b.fraction.padEnd(fraction, '0') };
      const cut = this.#limits.integer ? { low: /[1-9]/.test(a.fraction), high: b !== undefined && /[1-9]/.test(b.fraction) } : { low: false, high: false };
      // Of integers a bound's fraction only says whether the bound itself is within.
      this.#digits(start, { length, total: length + fraction, ...last, lowExcluded: lowExcluded || cut.low, highExcluded: highExcluded && !cut.high }, atLow, atHigh);
    }
  }

  #digits(start: number, span: { length: number; total: number; low: string; high: string; lowExcluded: boolean; highExcluded: boolean }, atLow: boolean, atHigh: boolean): void {
    const nfa = this.#nfa, states = new Map<string, number>();
    const state = (at: number, low: boolean, high: boolean): number => {
      const key = `${at},${low},${high}`, known = states.get(key);
      if (known !== undefined) return known;
      const made = at === 0 ? start : nfa.state();
      states.set(key, made);
      const restLow = span.low.slice(at), restHigh = span.high.slice(at);
      const ends = at >= span.length && (!low || (!/[1-9]/.test(restLow) && !span.lowExcluded)) && (!high || /[1-9]/.test(restHigh) || !span.highExcluded);
      if (ends) nfa.empties[made]!.push({ to: this.#final, when: 'always' });
      if (at >= span.total) return made;
      let from = made;
      if (at === span.length) nfa.edges[made]!.push([0x2e, 0x2e, from = nfa.state()]);
      const least = low ? Number(span.low[at]) : at === 0 && span.length > 1 ? 1 : 0, most = high ? Number(span.high[at]) : 9;
      for (let digit = least; digit <= most; digit++) {
        const to = state(at + 1, low && digit === least, high && digit === most);
        nfa.edges[from]!.push([0x30 + digit, 0x30 + digit, to]);
      }
      return made;
    };
    state(0, atLow, atHigh);
  }
}

const gcd = (a: bigint, b: bigint): bigint => (b === 0n ? a : gcd(b, a % b));

/** Numbers among `all` that all divisors divide, or with `not` that the divisor does not. */
function multiplesIn(all: Dfa, divisors: readonly number[], not: boolean): Dfa {
  const decimals = divisors.map(decimalOf), scale = Math.max(...decimals.map((d) => d.scale));
  const divisor = decimals.map(({ digits, scale: own }) => digits * 10n ** BigInt(scale - own)).reduce((a, b) => (a / gcd(a, b)) * b);
  if (divisor <= BigInt(MAX_DIVISOR) && scale <= DIGITS) {
    // What is no multiple may have one digit more: 0.5 is none of 1.
    return combine(all, not ? remainders(Number(divisor) * 10, scale + 1, true) : remainders(Number(divisor), scale, false));
  }
  if (not) throw new ConfigError(`Cannot leave out the multiples of ${divisors.join(', ')}: only those of up to ${MAX_DIVISOR} are supported`);
  const listed: string[] = [];
  for (let k = -LISTED; k <= LISTED; k++) {
    const value = (BigInt(k) * divisor).toString().replace('-', '').padStart(scale + 1, '0');
    const point = value.length - scale, fraction = value.slice(point).replace(/0+$/, '');
    listed.push(`${k < 0 ? '-' : ''}${value.slice(0, point)}${fraction === '' ? '' : `.${fraction}`}`);
  }
  return combine(all, words(listed));
}

/** Texts of numbers with at most `scale` digits behind the point and, times 10^scale, a remainder of 0 (or, `not`, another). */
function remainders(divisor: number, scale: number, not: boolean): Dfa {
  type Edge = [number, number, number];
  const edges: Edge[][] = [[[0x2d, 0x2d, 1]], []], accepts = [false, false];
  // State 2 + rest: before the point; 2 + divisor·(1 + place) + rest: `place` digits behind it.
  const at = (place: number, rest: number): number => 2 + divisor * (1 + place) + rest;
  const digits = (place: number, rest: number): Edge[] => Array.from({ length: 10 }, (_, digit) => [0x30 + digit, 0x30 + digit, at(place, (rest * 10 + digit) % divisor)]);
  for (const first of [0, 1]) edges[first]!.push(...digits(-1, 0));
  for (let place = -1; place <= scale; place++) {
    for (let rest = 0; rest < divisor; rest++) {
      const point: Edge[] = place < 0 && scale > 0 ? [[0x2e, 0x2e, at(0, rest)]] : [];
      edges.push(place < 0 ? [...point, ...digits(-1, rest)] : place < scale ? digits(place + 1, rest) : []);
      let value = rest;
      for (let i = Math.max(place, 0); i < scale; i++) value = (value * 10) % divisor;
      accepts.push(place !== 0 && (value === 0) !== not);
    }
  }
  return { edges, accepts };
}
