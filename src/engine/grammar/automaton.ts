// A pushdown automaton over bytes: rules of states, with edges that take a byte, nothing, or another rule. Layer: engine (pure).
// What is built here is checked before it is used: from every state that is kept an end can be reached, in bounded depth.

import { CapacityError, ConfigError } from '../../base/errors.ts';

/** A byte range and the state behind it. */
export type ByteEdge = { readonly low: number; readonly high: number; readonly to: number };
/** Goes through a rule, then on from `to`. */
export type CallEdge = { readonly rule: number; readonly to: number };

/** States that one compilation may make: about 100 MB. */
export const MAX_STATES = 200_000;
/** What may come without a byte being taken, over all states. */
const MAX_CLOSURE = 2_000_000;

/** Where a state gets without a byte: the frames pushed on the way, outermost first, and a state that takes bytes. */
export type Entry = { readonly pushes: readonly number[]; readonly state: number };
export type Closure = { readonly entries: readonly Entry[]; readonly returns: boolean };

/** States, edges and rules while a grammar is being compiled. */
export class AutomatonBuilder {
  readonly bytes: ByteEdge[][] = [];
  readonly empties: number[][] = [];
  readonly calls: CallEdge[][] = [];
  readonly finals: boolean[] = [];
  /** For each rule its first state. */
  readonly starts: number[] = [];
  readonly names: string[] = [];

  /** @throws {CapacityError} if there are too many */
  state(): number {
    if (this.bytes.length >= MAX_STATES) {
      throw new CapacityError(`Cannot compile the grammar: it needs more than ${MAX_STATES} states: lower its counts or split it`, { need: this.bytes.length + 1, have: MAX_STATES });
    }
    this.bytes.push([]);
    this.empties.push([]);
    this.calls.push([]);
    this.finals.push(false);
    return this.bytes.length - 1;
  }

  /** A rule whose body is to be built from its first state. */
  rule(name: string): number {
    this.names.push(name);
    this.starts.push(this.state());
    return this.starts.length - 1;
  }

  byte(from: number, low: number, high: number, to: number): void {
    this.bytes[from]!.push({ low, high, to });
  }

  empty(from: number, to: number): void {
    this.empties[from]!.push(to);
  }

  call(from: number, rule: number, to: number): void {
    this.calls[from]!.push({ rule, to });
  }
}

/** A checked automaton. `need[s]` is the least depth of further frames with which state s reaches the end of its rule. */
export type Automaton = {
  readonly bytes: readonly (readonly ByteEdge[])[];
  readonly closures: readonly Closure[];
  readonly need: Int32Array;
  /** Entered first. */
  readonly start: number;
  /** Most frames that a parse may hold. */
  readonly maxDepth: number;
};

/** Depth beyond what the grammar itself needs: how deep values may nest. */
const FREE_DEPTH = 64;
const UNREACHABLE = 0x3fffffff;

/**
 * Drops what cannot end, and works out what each state may take next.
 *
 * @throws {ConfigError} if nothing matches, or a rule calls itself before it took a byte
 * @throws {CapacityError} if what may come without a byte is too much
 */
export function finishAutomaton(builder: AutomatonBuilder, rule: number): Automaton {
  const need = leastDepths(builder), start = builder.starts[rule]!;
  if (need[start] === UNREACHABLE) throw new ConfigError(`Cannot compile the grammar: nothing satisfies it`);
  const bytes = builder.bytes.map((edges) => edges.filter(({ to }) => need[to] !== UNREACHABLE));
  let most = 0;
  for (const depth of need) if (depth !== UNREACHABLE) most = Math.max(most, depth);
  return { bytes, closures: closuresOf(builder, need, bytes), need, start, maxDepth: FREE_DEPTH + 2 * most };
}

/** Whether a rule is over at a state, and nothing else can follow. */
function isEnd(builder: AutomatonBuilder, s: number): boolean {
  return builder.finals[s]! && builder.bytes[s]!.length + builder.empties[s]!.length + builder.calls[s]!.length === 0;
}

