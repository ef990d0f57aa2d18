// Our side of the line protocol of peers/line_server.py, for contenders of ours that need a process of their own: the
// memory that they report is then theirs alone.

import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import type { Facts, Measurement } from './contender.ts';

/** Further fields of a request. */
export type Request = Readonly<Record<string, unknown>>;

/** Answers requests until there are no more. */
export async function serveLines(start: () => Promise<Facts>, measure: (seconds: number, request: Request) => Promise<Measurement>): Promise<void> {
  const say = (value: unknown): void => {
    process.stdout.write(`${JSON.stringify(value)}\n`);
  };
  try {
    say({ ready: true, ...(await start()) });
    for await (const line of createInterface({ input: process.stdin })) {
      const request = JSON.parse(line) as Request & { quit?: boolean; seconds?: number };
      if (request.quit === true) return;
      const { values, facts } = await measure(request.seconds ?? 1, request);
      say({ values, ...facts });
    }
  } catch (error) {
    say({ error: error instanceof Error ? error.message : String(error) });
    process.exitCode = 1;
  }
}

/** Resident bytes of this process now. */
export function residentBytes(): number {
  return process.memoryUsage.rss();
}

/** Resident bytes at their highest since the process began; as the kernel counts them where it tells. */
export function peakResidentBytes(): number {
  try {
    const found = /VmHWM:\s*(\d+) kB/.exec(readFileSync('/proc/self/status', 'utf8'));
    if (found !== null) return Number(found[1]) * 1024;
  } catch {
    // not Linux
  }
  return process.resourceUsage().maxRSS * 1024;
}
