// The life of a server and its requests: readiness, disconnects, failures in a stream, full queues, draining, reloading.

import { afterEach, describe, expect, it } from 'vitest';
import { ask, rawSocket, until } from './raw-http.ts';
import type { Script } from './scripted-engine.ts';
import { openTiny, startTiny, type TinyServer } from './tiny-server.ts';
import { ModelRegistry } from '../../src/serve/index.ts';

const servers: TinyServer[] = [];
async function start(...args: Parameters<typeof startTiny>): Promise<TinyServer> {
  const server = await startTiny(...args);
  servers.push(server);
  return server;
}
afterEach(async () => void (await Promise.all(servers.splice(0).map((server) => server.drain()))));

const long = 'The miller went down. '.repeat(40);
const body = (more: object = {}) => JSON.stringify({ model: 'scripted', messages: [{ role: 'user', content: 'Hi' }], ...more });

describe('startServer()', () => {
  it('is alive before its model is loaded, ready after', async () => {
    let release = (): void => {};
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    let port = 0;
    const entry = { name: 'slow', createdSeconds: 0, bytes: 0, load: async () => {
      await held;
      return openTiny('slow');
    } };
    const free = await start();
    ({ port } = free);
    await free.drain();
    const starting = start({ registry: new ModelRegistry([entry]), port });
    const url = `http://127.0.0.1:${port}`;
    let alive: number | undefined;
    while (alive !== 200) alive = await ask(`${url}/livez`).then(({ status }) => status, () => undefined);
    expect((await ask(`${url}/readyz`)).status).toBe(503);
    expect((await ask(`${url}/health`)).status).toBe(503);
    expect(await ask(`${url}/v1/chat/completions`, { body: body({ model: 'slow' }) })).toMatchObject({ status: 503, headers: { 'retry-after': '5' } });
    release();
    await starting;
    expect((await ask(`${url}/readyz`)).status).toBe(200);
  });

  it('refuses to be open to others without a key', async () => {
    await expect(startTiny({ host: '0.0.0.0' })).rejects.toThrow(/without a key/);
  });
});

describe('a request', () => {
  it('ends in the engine when its client goes, streaming or not', async () => {
    const script: Script = { say: () => long, paceMs: 5 }, server = await start({ script });
    for (const stream of [true, false]) {
      const socket = rawSocket(server.port, '/v1/chat/completions', { ...JSON.parse(body()), stream });
      await until(() => script.running === 1);
      await new Promise((resolve) => setTimeout(resolve, 30));
      socket.destroy();
      await until(() => script.running === 0);
      await until(() => server.parts.admission.running === 0);
    }
    expect(await server.parts.metrics.text()).toMatch(/athanor_requests_total\{route="\/v1\/chat\/completions",status="499",outcome="cancelled"\} 2/);
  });

  it('has an error event where it fails after its stream has begun, and a status where it fails before', async () => {
    const server = await start({ script: { say: () => long, failAfter: 3 } });
    const { status, text } = await ask(`${server.url}/v1/chat/completions`, { body: body({ stream: true }) });
    expect(status).toBe(200);
    const lines = text.trim().split('\n\n');
    expect(JSON.parse(lines.at(-1)!.slice(6))).toMatchObject({ error: { type: 'server_error', message: expect.stringContaining('Its log has the cause') as string } });
    expect(text).not.toContain('[DONE]');
    expect(text).not.toContain('broke'); // inner words stay inside
    const early = await start({ script: { say: () => long, failAfter: 0 } });
    expect((await ask(`${early.url}/v1/chat/completions`, { body: body({ stream: true }) })).status).toBe(500);
  });

  it('waits for a place, or is sent away with when to come back', async () => {
    const script: Script = { say: () => long, paceMs: 2 }, server = await start({ script, maxRunning: 1, maxWaiting: 1 });
    const first = ask(`${server.url}/v1/chat/completions`, { body: body({ max_tokens: 20 }) });
    await until(() => script.running === 1);
    const second = ask(`${server.url}/v1/chat/completions`, { body: body({ max_tokens: 20 }) });
    await until(() => server.parts.admission.waiting === 1);
    const third = await ask(`${server.url}/v1/chat/completions`, { body: body() });
    expect(third).toMatchObject({ status: 429, json: { error: { code: 'server_busy' } } });
    expect(Number(third.headers['retry-after'])).toBeGreaterThan(0);
    expect([(await first).status, (await second).status]).toEqual([200, 200]);
  });

  it('waits no longer than the deadline of the queue, and runs no longer than that of answers', async () => {
    const script: Script = { say: () => long, paceMs: 5 }, server = await start({ script, maxRunning: 1, queueTimeoutMs: 40, answerTimeoutMs: 200 });
    const first = ask(`${server.url}/v1/chat/completions`, { body: body({ max_tokens: 400 }) });
    await until(() => script.running === 1);
    expect((await ask(`${server.url}/v1/chat/completions`, { body: body() })).status).toBe(429);
    expect(await first).toMatchObject({ status: 504, json: { error: { code: 'timeout' } } });
  });

  it('is cut off when its reader takes nothing, and its place is free long before', async () => {
    const script: Script = { say: () => 'x'.repeat(300) }, server = await start({ script, maxRunning: 1, stallTimeoutMs: 300 });
    const socket = rawSocket(server.port, '/v1/chat/completions', { ...JSON.parse(body({ n: 64, logprobs: true, top_logprobs: 2 })), stream: true });
    socket.pause();
    await until(() => server.parts.admission.running === 0);
    await new Promise<void>((resolve) => socket.once('close', () => resolve()).on('error', () => undefined).resume());
    expect((await ask(`${server.url}/v1/chat/completions`, { body: body({ max_tokens: 3 }) })).status).toBe(200);
  }, 15_000);
});

