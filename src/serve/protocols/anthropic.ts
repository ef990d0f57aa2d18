// Anthropic's messages: requests to jobs, answers to messages and events. Layer: serve (pure).
// See https://docs.anthropic.com/en/api/messages and /messages-streaming.

import { z } from 'zod';
import { checked } from '../body.ts';
import { RequestFault, type FaultKind } from '../fault.ts';
import type { Answer, AnswerEvent, ChatJob, EndReason, ToolChoice, Usage } from '../job.ts';
import type { ChatMessage } from '../../tokenizer/index.ts';
import { SSE_TYPE, type AnswerShape, type StreamForm } from './form.ts';
import { maybe, sse, type AnswerHead } from './openai-shared.ts';

const textBlock = z.looseObject({ type: z.literal('text'), text: z.string() });
const blockSchema = z.discriminatedUnion('type', [
  textBlock,
  z.looseObject({ type: z.literal('thinking'), thinking: z.string() }),
  z.looseObject({ type: z.literal('redacted_thinking') }),
  z.looseObject({ type: z.literal('tool_use'), id: z.string(), name: z.string().max(200), input: z.record(z.string(), z.unknown()) }),
  z.looseObject({ type: z.literal('tool_result'), tool_use_id: z.string(), content: maybe(z.union([z.string(), z.array(textBlock)])), is_error: maybe(z.boolean()) }),
]);

const messageSchema = z.looseObject({ role: z.enum(['user', 'assistant']), content: z.union([z.string(), z.array(blockSchema)]) });

const fields = {
  model: z.string().max(300),
  messages: z.array(messageSchema).min(1).max(10_000),
  system: maybe(z.union([z.string(), z.array(textBlock)])),
  tools: maybe(z.array(z.looseObject({ name: z.string().min(1).max(200), description: maybe(z.string()), input_schema: maybe(z.record(z.string(), z.unknown())) })).max(128)),
  tool_choice: maybe(z.looseObject({ type: z.enum(['auto', 'any', 'tool', 'none']), name: maybe(z.string()), disable_parallel_tool_use: maybe(z.boolean()) })),
  thinking: maybe(z.looseObject({ type: z.enum(['enabled', 'disabled', 'adaptive']) })),
};

const countSchema = z.looseObject(fields);
const requestSchema = z.looseObject({
  ...fields,
  max_tokens: z.int().min(1),
  stop_sequences: maybe(z.array(z.string()).max(16)),
  stream: maybe(z.boolean()),
  temperature: maybe(z.number().min(0).max(1)),
  top_k: maybe(z.int().min(0)),
  top_p: maybe(z.number().min(0).max(1)),
});

/** @throws {RequestFault} invalid, naming the field */
export function readMessages(body: unknown): ChatJob {
  const given = checked(requestSchema, body);
  return {
    ...jobOf(given),
    stream: given.stream === true,
    choosing: { maxTokens: given.max_tokens, stop: given.stop_sequences, temperature: given.temperature, topK: given.top_k, topP: given.top_p === 0 ? 1e-9 : given.top_p },
  };
}

/** A request to count tokens: the same without what shapes the answer. @throws {RequestFault} */
export const readCountRequest = (body: unknown): ChatJob => jobOf(checked(countSchema, body));

function jobOf(given: z.infer<typeof countSchema>): ChatJob {
  const { system, thinking, tool_choice: choice } = given;
  return {
    kind: 'chat',
    model: given.model,
    stream: false,
    messages: [...(system === undefined ? [] : [{ role: 'system', content: typeof system === 'string' ? system : system.map(({ text }) => text).join('\n') }]), ...given.messages.flatMap(readMessage)],
    tools: (given.tools ?? []).map(({ name, description, input_schema: parameters }) => ({ name, ...(description === undefined ? {} : { description }), ...(parameters === undefined ? {} : { parameters }) })),
    toolChoice: toolChoiceOf(choice),
    parallelCalls: choice?.disable_parallel_tool_use !== true,
    form: { kind: 'text' },
    choosing: {},
    ...(thinking === undefined ? {} : { variables: { enable_thinking: thinking.type !== 'disabled' } }),
    promptField: 'messages',
    prefill: given.messages.at(-1)!.role === 'assistant',
  };
}

function toolChoiceOf(choice: z.infer<typeof countSchema>['tool_choice']): ToolChoice {
  if (choice === undefined) return 'auto';
  if (choice.type !== 'tool') return choice.type === 'any' ? 'required' : choice.type;
  if (choice.name === undefined) throw new RequestFault('invalid', 'Cannot use "tool_choice": its "name" is missing.', { field: 'tool_choice.name' });
  return { name: choice.name };
}

/** One message here may be several there: results of tools have messages of their own. */
function readMessage({ role, content }: z.infer<typeof messageSchema>): ChatMessage[] {
  if (typeof content === 'string') return [{ role, content }];
  const text = content.flatMap((block) => (block.type === 'text' ? [block.text] : [])).join('');
  const thinking = content.flatMap((block) => (block.type === 'thinking' ? [block.thinking] : [])).join('');
  const calls = content.flatMap((block) => (block.type === 'tool_use' ? [{ id: block.id, type: 'function', function: { name: block.name, arguments: block.input } }] : []));
  const results = content.flatMap((block): ChatMessage[] => (block.type === 'tool_result' ? [{ role: 'tool', tool_call_id: block.tool_use_id, content: `${block.is_error === true ? 'Error: ' : ''}${typeof block.content === 'string' ? block.content : (block.content ?? []).map((part) => part.text).join('')}` }] : []));
  const own: ChatMessage[] = text === '' && calls.length === 0 && results.length > 0 ? [] : [{ role, content: text, ...(thinking === '' ? {} : { reasoning_content: thinking }), ...(calls.length === 0 ? {} : { tool_calls: calls }) }];
  return [...results, ...own];
}

