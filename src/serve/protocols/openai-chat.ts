// OpenAI's chat completions: requests to jobs, answers to bodies and chunks. Layer: serve (pure).
// See https://platform.openai.com/docs/api-reference/chat; `reasoning_content` as DeepSeek's and vLLM's API have it.

import { z } from 'zod';
import { checked } from '../body.ts';
import { RequestFault } from '../fault.ts';
import type { Answer, AnswerEvent, ChatJob, Choice, ScoredToken, Tool, ToolCall } from '../job.ts';
import type { ChatMessage } from '../../tokenizer/index.ts';
import type { AnswerShape } from './form.ts';
import { choosingOf, finishReason, formOf, maybe, responseFormatSchema, samplingFields, usageBody, type AnswerHead } from './openai-shared.ts';
import { OpenAiStream } from './openai-stream.ts';

const partSchema = z.looseObject({ type: z.string(), text: z.string().optional() });
const contentSchema = z.union([z.string(), z.array(partSchema)]).nullish();
const callSchema = z.looseObject({ id: maybe(z.string()), type: z.literal('function').optional(), function: z.looseObject({ name: z.string().max(200), arguments: z.string() }) });

const messageSchema = z.looseObject({
  role: z.enum(['system', 'developer', 'user', 'assistant', 'tool', 'function']),
  content: contentSchema,
  name: maybe(z.string()),
  reasoning_content: maybe(z.string()),
  tool_calls: maybe(z.array(callSchema).max(128)),
  tool_call_id: maybe(z.string()),
});

export const toolSchema = z.looseObject({
  type: z.literal('function'),
  function: z.looseObject({ name: z.string().min(1).max(200), description: maybe(z.string()), parameters: maybe(z.record(z.string(), z.unknown())) }),
});

const requestSchema = z.looseObject({
  ...samplingFields,
  messages: z.array(messageSchema).min(1).max(10_000),
  max_tokens: maybe(z.int().min(1)),
  max_completion_tokens: maybe(z.int().min(1)),
  logprobs: maybe(z.boolean()),
  top_logprobs: maybe(z.int().min(0).max(20)),
  tools: maybe(z.array(toolSchema).max(128)),
  tool_choice: maybe(z.union([z.enum(['none', 'auto', 'required']), z.looseObject({ type: z.literal('function'), function: z.looseObject({ name: z.string() }) })])),
  parallel_tool_calls: maybe(z.boolean()),
  response_format: responseFormatSchema,
  chat_template_kwargs: maybe(z.record(z.string(), z.unknown())),
  continue_final_message: maybe(z.boolean()),
});

/** A request, and how its answer is to look. */
export interface ChatRequest {
  readonly job: ChatJob;
  readonly includeUsage: boolean;
}

/** @throws {RequestFault} invalid, naming the field */
export function readChatRequest(body: unknown): ChatRequest {
  const fields = checked(requestSchema, body), { tool_choice: choice } = fields;
  if (fields.top_logprobs !== undefined && fields.logprobs !== true) throw new RequestFault('invalid', 'Cannot use "top_logprobs" without "logprobs": true.', { field: 'top_logprobs' });
  const logprobs = fields.logprobs === true ? fields.top_logprobs ?? 0 : undefined;
  return {
    includeUsage: fields.stream_options?.include_usage === true,
    job: {
      kind: 'chat',
      model: fields.model,
      stream: fields.stream === true,
      messages: fields.messages.map((message, i) => readMessage(message, `messages[${i}]`)),
      tools: (fields.tools ?? []).map(({ function: { name, description, parameters } }): Tool => ({ name, ...(description === undefined ? {} : { description }), ...(parameters === undefined ? {} : { parameters }) })),
      toolChoice: choice === undefined ? 'auto' : typeof choice === 'string' ? choice : { name: choice.function.name },
      parallelCalls: fields.parallel_tool_calls !== false,
      form: formOf(fields.response_format),
      choosing: choosingOf(fields, fields.max_completion_tokens ?? fields.max_tokens, logprobs),
      variables: fields.chat_template_kwargs,
      promptField: 'messages',
      prefill: fields.continue_final_message === true && fields.messages.at(-1)!.role === 'assistant',
    },
  };
}