describe('RunningServer.drain()', () => {
  it('lets answers end, and takes no new ones', async () => {
    const script: Script = { say: () => long, paceMs: 4 }, server = await start({ script });
    const running = ask(`${server.url}/v1/chat/completions`, { body: body({ max_tokens: 30, stream: true }) });
    await until(() => script.running === 1);
    const draining = server.drain();
    await expect(ask(`${server.url}/v1/chat/completions`, { body: body() })).rejects.toThrow(/ECONNREFUSED/);
    expect((await running).text).toContain('[DONE]');
    await draining;
  });

  it('ends what takes too long with an error in its stream', async () => {
    const script: Script = { say: () => long.repeat(5), paceMs: 20 }, server = await start({ script, drainTimeoutMs: 50 });
    const running = ask(`${server.url}/v1/chat/completions`, { body: body({ stream: true, max_tokens: 400 }) }).catch((error: Error) => error);
    await until(() => script.running === 1);
    await server.drain();
    const reply = await running;
    expect(reply instanceof Error ? reply.message : reply.text).not.toContain('[DONE]');
  });
});

describe('ModelRegistry.reload()', () => {
  it('answers with the new model, while streams of the old one go on', async () => {
    const closed: number[] = [];
    let loads = 0;
    const entry = { name: 'scripted', createdSeconds: 0, bytes: 1, load: async () => {
      const version = ++loads, model = await openTiny('scripted', { say: () => `version ${version} `.repeat(10), paceMs: 4 });
      return { ...model, close: async () => {
        closed.push(version);
        await model.close();
      } };
    } };
    const server = await start({ registry: new ModelRegistry([entry]) });
    const old = ask(`${server.url}/v1/chat/completions`, { body: body() });
    await until(() => server.parts.admission.running === 1);
    await server.registry.reload('scripted');
    expect(closed).toEqual([]);
    const fresh = await ask(`${server.url}/v1/chat/completions`, { body: body() });
    expect(fresh.json.choices[0].message.content).toContain('version 2');
    expect((await old).json.choices[0].message.content).toBe('version 1 '.repeat(10));
    await until(() => closed.length === 1);
  });
});
