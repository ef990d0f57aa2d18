// What editors' plug-ins send to complete code: Continue by both of its providers, and the others that speak OpenAI or Ollama.

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { fillInPrompt } from '../../src/serve/fill-in.ts';
import { trainBpe } from '../../src/tokenizer/index.ts';
import { ask } from './raw-http.ts';
import type { Asked, Script } from './scripted-engine.ts';
import { removeFolders } from './tiny-model.ts';
import { openTiny, startTiny, type TinyServer } from './tiny-server.ts';

let server: TinyServer;
const asked: Asked[] = [], script: Script = { say: (prompt) => (prompt.includes('<|fim_suffix|>') ? 'return a + b;\n' : 'It adds two numbers.'), asked };
beforeAll(async () => {
  server = await startTiny({ script });
});
afterAll(async () => {
  await server.drain();
  removeFolders();
});

const before = 'function add(a, b) {\n  ', after = '\n}\n';
const lines = (text: string) => text.trim().split('\n').map((line) => JSON.parse(line));
const lastPrompt = async () => (await openTiny('x')).tokenizer!.decode(asked.at(-1)!.prompt);

describe('code completion', () => {
  it('Continue, provider openai: prompt and suffix to /v1/completions, streamed', async () => {
    const body = JSON.stringify({ model: 'scripted', max_tokens: 200, temperature: 0.01, stream: true, stop: ['<|endoftext|>', '/src/'], prompt: before, suffix: after });
    const { status, text } = await ask(`${server.url}/v1/completions`, { body, headers: { authorization: 'Bearer none' } });
    expect(status).toBe(200);
    expect(text.split('\n\n').filter((line) => line.startsWith('data: {')).map((line) => JSON.parse(line.slice(6)).choices[0].text).join('')).toBe('return a + b;\n');
    expect(await lastPrompt()).toBe(`<|fim_prefix|>${before}<|fim_suffix|>${after}<|fim_middle|>`);
    expect(asked.at(-1)!.options.stopIds!.length).toBeGreaterThan(0);
  });

  it('Continue, provider ollama: suffix to /api/generate, lines of JSON', async () => {
    const body = JSON.stringify({ model: 'scripted', prompt: before, suffix: after, raw: false, stream: true, keep_alive: 1800, options: { temperature: 0.01, num_predict: 200, stop: ['<|endoftext|>'], num_ctx: 8192, num_thread: 4, mirostat: undefined } });
    const { text } = await ask(`${server.url}/api/generate`, { body }), parts = lines(text);
    expect(parts.map(({ response }) => response).join('')).toBe('return a + b;\n');
    expect(parts.at(-1)).toMatchObject({ done: true, done_reason: 'stop' });
  });

  it('plug-ins that write the tokens of gaps themselves (raw) get characters, never tokens, unless their key says so', async () => {
    const prompt = `<|fim_prefix|>${before}<|fim_suffix|>${after}<|fim_middle|>`;
    await ask(`${server.url}/api/generate`, { body: JSON.stringify({ model: 'scripted', prompt, raw: true, stream: false }) });
    const { tokenizer } = await openTiny('x');
    expect(asked.at(-1)!.prompt).not.toContain(tokenizer!.specialTokens.get('<|fim_prefix|>'));
    expect(await lastPrompt()).toBe(prompt);
  });

  it('says so where a model cannot fill gaps', async () => {
    const plain = await trainBpe(['some text'], { vocabSize: 256 });
    expect(() => fillInPrompt(plain, { prefix: before, suffix: after })).toThrow(/no fill-in-the-middle tokens/);
  });
});

describe('chat of plug-ins', () => {
  it('Continue asks Ollama what a model is, then chats', async () => {
    expect((await ask(`${server.url}/api/show`, { body: JSON.stringify({ name: 'scripted' }) })).json.capabilities).toContain('insert');
    const { text } = await ask(`${server.url}/api/chat`, { body: JSON.stringify({ model: 'scripted', messages: [{ role: 'system', content: 'You are an editor.' }, { role: 'user', content: `What is this?\n\`\`\`js\n${before}${after}\`\`\`` }], stream: true, keep_alive: 1800, options: { num_ctx: 8192 } }) });
    expect(lines(text).map(({ message }) => message.content).join('')).toBe('It adds two numbers.');
  });

  it('others list models, and stream chat with fields that nobody here knows', async () => {
    expect((await ask(`${server.url}/v1/models`, { headers: { authorization: 'Bearer none' } })).json.data.length).toBe(2);
    const { status, text } = await ask(`${server.url}/v1/chat/completions`, {
      body: JSON.stringify({ model: 'scripted', messages: [{ role: 'user', content: [{ type: 'text', text: 'What?' }] }], stream: true, stream_options: { include_usage: true }, user: 'me', store: false, metadata: {}, service_tier: 'auto', prompt_cache_key: 'k' }),
    });
    expect(status).toBe(200);
    expect(text).toContain('[DONE]');
  });
});
