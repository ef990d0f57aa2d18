// Who takes part in a bench: ourselves, or a peer; in this process, or in one that is kept alive and asked over a line
// protocol (see peers/line_server.py), so that repetitions can alternate.

import { spawn, type ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';
import { median } from './bench-line.ts';
import { PeerError } from './peer-error.ts';

/** Numbers of a measurement that are not its value: `peakRss`, `loss`, … */
export type Facts = Readonly<Record<string, number | boolean | string>>;

export interface Measurement {
  /** One value a repetition, in the bench's unit. */
  readonly values: readonly number[];
  readonly facts: Facts;
}

export interface Contender {
  /** The peer's name in the report. */
  readonly name: string;
  /** Imports, loads, compiles and warms up. @throws {PeerError} with the reason if it is not installed or fails */
  start(): Promise<Facts>;
  /** Repeats for about so many seconds, at least once. */
  measure(seconds: number): Promise<Measurement>;
  close(): Promise<void>;
}

/** Does something for about so many seconds, at least once. @returns what it gave each time */
export async function repeated(seconds: number, once: () => number | Promise<number>): Promise<number[]> {
  const values: number[] = [], end = performance.now() + 1000 * seconds;
  while (values.length === 0 || performance.now() < end) values.push(await once());
  return values;
}

export interface ChildOptions {
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
  readonly env?: NodeJS.ProcessEnv;
  /** Longest wait for one answer, s. */
  readonly patience?: number;
}

/** A process that serves the line protocol. */
export class ChildContender implements Contender {
  readonly name: string;
  readonly #options: ChildOptions;
  #child: ChildProcess | undefined;
  #lines: AsyncIterator<string> | undefined;
  #errors = '';
  #ended = '';

  constructor(options: ChildOptions) {
    this.name = options.name;
    this.#options = options;
  }

  async start(): Promise<Facts> {
    const { command, args, env } = this.#options;
    const child = spawn(command, args, { env: env ?? process.env, stdio: ['pipe', 'pipe', 'pipe'] });
    this.#child = child;
    child.on('error', (error) => {
      this.#ended = `cannot run "${command}": ${error.message}`;
    });
    child.stdin!.on('error', () => {}); // it ended: the missing answer tells
    child.stderr!.setEncoding('utf8').on('data', (text: string) => {
      this.#errors = (this.#errors + text).slice(-4000);
    });
    this.#lines = createInterface({ input: child.stdout! })[Symbol.asyncIterator]();
    return this.#answer();
  }

  /** @param request further fields of the request */
  async measure(seconds: number, request: Facts = {}): Promise<Measurement> {
    this.#child?.stdin?.write(`${JSON.stringify({ ...request, seconds })}\n`);
    const { values, ...facts } = await this.#answer();
    if (!Array.isArray(values)) throw new PeerError(this.name, 'it answered without values');
    return { values: values as number[], facts: facts as Facts };
  }

  async close(): Promise<void> {
    const child = this.#child;
    if (child === undefined || child.exitCode !== null || child.pid === undefined) return;
    const gone = new Promise((resolve) => child.once('exit', resolve));
    child.stdin!.end(`${JSON.stringify({ quit: true })}\n`);
    const timer = setTimeout(() => child.kill('SIGKILL'), 3000);
    await gone;
    clearTimeout(timer);
  }

  async #answer(): Promise<Record<string, unknown> & Facts> {
    const { patience = 900 } = this.#options;
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new PeerError(this.name, `no answer within ${patience} s`)), patience * 1000);
    });
    const next = await Promise.race([this.#lines!.next(), late]).finally(() => clearTimeout(timer));
    if (next.done === true) throw new PeerError(this.name, this.#ended || lastLine(this.#errors) || 'it ended without a word');
    const value = JSON.parse(next.value) as Record<string, unknown> & Facts;
    if (typeof value['error'] === 'string') throw new PeerError(this.name, value['error']);
    return value;
  }
}

/** One process that is asked about many cases, so that it is started once. */
export class SharedPeer {
  readonly #child: ChildContender;
  #started: Promise<Facts> | undefined;

  constructor(child: ChildContender) {
    this.#child = child;
  }

  /** The peer in one case. Its process ends with `close` of this object, not of the contender. */
  in(request: Facts): Contender {
    return {
      name: this.#child.name,
      start: () => (this.#started ??= this.#child.start()),
      measure: (seconds) => this.#child.measure(seconds, request),
      close: async () => {},
    };
  }

  close(): Promise<void> {
    return this.#child.close();
  }
}

/** A peer that is not even started, and why: its lines have no ratio. */
export function absentPeer(name: string, reason: string): Contender {
  const refuse = async (): Promise<never> => {
    throw new PeerError(name, reason);
  };
  return { name, start: refuse, measure: refuse, close: async () => {} };
}

/** A process of its own that is asked about one case. */
export function asking(child: ChildContender, request: Facts): Contender {
  return { name: child.name, start: () => child.start(), measure: (seconds) => child.measure(seconds, request), close: () => child.close() };
}

/** A Python traceback says what happened in its last line. */
function lastLine(text: string): string {
  return text.trimEnd().split('\n').at(-1) ?? '';
}

/**
 * The fastest of several ways to run one peer: each is started and measured shortly, the slower ones are closed. Ways
 * that do not run are left out. A way whose one repetition takes a minute ends the search: what it waits for (products
 * without instructions for them) is the same in all.
 */
export function fastestOf(name: string, ways: readonly Contender[], options: { seconds: number; note: (text: string) => void }): Contender {
  let best: { way: Contender; value: number; facts: Facts } | undefined;
  return {
    name,
    async start() {
      const failures: string[] = [];
      for (const way of ways) {
        try {
          const facts = await way.start(), value = median((await way.measure(options.seconds)).values);
          if (best !== undefined && best.value >= value) await way.close();
          else {
            await best?.way.close();
            best = { way, value, facts };
          }
          options.note(`${way.name}: ${value.toPrecision(4)}`);
          if (facts['slow'] === true) break;
        } catch (error) {
          if (!(error instanceof PeerError)) throw error;
          failures.push(error.reason);
          await way.close();
        }
      }
      if (best === undefined) throw new PeerError(name, failures[0] ?? 'there is no way to run it');
      return best.facts;
    },
    measure: (seconds) => best!.way.measure(seconds),
    close: async () => best?.way.close(),
  };
}
