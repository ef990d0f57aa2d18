// The library without a server, the Vercel AI SDK over it and over HTTP, and LangChain.js over HTTP.

import { createOpenAICompatible } from '@ai-sdk/openai-compatible';
import { HumanMessage, type ToolMessage } from '@langchain/core/messages';
import { tool as langchainTool } from '@langchain/core/tools';
import { ChatOpenAI, OpenAIEmbeddings } from '@langchain/openai';
import { embed, generateText, stepCountIs, streamText, tool } from 'ai';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { embeddingModel, languageModel } from '../../src/serve/ai-sdk.ts';
import { LocalModel, open } from '../../src/serve/library.ts';
import { removeFolders } from './tiny-model.ts';
import { openTiny, startTiny, tinyFolder, type TinyServer } from './tiny-server.ts';
import { TOOL, toolScript } from './tools-script.ts';

let server: TinyServer, local: LocalModel, scripted: LocalModel;
beforeAll(async () => {
  server = await startTiny({ script: toolScript() });
  local = await open(await tinyFolder(), { threads: 1 });
  scripted = new LocalModel(await openTiny('scripted', toolScript()));
});
afterAll(async () => {
  await Promise.all([server.drain(), local.close(), scripted.close()]);
  removeFolders();
});

const messages = [{ role: 'user', content: 'Hello' }];

describe('open()', () => {
  it('chats in pieces that make up the whole, and stops when told', async () => {
    let text = '';
    for await (const part of local.chat(messages, { seed: 1, maxTokens: 10 })) if (part.kind === 'text') text += part.text;
    const whole = await local.reply(messages, { seed: 1, maxTokens: 10 });
    expect(whole).toMatchObject({ text, usage: { completionTokens: 10 } });
    const stop = new AbortController();
    const stopped = (async () => {
      for await (const part of local.chat(messages, { maxTokens: 400, signal: stop.signal })) if (part.kind === 'text') stop.abort();
    })();
    await expect(stopped).rejects.toThrow(/stopped/);
  });

  it('completes texts, fills gaps, makes vectors', async () => {
    expect((await local.complete('The miller', { temperature: 0, maxTokens: 4 })).usage.completionTokens).toBe(4);
    expect((await local.complete('function add(', { suffix: '}', maxTokens: 4 })).usage.promptTokens).toBeGreaterThan(4);
    const [vector] = await local.embed(['The miller']);
    expect(Math.hypot(...vector!)).toBeCloseTo(1, 5);
  });
});

const weather = (asked: string[]) =>
  tool({ description: TOOL.description, inputSchema: z.object({ city: z.string() }), execute: ({ city }) => {
    asked.push(city);
    return `${city}: 21 °C`;
  } });

describe.each(['in process', 'over HTTP'])('the AI SDK %s', (where) => {
  const model = () => (where === 'in process' ? languageModel(scripted) : createOpenAICompatible({ name: 'athanor', baseURL: `${server.url}/v1` })('scripted'));

  it('generates text, and streams it, with usage', async () => {
    const { text, finishReason, usage } = await generateText({ model: model(), prompt: 'count' });
    expect([text, finishReason]).toEqual(['one two three four', 'stop']);
    expect(usage.outputTokens).toBeGreaterThan(3);
    const stream = streamText({ model: model(), prompt: 'think' });
    expect(await stream.text).toBe('Hello, 世界!');
    expect(await stream.reasoningText).toBe('The user is\nkind.');
  });

  it('runs tools in steps', async () => {
    const asked: string[] = [], { text, steps } = await generateText({ model: model(), prompt: 'hermes', tools: { get_weather: weather(asked) }, stopWhen: stepCountIs(3) });
    expect(asked.sort()).toEqual(['Paris', '北京']);
    expect(steps).toHaveLength(2);
    expect(text).toContain('21 °C');
  });
});

describe('the AI SDK', () => {
  it('embeds in process', async () => {
    expect((await embed({ model: embeddingModel(local), value: 'The miller' })).embedding.length).toBeGreaterThan(4);
  });
});

describe('LangChain.js', () => {
  const model = () => new ChatOpenAI({ model: 'scripted', apiKey: 'none', configuration: { baseURL: `${server.url}/v1` }, maxRetries: 0 });

  it('invokes and streams', async () => {
    expect((await model().invoke('count')).content).toBe('one two three four');
    let text = '';
    for await (const part of await model().stream('count')) text += part.content as string;
    expect(text).toBe('one two three four');
  });

  it('binds tools, runs them, and goes on', async () => {
    const weatherOf = langchainTool(({ city }: { city: string }) => `${city}: 21 °C`, { name: TOOL.name, description: TOOL.description, schema: z.object({ city: z.string() }) });
    const bound = model().bindTools([weatherOf]), question = new HumanMessage('mistral'), called = await bound.invoke([question]);
    expect(called.tool_calls!.map(({ args }) => args['city'])).toEqual(['Paris', '北京']);
    const results = await Promise.all(called.tool_calls!.map(async (call) => await weatherOf.invoke(call as never) as ToolMessage));
    expect((await bound.invoke([question, called, ...results])).content).toContain('Paris: 21 °C');
  });

  it('embeds', async () => {
    const vectors = await new OpenAIEmbeddings({ model: 'tiny', apiKey: 'none', configuration: { baseURL: `${server.url}/v1` } }).embedDocuments(['a', 'b']);
    expect(vectors).toHaveLength(2);
  });
});
