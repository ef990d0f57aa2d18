// Ollama's /api/chat and /api/generate: requests to jobs, answers to lines of JSON. Layer: serve (pure).

import { z } from 'zod';
import { checked } from '../body.ts';
import { RequestFault } from '../fault.ts';
import type { Answer, AnswerEvent, ChatJob, EndReason, TextJob, ToolCall, Usage } from '../job.ts';
import type { ChatMessage } from '../../tokenizer/index.ts';
import { NDJSON_TYPE, type AnswerShape, type StreamForm } from './form.ts';
import { formatSchema, line, ollamaChoosing, ollamaForm, OllamaTimes, optionsSchema } from './ollama-shared.ts';
import { toolSchema } from './openai-chat.ts';
import { maybe, type AnswerHead } from './openai-shared.ts';

const shared = {
  model: z.string().max(300),
  stream: maybe(z.boolean()),
  format: formatSchema,
  options: optionsSchema,
  think: maybe(z.union([z.boolean(), z.string().max(20)])),
};

const messageSchema = z.looseObject({
  role: z.enum(['system', 'user', 'assistant', 'tool']),
  content: z.string().default(''),
  thinking: maybe(z.string()),
  images: maybe(z.array(z.unknown()).max(0, 'must be empty: this model reads text only')),
  tool_calls: maybe(z.array(z.looseObject({ function: z.looseObject({ name: z.string().max(200), arguments: z.record(z.string(), z.unknown()) }) })).max(128)),
  tool_name: maybe(z.string()),
});

const chatSchema = z.looseObject({ ...shared, messages: z.array(messageSchema).max(10_000).default([]), tools: maybe(z.array(toolSchema).max(128)) });

const generateSchema = z.looseObject({
  ...shared,
  prompt: z.string().default(''),
  suffix: maybe(z.string()),
  system: maybe(z.string()),
  raw: maybe(z.boolean()),
  images: maybe(z.array(z.unknown()).max(0, 'must be empty: this model reads text only')),
});

/** What `think` sets in the templates that know it (Qwen3's name for it is the usual one). */
const thinking = (think: boolean | string | undefined): Record<string, unknown> | undefined => (think === undefined ? undefined : { enable_thinking: think !== false, ...(typeof think === 'string' ? { reasoning_effort: think } : {}) });

/** A conversation; undefined where the model is only to be loaded. @throws {RequestFault} */
export function readOllamaChat(body: unknown): { model: string; job: ChatJob | undefined } {
  const fields = checked(chatSchema, body), variables = thinking(fields.think);
  if (fields.messages.length === 0) return { model: fields.model, job: undefined };
  return {
    model: fields.model,
    job: {
      kind: 'chat',
      model: fields.model,
      stream: fields.stream !== false,
      messages: fields.messages.map(({ role, content, thinking: reasoning, tool_calls: calls, tool_name: tool }): ChatMessage => ({
        role,
        content,
        ...(reasoning === undefined ? {} : { reasoning_content: reasoning }),
        ...(calls === undefined ? {} : { tool_calls: calls.map(({ function: { name, arguments: given } }) => ({ type: 'function', function: { name, arguments: given } })) }),
        ...(tool === undefined ? {} : { name: tool }),
      })),
      tools: (fields.tools ?? []).map((tool) => tool.function),
      toolChoice: 'auto',
      parallelCalls: true,
      form: ollamaForm(fields.format),
      choosing: ollamaChoosing(fields.options, undefined),
      variables,
      promptField: 'messages',
    },
  };
}

/**
 * A text to continue or to answer; undefined where the model is only to be loaded.
 *
 * @param hasTemplate whether the model has a chat template: then a prompt is a message, unless it is `raw`
 * @throws {RequestFault}
 */
