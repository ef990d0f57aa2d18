// OpenAI's responses: answers to response objects and their events. Layer: serve (pure).
// See https://platform.openai.com/docs/api-reference/responses-streaming.

import type { RequestFault } from '../fault.ts';
import type { AnswerEvent, Choice, EndReason, Usage } from '../job.ts';
import { SSE_TYPE, type AnswerShape, type StreamForm } from './form.ts';
import { sse, type AnswerHead } from './openai-shared.ts';
import type { ResponsesRequest } from './openai-responses.ts';

type Item = Readonly<Record<string, unknown>> & { readonly id: string };

/** What is done with an answer when it is whole. */
export type Keep = (response: object, choice: Choice) => void;

export function responsesShape(head: AnswerHead, request: ResponsesRequest, keep: Keep): AnswerShape {
  return {
    whole(answer) {
      const { choices: [choice] } = answer, body = responseBody(head, request, itemsOf(head, choice!), choice!.reason, answer.usage);
      keep(body, choice!);
      return body;
    },
    stream: () => new ResponseStream(head, request, keep),
  };
}

function usageBody({ promptTokens, cachedTokens, completionTokens }: Usage): object {
  return { input_tokens: promptTokens, input_tokens_details: { cached_tokens: cachedTokens }, output_tokens: completionTokens, output_tokens_details: { reasoning_tokens: 0 }, total_tokens: promptTokens + completionTokens };
}

function responseBody(head: AnswerHead, request: ResponsesRequest, output: readonly Item[], reason: EndReason | undefined, usage: Usage | undefined): object {
  const status = reason === undefined ? 'in_progress' : reason === 'length' ? 'incomplete' : 'completed';
  return {
    id: head.id,
    object: 'response',
    created_at: head.createdSeconds,
    status,
    error: null,
    incomplete_details: status === 'incomplete' ? { reason: 'max_output_tokens' } : null,
    model: head.model,
    output,
    usage: usage === undefined ? null : usageBody(usage),
    user: null,
    ...request.echo,
  };
}

const own = (head: AnswerHead, prefix: string, index: number): string => `${prefix}_${head.id.replace(/^resp_/, '')}_${index}`;
const textPart = (text: string): object => ({ type: 'output_text', text, annotations: [], logprobs: [] });
const reasoningItem = (id: string, text: string): Item => ({ id, type: 'reasoning', summary: [], content: [{ type: 'reasoning_text', text }] });
const messageItem = (id: string, text: string, status = 'completed'): Item => ({ id, type: 'message', status, role: 'assistant', content: [textPart(text)] });

function itemsOf(head: AnswerHead, { text, reasoning, calls, reason }: Choice): Item[] {
  const items: Item[] = [];
  if (reasoning !== '') items.push(reasoningItem(own(head, 'rs', 0), reasoning));
  if (text !== '' || calls.length === 0) items.push(messageItem(own(head, 'msg', items.length), text, reason === 'length' ? 'incomplete' : 'completed'));
  for (const { id, name, arguments: given } of calls) items.push({ id: own(head, 'fc', items.length), type: 'function_call', status: 'completed', call_id: id, name, arguments: given });
  return items;
}

class ResponseStream implements StreamForm {
  readonly contentType = SSE_TYPE;
  readonly #head: AnswerHead;
  readonly #request: ResponsesRequest;
  readonly #keep: Keep;
  readonly #items: Item[] = [];
  readonly #choice: Choice = { text: '', reasoning: '', calls: [], tokens: [], reason: 'stop' };
  #open: { kind: 'text' | 'reasoning'; text: string } | undefined;
  #number = 0;
  #usage: Usage | undefined;

  constructor(head: AnswerHead, request: ResponsesRequest, keep: Keep) {
    this.#head = head;
    this.#request = request;
    this.#keep = keep;
  }

