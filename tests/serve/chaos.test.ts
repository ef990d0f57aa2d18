// Many requests at four times the capacity, with disconnects, stalled readers and malformed bodies: one outcome for each id,
// none crossed, none left running. CHAOS_REQUESTS sets how many, 120 by default; where it is set, refusals are timed too.

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Random } from '../../src/base/random.ts';
import type { ServeLog } from '../../src/serve/index.ts';
import { ask, rawSocket, until } from './raw-http.ts';
import type { Script } from './scripted-engine.ts';
import { removeFolders } from './tiny-model.ts';
import { startTiny, type TinyServer } from './tiny-server.ts';

const REQUESTS = Number(process.env['CHAOS_REQUESTS'] ?? 120), CAPACITY = 8, CLIENTS = 4 * CAPACITY;

let server: TinyServer;
const outcomes = new Map<string, string[]>(), script: Script = { say: (prompt) => `echo ${/token-(\d+)/.exec(prompt)?.[1]} `.repeat(6), paceMs: 1 };
const log: ServeLog = { write: (event, { id, outcome }) => {
  if (event === 'request') outcomes.set(String(id), [...outcomes.get(String(id)) ?? [], String(outcome)]);
} };

beforeAll(async () => {
  server = await startTiny({ script, log, maxRunning: CAPACITY, maxWaiting: CAPACITY, stallTimeoutMs: 300 });
});
afterAll(async () => {
  await server.drain();
  removeFolders();
});

type Kind = 'whole' | 'stream' | 'gone' | 'stalled' | 'malformed';
const KINDS: readonly Kind[] = ['whole', 'stream', 'stream', 'gone', 'stalled', 'malformed'];

describe('a server at four times its capacity', () => {
  it('ends each request once, in its own words', async () => {
    const random = new Random(11, 'chaos'), kinds = Array.from({ length: REQUESTS }, () => KINDS[random.int(KINDS.length)]!), waits: number[] = [];
    let next = 0, answered = 0;
    const one = async (i: number): Promise<void> => {
      const id = `chaos-${i}`, kind = kinds[i]!, path = '/v1/chat/completions', headers = { 'x-request-id': id };
      const body = { model: 'scripted', stream: kind !== 'whole', messages: [{ role: 'user', content: `token-${i}` }] };
      if (kind === 'gone' || kind === 'stalled') {
        const socket = rawSocket(server.port, path, body, headers).on('error', () => undefined);
        if (kind === 'stalled') socket.pause();
        await new Promise((resolve) => setTimeout(resolve, i % 30));
        socket.destroy();
        return;
      }
      const began = performance.now(), reply = await ask(server.url + path, { body: kind === 'malformed' ? '{"model": ' : JSON.stringify(body), headers });
      if (kind === 'malformed') return void expect(reply.status).toBe(400);
      if (reply.status === 429) {
        waits.push(performance.now() - began);
        expect(Number(reply.headers['retry-after'])).toBeGreaterThan(0);
        return;
      }
      expect(reply.status).toBe(200);
      const text = kind === 'whole' ? reply.json.choices[0].message.content : reply.text.split('\n\n').filter((line) => line.startsWith('data: {')).map((line) => JSON.parse(line.slice(6)).choices[0].delta.content ?? '').join('');
      expect(text).toBe(`echo ${i} `.repeat(6));
      answered++;
    };
    await Promise.all(Array.from({ length: CLIENTS }, async () => {
      while (next < REQUESTS) await one(next++);
    }));
    await until(() => server.parts.admission.running === 0 && server.parts.admission.waiting === 0 && script.running === 0);
    for (const [id, all] of outcomes) expect(all, id).toHaveLength(1);
    for (const [i, kind] of kinds.entries()) if (kind === 'whole' || kind === 'stream') expect(outcomes.has(`chaos-${i}`), `chaos-${i}`).toBe(true);
    expect(answered).toBeGreaterThan(REQUESTS / 20);
    const p99 = waits.sort((a, b) => a - b)[Math.floor(0.99 * waits.length)] ?? 0;
    // The clients share this process, so that their work counts too; on a machine with other work the time says nothing.
    if (process.env['CHAOS_REQUESTS'] !== undefined) expect(p99).toBeLessThan(50);
  }, 600_000);
});
