// Tools, reasoning and stops through each protocol's own client: openai, ollama, @anthropic-ai/sdk.

import Anthropic from '@anthropic-ai/sdk';
import { Ollama } from 'ollama';
import type OpenAI from 'openai';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ask } from './raw-http.ts';
import { removeFolders } from './tiny-model.ts';
import { openAiOf, startTiny, type TinyServer } from './tiny-server.ts';
import { TOOL, toolScript } from './tools-script.ts';

let server: TinyServer, openai: OpenAI, ollama: Ollama, anthropic: Anthropic;
beforeAll(async () => {
  server = await startTiny({ script: toolScript() });
  openai = openAiOf(server);
  ollama = new Ollama({ host: server.url });
  anthropic = new Anthropic({ baseURL: server.url, apiKey: 'none', maxRetries: 0 });
});
afterAll(async () => {
  await server.drain();
  removeFolders();
});

const user = (content: string) => ({ role: 'user' as const, content });
const cities = ['Paris', '北京'], tools = [{ type: 'function' as const, function: TOOL }];

describe('openai client with tools', () => {
  it.each(['hermes', 'mistral', 'llama'])('gets parallel calls in the form of %s, whole and streamed, and answers from their results', async (form) => {
    const base = { model: 'scripted', messages: [user(form)], tools };
    const { choices: [choice] } = await openai.chat.completions.create(base), calls = choice!.message.tool_calls!;
    expect(choice!.finish_reason).toBe('tool_calls');
    expect(choice!.message.content).toBe(form === 'hermes' ? 'Let me see.\n' : null);
    expect(calls.map((call) => call.type === 'function' && [call.function.name, JSON.parse(call.function.arguments).city])).toEqual(cities.map((city) => ['get_weather', city]));
    expect(new Set(calls.map(({ id }) => id)).size).toBe(2);
    const stream = openai.chat.completions.stream({ ...base, stream: true }), final = await stream.finalChatCompletion();
    expect(final.choices[0]!.message.tool_calls!.map((call) => call.type === 'function' && JSON.parse(call.function.arguments).city)).toEqual(cities);
    expect(final.choices[0]!.finish_reason).toBe('tool_calls');
    const answered = await openai.chat.completions.create({ ...base, messages: [...base.messages, choice!.message, ...calls.map(({ id }) => ({ role: 'tool' as const, tool_call_id: id, content: '21 °C' }))] });
    expect(answered.choices[0]!.message.content).toBe('The tool said: 21 °C');
  });

  it('runs tools by itself (runTools)', async () => {
    const asked: string[] = [];
    const runner = openai.chat.completions.runTools({ model: 'scripted', messages: [user('hermes')], tools: [{ type: 'function', function: { ...TOOL, parse: JSON.parse, function: ({ city }: { city: string }) => {
      asked.push(city);
      return `${city}: 21 °C`;
    } } }] });
    expect(await runner.finalContent()).toBe('The tool said: Paris: 21 °C');
    expect(asked).toEqual(cities);
  });

  it('gets text that looks like a call where it gave no tools', async () => {
    const { choices: [choice] } = await openai.chat.completions.create({ model: 'scripted', messages: [user('llama')] });
    expect(choice!.message.content).toMatch(/^\{"name"/);
    expect(choice!.message.tool_calls).toBeUndefined();
  });

  it('gets reasoning apart from the answer, whole and streamed', async () => {
    const base = { model: 'scripted', messages: [user('think')] }, whole = await openai.chat.completions.create(base);
    expect(whole.choices[0]!.message).toMatchObject({ content: 'Hello, 世界!', reasoning_content: 'The user is\nkind.' });
    let text = '', reasoning = '';
    for await (const { choices: [choice] } of await openai.chat.completions.create({ ...base, stream: true })) {
      text += choice?.delta.content ?? '';
      reasoning += (choice?.delta as { reasoning_content?: string } | undefined)?.reasoning_content ?? '';
    }
    expect([text, reasoning]).toEqual(['Hello, 世界!', 'The user is\nkind.']);
  });

  it('ends before a stop text', async () => {
    const { choices: [choice] } = await openai.chat.completions.create({ model: 'scripted', messages: [user('count')], stop: [' three', ' four'] });
    expect(choice).toMatchObject({ finish_reason: 'stop', message: { content: 'one two' } });
  });
});

describe('ollama client', () => {
  it('chats in lines of JSON by default, or at once', async () => {
    let text = '', last: unknown;
    for await (const part of await ollama.chat({ model: 'scripted:latest', messages: [user('count')], stream: true })) {
      text += part.message.content;
      last = part;
    }
    expect(text).toBe('one two three four');
    expect(last).toMatchObject({ done: true, done_reason: 'stop', eval_count: expect.any(Number), total_duration: expect.any(Number) });
    const whole = await ollama.chat({ model: 'scripted', messages: [user('count')], options: { num_predict: 2 } });
    expect(whole).toMatchObject({ done_reason: 'length', eval_count: 2 });
    expect((await ask(`${server.url}/api/chat`, { body: JSON.stringify({ model: 'scripted', messages: [user('count')] }) })).headers['content-type']).toBe('application/x-ndjson');
  });

  it('gets calls with arguments as objects, and sends their results', async () => {
    const { message } = await ollama.chat({ model: 'scripted', messages: [user('hermes')], tools });
    expect(message.tool_calls!.map(({ function: { name, arguments: given } }) => [name, given['city']])).toEqual(cities.map((city) => ['get_weather', city]));
    const answered = await ollama.chat({ model: 'scripted', messages: [user('hermes'), message, { role: 'tool', content: '21 °C', tool_name: 'get_weather' }], tools });
    expect(answered.message.content).toBe('The tool said: 21 °C');
  });

  it('thinks apart', async () => {
    expect((await ollama.chat({ model: 'scripted', messages: [user('think')], think: false })).message).toMatchObject({ content: 'Hello, 世界!', thinking: 'The user is\nkind.' });
  });

  it('generates: a message by the template, raw, or into a gap', async () => {
    expect((await ollama.generate({ model: 'scripted', prompt: 'count' })).response).toBe('one two three four');
    expect((await ollama.generate({ model: 'scripted', prompt: 'x', raw: true })).response).toBe('I heard .');
    expect(await ollama.generate({ model: 'tiny', prompt: 'function add(', suffix: '}', options: { num_predict: 3 } })).toMatchObject({ done: true });
    expect(await ollama.generate({ model: 'tiny', prompt: '' })).toMatchObject({ done_reason: 'load' });
  });

  it('lists and shows models', async () => {
    expect((await ollama.list()).models.map(({ name }) => name)).toEqual(['tiny', 'scripted']);
    const shown = await ollama.show({ model: 'tiny' });
    expect(shown.details).toMatchObject({ family: 'llama', quantization_level: 'F32' });
    expect(shown.capabilities).toEqual(expect.arrayContaining(['completion', 'tools', 'thinking', 'insert']));
    expect((await ollama.ps()).models.length).toBeGreaterThan(0);
    expect((await ollama.version()).version).toBe('0.1.0');
    await expect(ollama.show({ model: 'other' })).rejects.toThrow(/Cannot find the model "other"/);
  });
});

describe('@anthropic-ai/sdk', () => {
  const base = { model: 'scripted', max_tokens: 200 }, toolsThere = [{ name: TOOL.name, description: TOOL.description, input_schema: { ...TOOL.parameters, type: 'object' as const } }];

  it('gets messages, whole and streamed alike', async () => {
    const whole = await anthropic.messages.create({ ...base, system: 'Be kind.', messages: [user('count')] });
    expect(whole).toMatchObject({ type: 'message', role: 'assistant', content: [{ type: 'text', text: 'one two three four' }], stop_reason: 'end_turn' });
    const streamed = await anthropic.messages.stream({ ...base, system: 'Be kind.', messages: [user('count')] }).finalMessage();
    expect(streamed.content).toEqual(whole.content);
    expect(streamed.usage).toMatchObject({ input_tokens: whole.usage.input_tokens, output_tokens: whole.usage.output_tokens });
  });

  it('says which stop ended it, and when the room did', async () => {
    expect(await anthropic.messages.create({ ...base, stop_sequences: ['three', 'x'], messages: [user('count')] })).toMatchObject({ stop_reason: 'stop_sequence', stop_sequence: 'three', content: [{ text: 'one two ' }] });
    expect(await anthropic.messages.create({ ...base, max_tokens: 1, messages: [user('count')] })).toMatchObject({ stop_reason: 'max_tokens' });
  });

  it('gets thinking and calls as blocks, and sends results back', async () => {
    const thought = await anthropic.messages.stream({ ...base, messages: [user('think')] }).finalMessage();
    expect(thought.content).toMatchObject([{ type: 'thinking', thinking: 'The user is\nkind.' }, { type: 'text', text: 'Hello, 世界!' }]);
    for (const called of [await anthropic.messages.create({ ...base, tools: toolsThere, messages: [user('hermes')] }), await anthropic.messages.stream({ ...base, tools: toolsThere, messages: [user('hermes')] }).finalMessage()]) {
      expect(called.stop_reason).toBe('tool_use');
      const uses = called.content.filter((block) => block.type === 'tool_use');
      expect(uses.map(({ input }) => input)).toEqual(cities.map((city) => ({ city })));
      const answered = await anthropic.messages.create({ ...base, tools: toolsThere, messages: [user('hermes'), { role: 'assistant', content: called.content }, { role: 'user', content: uses.map(({ id }) => ({ type: 'tool_result' as const, tool_use_id: id, content: '21 °C' })) }] });
      expect(answered.content).toMatchObject([{ type: 'text', text: 'The tool said: 21 °C' }]);
    }
  });

  it('counts tokens as the answer counts them', async () => {
    const { input_tokens: n } = await anthropic.messages.countTokens({ model: 'scripted', messages: [user('count')] });
    expect(n).toBe((await anthropic.messages.create({ ...base, messages: [user('count')] })).usage.input_tokens);
  });

  it('gets its own errors', async () => {
    await expect(anthropic.messages.create({ ...base, model: 'other', messages: [user('x')] })).rejects.toMatchObject({ status: 404, error: { type: 'error', error: { type: 'not_found_error' } } });
    await expect(anthropic.messages.create({ ...base, max_tokens: 0, messages: [user('x')] })).rejects.toMatchObject({ status: 400, error: { error: { type: 'invalid_request_error', message: expect.stringContaining('max_tokens') } } });
  });
});
