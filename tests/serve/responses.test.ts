// OpenAI's responses and embeddings through its client, Ollama's vectors through its own.

import { Ollama } from 'ollama';
import type OpenAI from 'openai';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openLocal } from '../../src/serve/index.ts';
import { compile } from '../../src/core/index.ts';
import { scoreGraph } from '../../src/models/index.ts';
import { ResponseStore } from '../../src/serve/response-store.ts';
import type { Asked } from './scripted-engine.ts';
import { anyExecutor, removeFolders } from './tiny-model.ts';
import { openAiOf, startTiny, tinyFolder, type TinyServer } from './tiny-server.ts';
import { TOOL, toolScript } from './tools-script.ts';

let server: TinyServer, client: OpenAI;
const asked: Asked[] = [];
beforeAll(async () => {
  server = await startTiny({ script: { ...toolScript(), asked } });
  client = openAiOf(server);
});
afterAll(async () => {
  await server.drain();
  removeFolders();
});

const tools = [{ type: 'function' as const, ...TOOL, strict: null }];

describe('openai client, responses', () => {
  it('answers whole and streamed alike', async () => {
    const whole = await client.responses.create({ model: 'scripted', input: 'count', instructions: 'Be brief.' });
    expect(whole).toMatchObject({ object: 'response', status: 'completed', output_text: 'one two three four', instructions: 'Be brief.' });
    const streamed = await client.responses.stream({ model: 'scripted', input: 'count', instructions: 'Be brief.' }).finalResponse();
    expect(streamed.output_text).toBe('one two three four');
    expect(streamed.usage).toEqual(whole.usage);
  });

  it('numbers its events, each item begun, continued and ended', async () => {
    const events: OpenAI.Responses.ResponseStreamEvent[] = [];
    for await (const event of await client.responses.create({ model: 'scripted', input: 'think', stream: true })) events.push(event);
    expect(events.map(({ sequence_number: n }) => n)).toEqual(events.map((_, i) => i));
    const kinds = events.map(({ type }) => type).filter((type, i, all) => type !== all[i - 1]);
    expect(kinds).toEqual(['response.created', 'response.in_progress', 'response.output_item.added', 'response.reasoning_text.delta', 'response.reasoning_text.done', 'response.output_item.done', 'response.output_item.added', 'response.content_part.added', 'response.output_text.delta', 'response.output_text.done',
      'response.content_part.done', 'response.output_item.done', 'response.completed']);
  });

  it('goes on from a response with calls and their outputs, and forgets when told', async () => {
    const first = await client.responses.create({ model: 'scripted', input: 'hermes', tools }), calls = first.output.filter((item) => item.type === 'function_call');
    expect(calls.map(({ name, arguments: given }) => [name, JSON.parse(given).city])).toEqual([['get_weather', 'Paris'], ['get_weather', '北京']]);
    const second = await client.responses.create({ model: 'scripted', previous_response_id: first.id, tools, input: calls.map(({ call_id }) => ({ type: 'function_call_output' as const, call_id, output: '21 °C' })) });
    expect(second.output_text).toBe('The tool said: 21 °C');
    expect((await client.responses.retrieve(first.id)).output).toEqual(first.output);
    await client.responses.delete(first.id);
    await expect(client.responses.retrieve(first.id)).rejects.toMatchObject({ status: 404 });
    await expect(client.responses.create({ model: 'scripted', previous_response_id: first.id, input: 'x' })).rejects.toMatchObject({ status: 404, param: 'previous_response_id' });
  });

  it('says that it is incomplete where the room ended', async () => {
    expect(await client.responses.create({ model: 'scripted', input: 'count', max_output_tokens: 1 })).toMatchObject({ status: 'incomplete', incomplete_details: { reason: 'max_output_tokens' } });
  });

  it('stores nothing where it is not to', async () => {
    const { id } = await client.responses.create({ model: 'scripted', input: 'count', store: false });
    await expect(client.responses.retrieve(id)).rejects.toMatchObject({ status: 404 });
  });
});

describe('ResponseStore', () => {
  it('forgets the oldest when it is full, and shows each owner its own', () => {
    const store = new ResponseStore(300), response = { text: 'x'.repeat(100) };
    for (const id of ['a', 'b', 'c']) store.keep(id, 'me', response, []);
    expect(() => store.find('a', 'me')).toThrow(/forgotten/);
    expect(store.find('c', 'me').response).toBe(response);
    expect(() => store.find('c', 'you')).toThrow(/Cannot find/);
  });
});

describe('embeddings', () => {
  const texts = ['The miller went down.', '春天的早晨', 'x'];

  it('are unit vectors, the same alone and beside others, as numbers or bytes', async () => {
    const { data, usage } = await client.embeddings.create({ model: 'tiny', input: texts, encoding_format: 'float' });
    expect(usage.prompt_tokens).toBeGreaterThan(texts.length);
    for (const { embedding } of data) expect(Math.hypot(...embedding)).toBeCloseTo(1, 5);
    const alone = await client.embeddings.create({ model: 'tiny', input: texts[1]!, encoding_format: 'float' });
    alone.data[0]!.embedding.forEach((x, i) => expect(x).toBeCloseTo(data[1]!.embedding[i]!, 5));
    const asBytes = await client.embeddings.create({ model: 'tiny', input: texts[0]! }); // the client asks for base64 and decodes it
    asBytes.data[0]!.embedding.forEach((x, i) => expect(x).toBeCloseTo(data[0]!.embedding[i]!, 5));
    const short = await client.embeddings.create({ model: 'tiny', input: texts[0]!, dimensions: 4, encoding_format: 'float' });
    expect(Math.hypot(...short.data[0]!.embedding)).toBeCloseTo(1, 5);
  });

  it('are the means of the hidden states of the scoring graph', async () => {
    const open = openLocal(await tinyFolder()), executor = anyExecutor(), ids = [...open.tokenizer!.encode(texts[0]!)], n = ids.length;
    const program = compile(scoreGraph(open.model, n, { hidden: true }), { target: executor.target() }), handle = executor.load(program);
    for (const state of program.states) executor.write(state.id, state.init.kind === 'values' ? state.init.values() : open.readStored(open.model.states.find(({ id }) => id === state.id)!));
    const zeros = new Int32Array(n), { hidden } = await executor.run(handle, { tokens: Int32Array.from(ids), targets: zeros, starts: zeros, positions: Int32Array.from(ids.keys()) });
    const width = hidden!.length / n, mean = Array.from({ length: width }, (_, c) => ids.reduce((sum, _id, i) => sum + (hidden![i * width + c] as number), 0) / n), norm = Math.hypot(...mean);
    const { data } = await client.embeddings.create({ model: 'tiny', input: texts[0]!, encoding_format: 'float' });
    data[0]!.embedding.forEach((x, i) => expect(x).toBeCloseTo(mean[i]! / norm, 5));
    open.close();
    await executor.close();
  });

  it('come to the ollama client too, which has long texts cut', async () => {
    const ollama = new Ollama({ host: server.url }), { embeddings } = await ollama.embed({ model: 'tiny', input: [...texts, 'long '.repeat(3000)] });
    expect(embeddings).toHaveLength(4);
    expect((await ollama.embeddings({ model: 'tiny', prompt: texts[0]! })).embedding).toEqual(embeddings[0]);
    await expect(ollama.embed({ model: 'tiny', input: 'long '.repeat(3000), truncate: false })).rejects.toThrow(/tokens/);
    await expect(client.embeddings.create({ model: 'tiny', input: [[99999]] })).rejects.toMatchObject({ status: 400, param: 'input[0]' });
  });
});