/** Level by level: with d frames, states from which a final one is reached through rules that need fewer than d. */
function leastDepths(builder: AutomatonBuilder): Int32Array {
  const count = builder.bytes.length, need = new Int32Array(count).fill(UNREACHABLE);
  const before: number[][] = Array.from({ length: count }, () => []), callers: [number, number][][] = Array.from({ length: builder.starts.length }, () => []);
  for (let s = 0; s < count; s++) {
    for (const { to } of builder.bytes[s]!) before[to]!.push(s);
    for (const to of builder.empties[s]!) before[to]!.push(s);
    for (const { rule, to } of builder.calls[s]!) {
      if (isEnd(builder, to)) before[builder.starts[rule]!]!.push(s); // without a frame
      else callers[rule]!.push([s, to]);
    }
  }
  const open: number[] = [];
  for (let s = 0; s < count; s++) if (builder.finals[s]) open.push(s);
  const opened = new Uint8Array(builder.starts.length);
  for (let depth = 0; open.length > 0; depth++) {
    while (open.length > 0) {
      const s = open.pop()!;
      if (need[s]! <= depth) continue;
      need[s] = depth;
      open.push(...before[s]!);
    }
    // Rules that end within this depth can be gone through at the next.
    builder.starts.forEach((first, rule) => {
      if (opened[rule] === 1 || need[first] === UNREACHABLE) return;
      opened[rule] = 1;
      for (const [from, to] of callers[rule]!) before[to]!.push(from);
    });
    for (let rule = 0; rule < opened.length; rule++) {
      if (opened[rule] === 1) { for (const [from, to] of callers[rule]!) if (need[from] === UNREACHABLE && need[to] !== UNREACHABLE) open.push(from); }
    }
  }
  return need;
}

function closuresOf(builder: AutomatonBuilder, need: Int32Array, bytes: readonly (readonly ByteEdge[])[]): Closure[] {
  const closures = new Array<Closure | undefined>(need.length), rules = new Array<Closure | 'open' | undefined>(builder.starts.length);
  let total = 0;
  const ofRule = (rule: number): Closure => {
    const known = rules[rule];
    if (known === 'open') throw new ConfigError(`Cannot compile the grammar: rule "${builder.names[rule]}" calls itself before it takes anything: rewrite it without left recursion`);
    if (known !== undefined) return known;
    rules[rule] = 'open';
    return rules[rule] = of(builder.starts[rule]!);
  };
  const of = (first: number): Closure => {
    const known = closures[first];
    if (known !== undefined) return known;
    const entries: Entry[] = [], seen = new Set([first]), open = [first];
    let returns = false;
    const reach = (s: number): void => {
      if (need[s] === UNREACHABLE || seen.has(s)) return;
      seen.add(s);
      open.push(s);
    };
    while (open.length > 0) {
      const s = open.pop()!;
      if (need[s] === UNREACHABLE) continue;
      if (builder.finals[s]) returns = true;
      if (bytes[s]!.length > 0) entries.push({ pushes: [], state: s });
      for (const to of builder.empties[s]!) reach(to);
      for (const { rule, to } of builder.calls[s]!) {
        if (need[to] === UNREACHABLE || need[builder.starts[rule]!] === UNREACHABLE) continue;
        const inner = ofRule(rule), tail = isEnd(builder, to); // a call at a rule's end needs no frame: right recursion stays flat
        for (const entry of inner.entries) entries.push(tail ? entry : { pushes: [to, ...entry.pushes], state: entry.state });
        if (inner.returns) reach(to);
      }
      if (total + entries.length > MAX_CLOSURE) throw new CapacityError(`Cannot compile the grammar: its choices add up to more than ${MAX_CLOSURE}`, { need: total + entries.length, have: MAX_CLOSURE });
    }
    total += entries.length;
    return closures[first] = { entries, returns };
  };
  for (let rule = 0; rule < builder.starts.length; rule++) if (need[builder.starts[rule]!] !== UNREACHABLE) ofRule(rule);
  for (let s = 0; s < need.length; s++) if (closures[s] === undefined) closures[s] = need[s] === UNREACHABLE ? { entries: [], returns: false } : of(s);
  return closures as Closure[];
}
