// Answers held to a form by a model of random weights: whatever it would say, what it says is valid where it ended by itself.

import { Ollama } from 'ollama';
import type OpenAI from 'openai';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { removeFolders } from './tiny-model.ts';
import { openAiOf, startTiny, type TinyServer } from './tiny-server.ts';
import { TOOL } from './tools-script.ts';

let server: TinyServer, client: OpenAI;
beforeAll(async () => {
  server = await startTiny();
  client = openAiOf(server);
});
afterAll(async () => {
  await server.drain();
  removeFolders();
});

const messages = [{ role: 'user' as const, content: 'Hi' }], schema = { type: 'object', properties: { mood: { enum: ['good', '坏'] }, n: { type: 'integer', minimum: 1, maximum: 9 } }, required: ['mood', 'n'], additionalProperties: false };
const SEEDS = [1, 2, 3, 4];

describe('response_format', () => {
  it('json_schema gives JSON of that schema, from chat and responses', async () => {
    for (const seed of SEEDS) {
      const { choices: [choice] } = await client.chat.completions.create({ model: 'tiny', messages, seed, max_tokens: 200, response_format: { type: 'json_schema', json_schema: { name: 'x', schema, strict: true } } });
      expect(choice!.finish_reason).toBe('stop');
      const value = JSON.parse(choice!.message.content!);
      expect(['good', '坏']).toContain(value.mood);
      expect(value.n).toBeGreaterThanOrEqual(1);
      expect(value.n).toBeLessThanOrEqual(9);
    }
    const response = await client.responses.create({ model: 'tiny', input: 'Hi', text: { format: { type: 'json_schema', name: 'x', schema } } });
    expect(Object.keys(JSON.parse(response.output_text))).toEqual(['mood', 'n']);
  });

  it('json_object gives an object, or says that it was cut', async () => {
    for (const seed of SEEDS) {
      const { choices: [choice] } = await client.chat.completions.create({ model: 'tiny', messages, seed, max_tokens: 60, response_format: { type: 'json_object' } });
      if (choice!.finish_reason === 'stop') expect(JSON.parse(choice!.message.content!)).toBeTypeOf('object');
      else expect(choice!.finish_reason).toBe('length');
    }
  });

  it('regex and grammar hold completions too', async () => {
    const ask = async (format: object) => (await client.completions.create({ model: 'tiny', prompt: 'The', max_tokens: 60, response_format: format } as OpenAI.CompletionCreateParamsNonStreaming)).choices[0]!.text;
    expect(await ask({ type: 'regex', regex: '(yes|no)-[0-9]{2}' })).toMatch(/^(yes|no)-\d{2}$/);
    expect(await ask({ type: 'grammar', grammar: 'root ::= "a" [bc] "d"' })).toMatch(/^a[bc]d$/);
  });

  it('names what of a schema is not supported, and goes on', async () => {
    await expect(client.chat.completions.create({ model: 'tiny', messages, response_format: { type: 'json_schema', json_schema: { name: 'x', schema: { type: 'string', pattern: '(a)\\1' } } } })).rejects.toMatchObject({ status: 400, param: 'response_format' });
    await expect(client.completions.create({ model: 'tiny', prompt: 'x', response_format: { type: 'regex', regex: '((' } } as never)).rejects.toMatchObject({ status: 400 });
  });
});

describe('tool_choice', () => {
  it('required and by name make a model of random weights call a tool with valid arguments', async () => {
    const tools = [{ type: 'function' as const, function: { ...TOOL, parameters: { type: 'object', properties: { city: { enum: ['Paris', '北京'] } }, required: ['city'], additionalProperties: false } } }];
    for (const tool_choice of ['required' as const, { type: 'function' as const, function: { name: TOOL.name } }]) {
      const { choices: [choice] } = await client.chat.completions.create({ model: 'tiny', messages, tools, tool_choice, seed: 5, max_tokens: 300, parallel_tool_calls: false });
      expect(choice!.finish_reason).toBe('tool_calls');
      const [call] = choice!.message.tool_calls!;
      expect(['Paris', '北京']).toContain(call!.type === 'function' && JSON.parse(call!.function.arguments).city);
    }
  });
});

describe('Ollama format', () => {
  it('takes a schema', async () => {
    const { message } = await new Ollama({ host: server.url }).chat({ model: 'tiny', messages, format: schema });
    expect(Object.keys(JSON.parse(message.content))).toEqual(['mood', 'n']);
  });
});