export function readOllamaGenerate(body: unknown, hasTemplate: (model: string) => Promise<boolean>): { model: string; job: Promise<ChatJob | TextJob> | undefined } {
  const fields = checked(generateSchema, body), { model, prompt, system } = fields;
  if (prompt === '' && fields.suffix === undefined) return { model, job: undefined };
  if (fields.raw === true && system !== undefined) throw new RequestFault('invalid', 'Cannot use "system" with "raw": a raw prompt is all there is.', { field: 'system' });
  const common = { model, stream: fields.stream !== false, form: ollamaForm(fields.format), choosing: ollamaChoosing(fields.options, undefined), promptField: 'prompt' };
  const text: TextJob = { kind: 'text', ...common, prompts: [prompt], suffix: fields.suffix, echo: false, allowSpecial: false };
  if (fields.raw === true || fields.suffix !== undefined) return { model, job: Promise.resolve(text) };
  const chat: ChatJob = {
    kind: 'chat',
    ...common,
    messages: [...(system === undefined ? [] : [{ role: 'system', content: system }]), { role: 'user', content: prompt }],
    tools: [],
    toolChoice: 'none',
    parallelCalls: false,
    variables: thinking(fields.think),
  };
  return { model, job: hasTemplate(model).then((has) => (has ? chat : text)) };
}

/** `message` for /api/chat, `response` for /api/generate. */
export type OllamaKind = 'message' | 'response';

export function ollamaShape(head: AnswerHead, kind: OllamaKind): AnswerShape {
  const times = new OllamaTimes(head);
  return { whole: (answer) => wholeBody(answer, head, kind, times), stream: () => new OllamaStream(head, kind, times) };
}

/** What a request that only loads a model is told. */
export const loadedBody = (model: string, kind: OllamaKind): object => ({ model, created_at: new Date().toISOString(), ...fieldsOf(kind, ''), done: true, done_reason: 'load' });

function fieldsOf(kind: OllamaKind, text: string, more: { thinking?: string; calls?: readonly ToolCall[] } = {}): object {
  const { thinking: thought, calls = [] } = more, said = thought === undefined || thought === '' ? {} : { thinking: thought };
  if (kind === 'response') return { response: text, ...said };
  return { message: { role: 'assistant', content: text, ...said, ...(calls.length === 0 ? {} : { tool_calls: calls.map(callBody) }) } };
}

/** Arguments are an object here; what is no JSON stays a text. */
function callBody({ id, name, arguments: given }: ToolCall): object {
  let value: unknown = given;
  try {
    value = JSON.parse(given);
  } catch {
    value = { text: given };
  }
  return { id, function: { name, arguments: value } };
}

const doneReason = (reason: EndReason): string => (reason === 'length' ? 'length' : 'stop');

function wholeBody({ choices: [choice], usage }: Answer, head: AnswerHead, kind: OllamaKind, times: OllamaTimes): unknown {
  const { text, reasoning, calls, reason } = choice!;
  return { model: head.model, created_at: new Date(1000 * head.createdSeconds).toISOString(), ...fieldsOf(kind, text, { thinking: reasoning, calls }), done: true, done_reason: doneReason(reason), ...times.fields(usage) };
}

class OllamaStream implements StreamForm {
  readonly contentType = NDJSON_TYPE;
  readonly #head: AnswerHead;
  readonly #kind: OllamaKind;
  readonly #times: OllamaTimes;
  #reason: EndReason = 'stop';
  #usage: Usage = { promptTokens: 0, cachedTokens: 0, completionTokens: 0 };

  constructor(head: AnswerHead, kind: OllamaKind, times: OllamaTimes) {
    this.#head = head;
    this.#kind = kind;
    this.#times = times;
  }

  begin(): string {
    return '';
  }

  event(event: AnswerEvent): string {
    if (event.kind === 'usage') this.#usage = event.usage;
    if (event.kind === 'end') this.#reason = event.reason;
    if (event.kind === 'usage' || event.kind === 'end') return '';
    this.#times.first();
    if (event.kind === 'text') return this.#line(fieldsOf(this.#kind, event.text));
    return this.#line(event.kind === 'reasoning' ? fieldsOf(this.#kind, '', { thinking: event.text }) : fieldsOf(this.#kind, '', { calls: [event.call] }));
  }

  error(fault: RequestFault): string {
    return line({ error: fault.message });
  }

  end(): string {
    return this.#line(fieldsOf(this.#kind, ''), { done: true, done_reason: doneReason(this.#reason), ...this.#times.fields(this.#usage) });
  }

  #line(fields: object, more: object = { done: false }): string {
    return line({ model: this.#head.model, created_at: new Date().toISOString(), ...fields, ...more });
  }
}
