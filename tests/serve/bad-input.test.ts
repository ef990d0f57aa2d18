// What strangers send: each gets its protocol's error with the field named, and the server goes on.

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ask } from './raw-http.ts';
import { removeFolders } from './tiny-model.ts';
import { startTiny, type TinyServer } from './tiny-server.ts';

let server: TinyServer;
beforeAll(async () => {
  server = await startTiny({ maxBodyBytes: 200_000 });
});
afterAll(async () => {
  await server.drain();
  removeFolders();
});

const chat = (body: string | Buffer, headers: Record<string, string> = {}) => ask(`${server.url}/v1/chat/completions`, { body, headers });
const good = { model: 'tiny', messages: [{ role: 'user', content: 'Hi' }], max_tokens: 2 };

describe('a request that is no request', () => {
  it.each([
    ['nothing', '', /not JSON/],
    ['half a text', '{"model": "tiny", ', /not JSON/],
    ['no object', '[1, 2]', /expected object/i],
    ['no UTF-8', Buffer.from([0x7b, 0xff, 0x7d]), /UTF-8/],
    ['a key given twice', '{"model": "tiny", "model": "other"}', /given twice/],
    ['a bomb of brackets', '['.repeat(50_000), /nests more than/],
    ['nested objects', `{"messages": ${'{"a":'.repeat(200)}1${'}'.repeat(200)}}`, /nests more than/],
  ])('gives 400 for %s', async (_, body, message) => {
    const { status, json } = await chat(body);
    expect(status).toBe(400);
    expect(json.error.message).toMatch(message);
    expect(json.error.type).toBe('invalid_request_error');
  });

  it.each([
    [{ messages: undefined }, 'messages'],
    [{ messages: 'Hi' }, 'messages'],
    [{ messages: [] }, 'messages'],
    [{ messages: [{ role: 'user', content: 7 }] }, 'messages[0].content'],
    [{ messages: [{ role: 'user', content: [{ text: 'no type' }] }] }, 'messages[0].content[0].type'],
    [{ max_tokens: 1.5 }, 'max_tokens'],
    [{ max_tokens: -1 }, 'max_tokens'],
    [{ n: 1e9 }, 'n'],
    [{ top_p: 2 }, 'top_p'],
    [{ stop: [1] }, 'stop[0]'],
    [{ seed: 'x' }, 'seed'],
    [{ stream: 'yes' }, 'stream'],
    [{ logit_bias: { a: 1 } }, 'logit_bias.a'],
    [{ tools: [{ type: 'function' }] }, 'tools[0].function'],
    [{ response_format: { type: 'xml' } }, 'response_format.type'],
    [{ top_logprobs: 2 }, 'top_logprobs'],
  ])('names the field of %j', async (change, field) => {
    const { status, json } = await chat(JSON.stringify({ ...good, ...change }));
    expect(status, JSON.stringify(json)).toBe(400);
    expect(json.error.param).toBe(field);
  });

  it('gives 413 for a body that is too large, told or not', async () => {
    const body = JSON.stringify({ ...good, messages: [{ role: 'user', content: 'x'.repeat(300_000) }] });
    expect((await chat(body)).status).toBe(413);
    const chunked = await ask(`${server.url}/v1/chat/completions`, { body, headers: { 'transfer-encoding': 'chunked' } });
    expect(chunked.status).toBe(413);
    expect(chunked.json.error.message).toContain('200000 bytes');
  });

  it('gives 415 for forms of pages, and for compressed bodies; curl may call JSON a form', async () => {
    for (const type of ['text/plain', 'application/x-www-form-urlencoded', 'multipart/form-data; boundary=x']) expect((await chat(JSON.stringify(good), { 'content-type': type, origin: server.url })).status).toBe(415);
    expect((await chat(JSON.stringify(good), { 'content-type': 'application/x-www-form-urlencoded' })).status).toBe(200);
    expect((await chat(JSON.stringify(good), { 'content-encoding': 'gzip' })).status).toBe(415);
  });

  it('gives 404 and 405 where there is nothing, and each its protocol', async () => {
    expect(await ask(`${server.url}/v1/nothing`)).toMatchObject({ status: 404, json: { error: { type: 'invalid_request_error' } } });
    expect(await ask(`${server.url}/v1/chat/completions`)).toMatchObject({ status: 405, json: { error: { message: expect.stringContaining('takes POST') } } });
    expect((await ask(`${server.url}/api/nothing`)).json).toEqual({ error: expect.any(String) });
  });

  it('does not read the tokens of its template out of what users write', async () => {
    const { json } = await chat(JSON.stringify({ ...good, messages: [{ role: 'user', content: '<|im_end|>' }] }));
    const plain = await chat(JSON.stringify({ ...good, messages: [{ role: 'user', content: '' }] }));
    expect(json.usage.prompt_tokens - plain.json.usage.prompt_tokens).toBeGreaterThan(3);
  });

  it('answers as before after all of it', async () => {
    expect((await chat(JSON.stringify(good))).status).toBe(200);
  });
});

describe('who may ask', () => {
  it('refuses hosts that are not its own, which DNS rebinding brings', async () => {
    expect((await ask(`${server.url}/v1/models`, { headers: { host: 'evil.example' } })).status).toBe(403);
    expect((await ask(`${server.url}/v1/models`, { headers: { host: 'localhost:8080' } })).status).toBe(200);
  });

  it('refuses pages of other origins, preflights too', async () => {
    expect((await ask(`${server.url}/v1/models`, { headers: { origin: 'https://evil.example' } })).status).toBe(403);
    expect((await ask(`${server.url}/v1/chat/completions`, { method: 'OPTIONS', headers: { origin: 'https://evil.example' } })).status).toBe(403);
    expect((await ask(`${server.url}/v1/models`, { headers: { origin: server.url } })).status).toBe(200);
  });

  it('keeps the id of a request where it is one, and makes one where not', async () => {
    expect((await ask(`${server.url}/livez`, { headers: { 'x-request-id': 'abc-1' } })).headers['x-request-id']).toBe('abc-1');
    expect((await ask(`${server.url}/livez`, { headers: { 'x-request-id': 'a b' } })).headers['x-request-id']).toMatch(/^req_[0-9a-f]{24}$/);
  });
});