  begin(): string {
    const response = responseBody(this.#head, this.#request, [], undefined, undefined);
    return this.#send('response.created', { response }) + this.#send('response.in_progress', { response });
  }

  event(event: AnswerEvent): string {
    switch (event.kind) {
      case 'text':
        if (event.text === '') return '';
        this.#choice.text += event.text;
        return this.#into('text') + this.#piece(event.text);
      case 'reasoning':
        this.#choice.reasoning += event.text;
        return this.#into('reasoning') + this.#piece(event.text);
      case 'call':
        this.#choice.calls.push(event.call);
        return this.#close() + this.#call(event.call.id, event.call.name, event.call.arguments);
      case 'end':
        this.#choice.reason = event.reason;
        return '';
      case 'usage':
        this.#usage = event.usage;
        return '';
      default:
        return event satisfies never;
    }
  }

  error(fault: RequestFault): string {
    return this.#send('error', { code: fault.kind, message: fault.message, param: fault.field ?? null });
  }

  end(): string {
    let text = this.#items.length === 0 && this.#open === undefined ? this.#into('text') : '';
    text += this.#close();
    const response = responseBody(this.#head, this.#request, this.#items, this.#choice.reason, this.#usage);
    this.#keep(response, this.#choice);
    return text + this.#send(this.#choice.reason === 'length' ? 'response.incomplete' : 'response.completed', { response });
  }

  #send(type: string, fields: object): string {
    return sse({ type, sequence_number: this.#number++, ...fields }, type);
  }

  /** Goes on with the item that is open, or begins one. */
  #into(kind: 'text' | 'reasoning'): string {
    if (this.#open?.kind === kind) return '';
    const closed = this.#close(), output_index = this.#items.length;
    this.#open = { kind, text: '' };
    if (kind === 'reasoning') return closed + this.#send('response.output_item.added', { output_index, item: { ...reasoningItem(own(this.#head, 'rs', output_index), ''), content: [] } });
    const item_id = own(this.#head, 'msg', output_index);
    return closed + this.#send('response.output_item.added', { output_index, item: { ...messageItem(item_id, '', 'in_progress'), content: [] } }) + this.#send('response.content_part.added', { item_id, output_index, content_index: 0, part: textPart('') });
  }

  #piece(text: string): string {
    const open = this.#open!, output_index = this.#items.length;
    open.text += text;
    if (open.kind === 'reasoning') return this.#send('response.reasoning_text.delta', { item_id: own(this.#head, 'rs', output_index), output_index, content_index: 0, delta: text });
    return this.#send('response.output_text.delta', { item_id: own(this.#head, 'msg', output_index), output_index, content_index: 0, delta: text, logprobs: [] });
  }

  #close(): string {
    const open = this.#open, output_index = this.#items.length;
    if (open === undefined) return '';
    this.#open = undefined;
    if (open.kind === 'reasoning') {
      const item = reasoningItem(own(this.#head, 'rs', output_index), open.text);
      this.#items.push(item);
      return this.#send('response.reasoning_text.done', { item_id: item.id, output_index, content_index: 0, text: open.text }) + this.#send('response.output_item.done', { output_index, item });
    }
    const item = messageItem(own(this.#head, 'msg', output_index), open.text, this.#choice.reason === 'length' ? 'incomplete' : 'completed');
    this.#items.push(item);
    return this.#send('response.output_text.done', { item_id: item.id, output_index, content_index: 0, text: open.text, logprobs: [] }) + this.#send('response.content_part.done', { item_id: item.id, output_index, content_index: 0, part: textPart(open.text) }) +
      this.#send('response.output_item.done', { output_index, item });
  }

  #call(callId: string, name: string, given: string): string {
    const output_index = this.#items.length, item: Item = { id: own(this.#head, 'fc', output_index), type: 'function_call', status: 'completed', call_id: callId, name, arguments: given };
    this.#items.push(item);
    return this.#send('response.output_item.added', { output_index, item: { ...item, status: 'in_progress', arguments: '' } })
      + this.#send('response.function_call_arguments.delta', { item_id: item.id, output_index, delta: given })
      + this.#send('response.function_call_arguments.done', { item_id: item.id, output_index, name, arguments: given })
      + this.#send('response.output_item.done', { output_index, item });
  }
}