function readMessage(message: z.infer<typeof messageSchema>, field: string): ChatMessage {
  const { role, content, name, reasoning_content: reasoning, tool_calls: calls, tool_call_id: callId } = message;
  return {
    role: role === 'developer' ? 'system' : role === 'function' ? 'tool' : role,
    content: textOf(content, `${field}.content`),
    ...(name === undefined ? {} : { name }),
    ...(reasoning === undefined ? {} : { reasoning_content: reasoning }),
    ...(calls === undefined ? {} : { tool_calls: calls }),
    ...(callId === undefined ? {} : { tool_call_id: callId }),
  };
}

/** Content as one text: no model here sees pictures or hears. */
export function textOf(content: z.infer<typeof contentSchema>, field: string): string {
  if (content === undefined || content === null) return '';
  if (typeof content === 'string') return content;
  return content.map(({ type, text }, i) => {
    if (text !== undefined && ['text', 'input_text', 'output_text'].includes(type)) return text;
    throw new RequestFault('invalid', `Cannot use "${field}[${i}]": this model reads text only, and the part is of type ${JSON.stringify(type.slice(0, 40))}.`, { field: `${field}[${i}].type` });
  }).join('');
}

/** Answers to a chat request. */
export function chatShape(head: AnswerHead, { includeUsage, job }: ChatRequest): AnswerShape {
  const scored = job.choosing.logprobs !== undefined;
  return { whole: (answer) => chatBody(answer, head, scored), stream: () => new ChatStream(head, includeUsage, scored) };
}

function chatBody(answer: Answer, head: AnswerHead, scored: boolean): unknown {
  return {
    id: head.id,
    object: 'chat.completion',
    created: head.createdSeconds,
    model: head.model,
    choices: answer.choices.map((choice, index) => ({ index, message: messageBody(choice), logprobs: scored ? { content: choice.tokens.map((token) => tokenBody(token, head)), refusal: null } : null, finish_reason: finishReason(choice.reason) })),
    usage: usageBody(answer.usage),
  };
}

function messageBody({ text, reasoning, calls }: Choice): unknown {
  return {
    role: 'assistant',
    content: text === '' && calls.length > 0 ? null : text,
    refusal: null,
    ...(reasoning === '' ? {} : { reasoning_content: reasoning }),
    ...(calls.length === 0 ? {} : { tool_calls: calls.map(callBody) }),
  };
}

const callBody = ({ id, name, arguments: given }: ToolCall): object => ({ id, type: 'function', function: { name, arguments: given } });

function tokenBody({ id, logprob, alternatives }: ScoredToken, head: AnswerHead): unknown {
  const one = (token: { id: number; logprob: number }): object => {
    const bytes = head.bytesOf(token.id);
    return { token: new TextDecoder().decode(bytes), logprob: Math.max(-9999, token.logprob), bytes: [...bytes] };
  };
  return { ...one({ id, logprob }), top_logprobs: alternatives.map(one) };
}

class ChatStream extends OpenAiStream {
  readonly #scored: boolean;
  readonly #begun = new Set<number>();

  constructor(head: AnswerHead, includeUsage: boolean, scored: boolean) {
    super(head, 'chat.completion.chunk', includeUsage);
    this.#scored = scored;
  }

  protected told(event: Exclude<AnswerEvent, { kind: 'usage' }>): string {
    const { choice } = event, first = this.#begun.has(choice) ? '' : this.#delta(choice, { role: 'assistant', content: '' });
    this.#begun.add(choice);
    switch (event.kind) {
      case 'text':
        return first + this.#delta(choice, { content: event.text }, null, event.tokens);
      case 'reasoning':
        return first + this.#delta(choice, { reasoning_content: event.text });
      case 'call':
        return first + this.#delta(choice, { tool_calls: [{ index: event.index, ...callBody(event.call) }] });
      case 'end':
        return first + this.#delta(choice, {}, finishReason(event.reason));
      default:
        return event satisfies never;
    }
  }

  #delta(index: number, delta: object, finish: string | null = null, tokens: readonly ScoredToken[] = []): string {
    const logprobs = this.#scored && tokens.length > 0 ? { content: tokens.map((token) => tokenBody(token, this.head)), refusal: null } : null;
    return this.chunk({ index, delta, logprobs, finish_reason: finish });
  }
}
