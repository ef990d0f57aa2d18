// OpenAI's own client over a real socket: its usual flows, and its exceptions.

import type OpenAI from 'openai';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { removeFolders } from './tiny-model.ts';
import { openAiOf, startTiny, type TinyServer } from './tiny-server.ts';

let server: TinyServer, client: OpenAI;
beforeAll(async () => {
  server = await startTiny();
  client = openAiOf(server);
});
afterAll(async () => {
  await server.drain();
  removeFolders();
});

const messages = [{ role: 'user' as const, content: 'Hello, 世界' }];

describe('openai client, chat', () => {
  it('answers whole, the same with the same seed, with usage', async () => {
    const ask = () => client.chat.completions.create({ model: 'tiny', messages, max_tokens: 12, seed: 3 });
    const [a, b] = [await ask(), await ask()];
    expect(a.choices[0]!.message.content).toBe(b.choices[0]!.message.content);
    expect(a.id).toMatch(/^chatcmpl-[0-9a-f]{24}$/);
    expect(a.id).not.toBe(b.id);
    expect(a.usage).toMatchObject({ completion_tokens: 12, total_tokens: a.usage!.prompt_tokens + 12 });
    expect(a.choices[0]!.finish_reason).toBe('length');
  });

  it('streams the same text, usage last where it is asked for', async () => {
    const options = { model: 'tiny', messages, max_tokens: 12, seed: 3 };
    const whole = await client.chat.completions.create(options);
    let text = '', last: unknown, reason: string | null = null;
    for await (const chunk of await client.chat.completions.create({ ...options, stream: true, stream_options: { include_usage: true } })) {
      text += chunk.choices[0]?.delta.content ?? '';
      reason = chunk.choices[0]?.finish_reason ?? reason;
      last = chunk.usage;
    }
    expect(text).toBe(whole.choices[0]!.message.content);
    expect(reason).toBe('length');
    expect(last).toEqual(whole.usage);
  });

  it('makes n choices by seeds that count up', async () => {
    const three = await client.chat.completions.create({ model: 'tiny', messages, max_tokens: 6, seed: 10, n: 3 });
    expect(three.choices.map(({ index }) => index)).toEqual([0, 1, 2]);
    const alone = await Promise.all([10, 11, 12].map((seed) => client.chat.completions.create({ model: 'tiny', messages, max_tokens: 6, seed })));
    expect(three.choices.map(({ message }) => message.content)).toEqual(alone.map(({ choices }) => choices[0]!.message.content));
    expect(three.usage!.completion_tokens).toBe(alone.reduce((sum, { usage }) => sum + usage!.completion_tokens, 0));
  });

  it('scores tokens whose bytes are those of the text', async () => {
    const { choices: [choice] } = await client.chat.completions.create({ model: 'tiny', messages, max_tokens: 8, logprobs: true, top_logprobs: 3, seed: 1 });
    const content = choice!.logprobs!.content!;
    expect(content).toHaveLength(8);
    for (const { logprob, top_logprobs: top } of content) {
      expect(logprob).toBeLessThanOrEqual(0);
      expect(top).toHaveLength(3);
      expect(top[0]!.logprob).toBeGreaterThanOrEqual(logprob);
    }
    expect(Buffer.from(content.flatMap(({ bytes }) => bytes!)).toString()).toBe(choice!.message.content);
  });

  it('says what is wrong in the exceptions of the client, with the field named', async () => {
    const ask = (more: object) => client.chat.completions.create({ model: 'tiny', messages, ...more } as OpenAI.ChatCompletionCreateParamsNonStreaming);
    await expect(ask({ model: '../../etc/passwd' })).rejects.toMatchObject({ status: 404, code: 'model_not_found', param: 'model' });
    await expect(ask({ messages: [{ role: 'user', content: 'a'.repeat(9000) }] })).rejects.toMatchObject({ status: 400, code: 'context_length_exceeded', param: 'messages' });
    await expect(ask({ temperature: 'hot' })).rejects.toMatchObject({ status: 400, param: 'temperature' });
    await expect(ask({ messages: [{ role: 'wizard', content: 'x' }] })).rejects.toMatchObject({ status: 400, param: 'messages[0].role' });
    await expect(ask({ messages: [{ role: 'user', content: [{ type: 'image_url', image_url: { url: 'x' } }] }] })).rejects.toMatchObject({ status: 400, param: 'messages[0].content[0].type' });
    await expect(ask({ tool_choice: 'required' })).rejects.toMatchObject({ status: 400, param: 'tool_choice' });
  });

  it('lists its models', async () => {
    expect((await client.models.list()).data.map(({ id }) => id)).toEqual(['tiny']);
    expect(await client.models.retrieve('tiny')).toMatchObject({ id: 'tiny', object: 'model' });
    await expect(client.models.retrieve('other')).rejects.toMatchObject({ status: 404 });
  });
});

describe('openai client, completions', () => {
  it('continues texts and ids, several at once, with an echo', async () => {
    const { choices, usage } = await client.completions.create({ model: 'tiny', prompt: ['The miller', 'function'], max_tokens: 5, temperature: 0, echo: true });
    expect(choices.map(({ text }) => text.slice(0, 8))).toEqual(['The mill', 'function']);
    expect(usage!.completion_tokens).toBe(10);
    const ids = await client.completions.create({ model: 'tiny', prompt: [20, 30, 40], max_tokens: 5, temperature: 0 });
    expect(ids.usage).toMatchObject({ prompt_tokens: 3, completion_tokens: 5 });
  });

  it('streams', async () => {
    let text = '';
    for await (const { choices } of await client.completions.create({ model: 'tiny', prompt: 'The', max_tokens: 9, seed: 2, stream: true })) text += choices[0]?.text ?? '';
    expect(text).toBe((await client.completions.create({ model: 'tiny', prompt: 'The', max_tokens: 9, seed: 2 })).choices[0]!.text);
  });

  it('refuses ids outside the vocabulary, and words of special tokens as tokens without a key for that', async () => {
    await expect(client.completions.create({ model: 'tiny', prompt: [99999] })).rejects.toMatchObject({ status: 400, param: 'prompt' });
    await expect(client.completions.create({ model: 'tiny', prompt: '<|im_end|>', allow_special_tokens: true } as OpenAI.CompletionCreateParamsNonStreaming)).rejects.toMatchObject({ status: 403 });
    const plain = await client.completions.create({ model: 'tiny', prompt: '<|im_end|>', max_tokens: 1 });
    expect(plain.usage!.prompt_tokens).toBeGreaterThan(3); // characters, not the token
  });
});
