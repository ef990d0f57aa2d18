// The duel: ours and the peers' repetitions of one case, turn by turn in one run, so that whatever else the machine does
// falls on all of them. Medians over all repetitions are reported.

import { median, ratioOf, type BenchLine, type Unit } from './bench-line.ts';
import type { Contender, Facts } from './contender.ts';
import { PeerError } from './peer-error.ts';

/** What a bench is given: where its lines and remarks go, and how long it may take. */
export interface BenchContext {
  /** Called for each line as soon as it is known. */
  readonly report: (line: BenchLine) => void;
  /** Progress, and why a peer is missing; for standard error. */
  readonly note: (text: string) => void;
  /** Only cases whose name has this word sequence; all where it is undefined. */
  readonly only: string | undefined;
  /** Threads of ours and of the peers. */
  readonly threads: number;
}

export interface Bench {
  /** One sentence for help. */
  readonly about: string;
  run(context: BenchContext): Promise<void>;
}

export interface Duel {
  readonly bench: string;
  readonly case: string;
  readonly unit: Unit;
  /** From what `ours.start()` found out. */
  readonly limit?: (facts: Facts) => number | null;
  readonly ours: Contender;
  readonly peers: readonly Contender[];
  /** Turns each, 5. */
  readonly rounds?: number;
  /** Seconds a turn, 1. */
  readonly seconds?: number;
}

/** What a contender showed; `facts` are of its last turn. */
export interface Shown {
  readonly value: number;
  readonly facts: Facts;
}

/** True if a case is asked for. */
export function isAsked({ only }: Pick<BenchContext, 'only'>, name: string): boolean {
  return only === undefined || ` ${name} `.includes(` ${only} `);
}

/**
 * Runs a duel and reports one line a peer; without any peer one line that stands for itself.
 *
 * @returns what ours ('athanor') and each peer that ran showed, by name
 * @throws whatever ours throws: a bench without us is no bench
 */
export async function duel(context: BenchContext, options: Duel): Promise<Map<string, Shown>> {
  const { ours, peers, rounds = 5, seconds = 1 } = options, running: Contender[] = [];
  const shown = new Map<string, { values: number[]; facts: Facts }>();
  context.note(`${options.bench} ${options.case} …`);
  try {
    running.push(ours);
    const startFacts = await ours.start(), limit = options.limit?.(startFacts) ?? null;
    for (const peer of peers) if (await starts(peer, context)) running.push(peer);
    const lost = new Set<Contender>();
    for (let round = 0; round < rounds; round++) {
      for (const contender of running) {
        if (!lost.has(contender))
          await turn(contender, seconds, shown, (error) => {
            if (contender === ours || !(error instanceof PeerError)) throw error;
            context.note(error.message);
            lost.add(contender);
            shown.delete(contender.name);
          });
      }
    }
    const result = new Map([...shown].map(([name, { values, facts }]) => [name, { value: median(values), facts: { ...(name === ours.name ? startFacts : {}), ...facts } }] as const));
    reportPeers(context, { ...options, limit }, result);
    return result;
  } finally {
    await Promise.all(running.map((contender) => contender.close()));
  }
}

/** Reports one line a peer from what was shown. */
export function reportPeers(context: Pick<BenchContext, 'report'>, options: Pick<Duel, 'bench' | 'case' | 'unit' | 'ours' | 'peers'> & { limit: number | null }, shown: ReadonlyMap<string, { value: number }>): void {
  const { bench, unit, limit } = options, value = shown.get(options.ours.name)?.value ?? null;
  const names: (string | null)[] = options.peers.map(({ name }) => name);
  for (const peer of names.length === 0 ? [null] : names) {
    const peerValue = peer === null ? null : shown.get(peer)?.value ?? null;
    context.report({ bench, case: options.case, value, unit, limit, peer, peerValue, ratio: ratioOf(unit, value, peerValue) });
  }
}

async function starts(peer: Contender, { note }: BenchContext): Promise<boolean> {
  try {
    await peer.start();
    return true;
  } catch (error) {
    await peer.close();
    if (!(error instanceof PeerError)) throw error;
    note(error.message);
    return false;
  }
}

async function turn(contender: Contender, seconds: number, shown: Map<string, { values: number[]; facts: Facts }>, failed: (error: unknown) => void): Promise<void> {
  try {
    const { values, facts } = await contender.measure(seconds), before = shown.get(contender.name)?.values ?? [];
    shown.set(contender.name, { values: [...before, ...values], facts });
  } catch (error) {
    failed(error);
  }
}
