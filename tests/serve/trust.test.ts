// Keys, scopes and budgets; what stays closed.

import { afterEach, describe, expect, it } from 'vitest';
import { KeyRing, keysOf, makeKey, type KeyRecord, type ServeLog } from '../../src/serve/index.ts';
import { ask } from './raw-http.ts';
import { startTiny, type TinyServer } from './tiny-server.ts';

const servers: TinyServer[] = [];
afterEach(async () => void (await Promise.all(servers.splice(0).map((server) => server.drain()))));

async function startWith(records: readonly KeyRecord[], more: Parameters<typeof startTiny>[0] = {}): Promise<TinyServer> {
  const server = await startTiny({ keys: new KeyRing(records), ...more });
  servers.push(server);
  return server;
}

const bearer = (key: string) => ({ authorization: `Bearer ${key}` });
const completion = JSON.stringify({ model: 'tiny', prompt: 'The', max_tokens: 2 });

describe('KeyRing', () => {
  it('keeps hashes, and no key', () => {
    const { key, record } = makeKey('laptop');
    expect(JSON.stringify(record)).not.toContain(key.slice(4));
    expect(new KeyRing([record]).holderOf(key).name).toBe('laptop');
    expect(() => new KeyRing([record]).holderOf(`${key}x`)).toThrow(/not known/);
  });

  it('counts requests and tokens in windows that slide, and forgets expired keys', () => {
    let now = 0;
    const { key, record } = makeKey('k', { requestsPerMinute: 2, tokensPerDay: 1000, expires: '2030-01-01T00:00:00Z' }), holder = new KeyRing([record], () => now).holderOf(key);
    holder.admit();
    holder.admit();
    expect(() => holder.admit()).toThrow(/requests a minute/);
    now += 30_000;
    holder.admit();
    holder.spend(1500); // the answer that passes the budget is not cut, the next one waits
    now += 60_000;
    expect(() => holder.admit()).toThrow(/1000 tokens a day/);
    now += 86_400_000;
    holder.admit();
    now = Date.parse('2030-01-02T00:00:00Z');
    expect(() => new KeyRing([record], () => now).holderOf(key)).toThrow(/expired/);
  });

  it('refuses a file that is none, naming the place', () => {
    expect(() => keysOf({ keys: [{ name: 'x', sha256: 'short' }] })).toThrow(/keys\[0\].sha256/);
    expect(() => keysOf({ keys: [{ ...makeKey('x').record, scopes: ['root'] }] })).toThrow(/keys\[0\].scopes\[0\]/);
  });
});

describe('a server with keys', () => {
  it('opens only its health and its page without one, in each protocol of refusal', async () => {
    const { key, record } = makeKey('a'), server = await startWith([record]);
    for (const path of ['/livez', '/readyz', '/health']) expect((await ask(server.url + path)).status).toBe(200);
    expect([200, 404]).toContain((await ask(`${server.url}/`)).status);
    for (const path of ['/v1/models', '/api/tags', '/metrics', '/openapi.json', '/api/version']) expect((await ask(server.url + path)).status).toBe(401);
    expect((await ask(`${server.url}/v1/messages`, { body: '{}' })).json).toMatchObject({ type: 'error', error: { type: 'authentication_error' } });
    expect((await ask(`${server.url}/api/chat`, { body: '{}' })).json).toEqual({ error: expect.stringContaining('API key') });
    expect((await ask(`${server.url}/v1/models`, { headers: bearer(key) })).status).toBe(200);
    expect((await ask(`${server.url}/v1/models`, { headers: { 'x-api-key': key } })).status).toBe(200);
    expect((await ask(`${server.url}/metrics`, { headers: bearer(key) })).status).toBe(403); // another scope
  });

  it('takes special tokens in raw prompts from keys of that scope', async () => {
    const { key, record } = makeKey('raw', { scopes: ['inference', 'special-tokens'] }), server = await startWith([record]);
    const body = JSON.stringify({ model: 'tiny', prompt: '<|im_start|>', max_tokens: 1, allow_special_tokens: true });
    expect((await ask(`${server.url}/v1/completions`, { body, headers: bearer(key) })).json.usage.prompt_tokens).toBe(1);
  });

  it('sends away who has used up a budget, with when to come back', async () => {
    const { key, record } = makeKey('few', { requestsPerMinute: 1 }), server = await startWith([record]);
    expect((await ask(`${server.url}/v1/completions`, { body: completion, headers: bearer(key) })).status).toBe(200);
    const second = await ask(`${server.url}/v1/completions`, { body: completion, headers: bearer(key) });
    expect(second).toMatchObject({ status: 429, json: { error: { code: 'rate_limit_exceeded' } } });
    expect(Number(second.headers['retry-after'])).toBeGreaterThan(20);
  });

  it('manages models only where it was started so, and only by keys of that scope', async () => {
    const boss = makeKey('boss', { scopes: ['inference', 'admin'] }), other = makeKey('other');
    const closed = await startWith([boss.record, other.record]), open = await startWith([boss.record, other.record], { admin: true });
    const reload = (server: TinyServer, key: string, name = 'tiny') => ask(`${server.url}/admin/models/${name}/reload`, { method: 'POST', headers: bearer(key) });
    expect((await reload(closed, boss.key)).status).toBe(403);
    expect((await reload(open, other.key)).status).toBe(403);
    expect((await reload(open, boss.key, '..%2F..%2Fetc')).status).toBe(404);
    expect((await reload(open, boss.key)).json).toEqual({ name: 'tiny', action: 'reload', done: true });
    const keyless = await startWith([], { admin: true });
    expect((await reload(keyless, '')).status).toBe(403);
  });

  it('logs requests without prompts, answers or keys', async () => {
    const lines: string[] = [], log: ServeLog = { write: (event, fields) => void lines.push(JSON.stringify({ event, ...fields })) };
    const { key, record } = makeKey('logged'), server = await startWith([record], { log });
    await ask(`${server.url}/v1/completions`, { body: JSON.stringify({ model: 'tiny', prompt: 'my secret wish', max_tokens: 3 }), headers: { ...bearer(key), 'x-request-id': 'r1' } });
    const line = lines.find((text) => text.includes('"r1"'))!;
    expect(JSON.parse(line)).toMatchObject({ event: 'request', key: 'logged', model: 'tiny', outcome: 'done', status: 200, completionTokens: 3 });
    expect(lines.join()).not.toMatch(/secret|ath-/);
  });
});

describe('GET /openapi.json and /metrics', () => {
  it('describe every route, and count what happened', async () => {
    const server = await startWith([]), { json } = await ask(`${server.url}/openapi.json`);
    expect(Object.keys(json.paths)).toEqual(expect.arrayContaining(['/v1/chat/completions', '/v1/responses/{id}', '/v1/messages', '/api/chat', '/livez']));
    await ask(`${server.url}/v1/completions`, { body: completion });
    const { text, headers } = await ask(`${server.url}/metrics`);
    expect(headers['content-type']).toContain('text/plain');
    for (const name of ['athanor_time_to_first_token_seconds_count{model="tiny"} 1', 'athanor_completion_tokens_total{model="tiny"} 2', 'athanor_requests_running 0', 'athanor_queue_seconds_count 1']) expect(text).toContain(name);
  });
});
