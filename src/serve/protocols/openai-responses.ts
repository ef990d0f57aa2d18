// OpenAI's responses: requests and what went before them to jobs. Layer: serve (pure).
// See https://platform.openai.com/docs/api-reference/responses.

import { z } from 'zod';
import { checked } from '../body.ts';
import { RequestFault } from '../fault.ts';
import type { ChatJob, Choice } from '../job.ts';
import type { ChatMessage } from '../../tokenizer/index.ts';
import { textOf } from './openai-chat.ts';
import { formOf, maybe, seedOf } from './openai-shared.ts';

const partSchema = z.looseObject({ type: z.string(), text: z.string().optional() });
const messageItem = z.looseObject({ type: z.literal('message').optional(), role: z.enum(['user', 'assistant', 'system', 'developer']), content: z.union([z.string(), z.array(partSchema)]) });

const itemSchema = z.union([
  messageItem,
  z.looseObject({ type: z.literal('function_call'), call_id: z.string(), name: z.string().max(200), arguments: z.string() }),
  z.looseObject({ type: z.literal('function_call_output'), call_id: z.string(), output: z.union([z.string(), z.array(partSchema)]) }),
  z.looseObject({ type: z.literal('reasoning') }),
]);

const formatSchema = z.discriminatedUnion('type', [
  z.looseObject({ type: z.literal('text') }),
  z.looseObject({ type: z.literal('json_object') }),
  z.looseObject({ type: z.literal('json_schema'), schema: z.record(z.string(), z.unknown()), name: maybe(z.string()) }),
]);

const requestSchema = z.looseObject({
  model: z.string().max(300).default(''),
  input: z.union([z.string(), z.array(itemSchema).min(1).max(10_000)]),
  instructions: maybe(z.string()),
  previous_response_id: maybe(z.string().max(100)),
  stream: maybe(z.boolean()),
  store: maybe(z.boolean()),
  max_output_tokens: maybe(z.int().min(1)),
  temperature: maybe(z.number().min(0).max(2)),
  top_p: maybe(z.number().min(0).max(1)),
  seed: maybe(z.int()),
  tools: maybe(z.array(z.looseObject({ type: z.literal('function'), name: z.string().min(1).max(200), description: maybe(z.string()), parameters: maybe(z.record(z.string(), z.unknown())) })).max(128)),
  tool_choice: maybe(z.union([z.enum(['none', 'auto', 'required']), z.looseObject({ type: z.literal('function'), name: z.string() })])),
  parallel_tool_calls: maybe(z.boolean()),
  text: maybe(z.looseObject({ format: maybe(formatSchema) })),
  metadata: maybe(z.record(z.string(), z.string())),
});

/** A request, and what its response repeats of it. */
export interface ResponsesRequest {
  readonly job: ChatJob;
  readonly store: boolean;
  readonly previousId: string | undefined;
  /** The request's own messages, without instructions and without what went before. */
  readonly messages: readonly ChatMessage[];
  readonly echo: Readonly<Record<string, unknown>>;
}

/**
 * @param before the messages that an earlier response ended with
 * @throws {RequestFault} invalid, naming the field
 */
export function readResponses(body: unknown, before: (id: string) => readonly ChatMessage[]): ResponsesRequest {
  const given = checked(requestSchema, body), { instructions, previous_response_id: previousId, tool_choice: choice, text } = given;
  const messages = typeof given.input === 'string' ? [{ role: 'user', content: given.input }] : given.input.flatMap((item, i) => readItem(item, `input[${i}]`));
  const format = text?.format, earlier = previousId === undefined ? [] : before(previousId);
  return {
    store: given.store !== false,
    previousId,
    messages,
    job: {
      kind: 'chat',
      model: given.model,
      stream: given.stream === true,
      messages: joined([...(instructions === undefined ? [] : [{ role: 'system', content: instructions }]), ...earlier, ...messages]),
      tools: (given.tools ?? []).map(({ name, description, parameters }) => ({ name, ...(description === undefined ? {} : { description }), ...(parameters === undefined ? {} : { parameters }) })),
      toolChoice: choice === undefined ? 'auto' : typeof choice === 'string' ? choice : { name: choice.name },
      parallelCalls: given.parallel_tool_calls !== false,
      form: formOf(format?.type === 'json_schema' ? { type: 'json_schema', json_schema: { name: format.name, schema: format.schema, strict: true } } : format),
      choosing: { maxTokens: given.max_output_tokens, temperature: given.temperature, topP: given.top_p === 0 ? 1e-9 : given.top_p, seed: given.seed === undefined ? undefined : seedOf(given.seed) },
      promptField: 'input',
    },
    echo: {
      instructions: instructions ?? null,
      max_output_tokens: given.max_output_tokens ?? null,
      metadata: given.metadata ?? {},
      parallel_tool_calls: given.parallel_tool_calls !== false,
      previous_response_id: previousId ?? null,
      reasoning: { effort: null, summary: null },
      store: given.store !== false,
      temperature: given.temperature ?? null,
      text: { format: format ?? { type: 'text' } },
      tool_choice: choice ?? 'auto',
      tools: given.tools ?? [],
      top_p: given.top_p ?? null,
      truncation: 'disabled',
    },
  };
}

function readItem(item: z.infer<typeof itemSchema>, field: string): ChatMessage[] {
  if ('role' in item) return [{ role: item.role === 'developer' ? 'system' : item.role as string, content: textOf(item.content as string, `${field}.content`) }];
  switch (item.type) {
    case 'function_call':
      return [{ role: 'assistant', content: '', tool_calls: [{ id: item.call_id, type: 'function', function: { name: item.name, arguments: item.arguments } }] }];
    case 'function_call_output':
      return [{ role: 'tool', tool_call_id: item.call_id as string, content: textOf(item.output as string, `${field}.output`) }];
    case 'reasoning':
      return []; // what a model thought before is not told to it again
    default:
      throw new RequestFault('invalid', `Cannot use "${field}": its type is not known.`, { field: `${field}.type` });
  }
}

/** Calls that come one by one here are one message in a conversation. */
function joined(messages: readonly ChatMessage[]): ChatMessage[] {
  const out: ChatMessage[] = [];
  for (const message of messages) {
    const last = out.at(-1);
    if (last?.role === 'assistant' && message.role === 'assistant' && message.tool_calls !== undefined && message.content === '') {
      out[out.length - 1] = { ...last, tool_calls: [...(last.tool_calls as unknown[] | undefined) ?? [], ...message.tool_calls as unknown[]] };
    } else out.push(message);
  }
  return out;
}

/** An answer as a message of the conversation that goes on. */
export function messageOf({ text, calls }: Choice): ChatMessage {
  return { role: 'assistant', content: text, ...(calls.length === 0 ? {} : { tool_calls: calls.map(({ id, name, arguments: given }) => ({ id, type: 'function', function: { name, arguments: given } })) }) };
}