const TYPES: Partial<Record<FaultKind, string>> = {
  unauthorised: 'authentication_error',
  forbidden: 'permission_error',
  'unknown-model': 'not_found_error',
  'unknown-route': 'not_found_error',
  'too-large': 'request_too_large',
  limited: 'rate_limit_error',
  busy: 'rate_limit_error',
  internal: 'api_error',
  unavailable: 'overloaded_error',
  timeout: 'timeout_error',
};

/** The field comes in the message: this protocol has no other place for it. */
export function anthropicError(fault: RequestFault): { type: string; error: object } {
  const message = fault.field === undefined || fault.message.includes(`"${fault.field}"`) ? fault.message : `${fault.field}: ${fault.message}`;
  return { type: 'error', error: { type: TYPES[fault.kind] ?? 'invalid_request_error', message } };
}

const stopReason = (reason: EndReason, stop: string | undefined): string => (reason === 'calls' ? 'tool_use' : reason === 'length' ? 'max_tokens' : stop === undefined ? 'end_turn' : 'stop_sequence');

const usageBody = (usage: Usage): object => ({ input_tokens: usage.promptTokens - usage.cachedTokens, cache_creation_input_tokens: 0, cache_read_input_tokens: usage.cachedTokens, output_tokens: usage.completionTokens });

export function messagesShape(head: AnswerHead): AnswerShape {
  return { whole: (answer) => messageBody(answer, head), stream: () => new MessageStream(head) };
}

function inputOf(given: string): unknown {
  try {
    return JSON.parse(given);
  } catch {
    return { text: given };
  }
}

function messageBody({ choices: [choice], usage }: Answer, head: AnswerHead): unknown {
  const { text, reasoning, calls, reason, stop } = choice!;
  const content = [
    ...(reasoning === '' ? [] : [{ type: 'thinking', thinking: reasoning, signature: '' }]),
    ...(text === '' && calls.length > 0 ? [] : [{ type: 'text', text }]),
    ...calls.map(({ id, name, arguments: given }) => ({ type: 'tool_use', id: id.replace(/^call_/, 'toolu_'), name, input: inputOf(given) })),
  ];
  return { id: head.id, type: 'message', role: 'assistant', model: head.model, content, stop_reason: stopReason(reason, stop), stop_sequence: stop ?? null, usage: usageBody(usage) };
}

class MessageStream implements StreamForm {
  readonly contentType = SSE_TYPE;
  readonly #head: AnswerHead;
  #index = -1;
  #open: 'text' | 'thinking' | undefined;
  #reason: EndReason = 'stop';
  #stop: string | undefined;
  #usage: Usage | undefined;

  constructor(head: AnswerHead) {
    this.#head = head;
  }

  begin(): string {
    const { id, model, promptTokens } = this.#head;
    return named({ type: 'message_start', message: { id, type: 'message', role: 'assistant', model, content: [], stop_reason: null, stop_sequence: null, usage: usageBody({ promptTokens, cachedTokens: 0, completionTokens: 0 }) } });
  }

  event(event: AnswerEvent): string {
    switch (event.kind) {
      case 'text':
        return event.text === '' ? '' : this.#into('text') + this.#delta({ type: 'text_delta', text: event.text });
      case 'reasoning':
        return this.#into('thinking') + this.#delta({ type: 'thinking_delta', thinking: event.text });
      case 'call': {
        const { id, name, arguments: given } = event.call;
        return this.#close() + this.#begin({ type: 'tool_use', id: id.replace(/^call_/, 'toolu_'), name, input: {} }) + this.#delta({ type: 'input_json_delta', partial_json: given }) + named({ type: 'content_block_stop', index: this.#index });
      }
      case 'end':
        [this.#reason, this.#stop] = [event.reason, event.stop];
        return '';
      case 'usage':
        this.#usage = event.usage;
        return '';
      default:
        return event satisfies never;
    }
  }

  error(fault: RequestFault): string {
    return named({ ...anthropicError(fault) });
  }

  end(): string {
    const usage = this.#usage === undefined ? {} : { usage: usageBody(this.#usage) };
    return `${this.#close()}${named({ type: 'message_delta', delta: { stop_reason: stopReason(this.#reason, this.#stop), stop_sequence: this.#stop ?? null }, ...usage })}${named({ type: 'message_stop' })}`;
  }

  /** Goes on with the block that is open, or begins one. */
  #into(kind: 'text' | 'thinking'): string {
    if (this.#open === kind) return '';
    const closed = this.#close();
    this.#open = kind;
    return closed + this.#begin(kind === 'text' ? { type: 'text', text: '' } : { type: 'thinking', thinking: '', signature: '' });
  }

  #begin(block: object): string {
    return named({ type: 'content_block_start', index: ++this.#index, content_block: block });
  }

  #delta(delta: object): string {
    return named({ type: 'content_block_delta', index: this.#index, delta });
  }

  #close(): string {
    if (this.#open === undefined) return '';
    this.#open = undefined;
    return named({ type: 'content_block_stop', index: this.#index });
  }
}

const named = (data: { readonly type: string; readonly [field: string]: unknown }): string => sse(data, data.type);
