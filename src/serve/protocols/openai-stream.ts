// What the streams of OpenAI's two completions have in common: chunks, usage at the end, errors. Layer: serve (pure).

import type { RequestFault } from '../fault.ts';
import type { AnswerEvent, Usage } from '../job.ts';
import { SSE_TYPE, type StreamForm } from './form.ts';
import { errorBody, sse, usageBody, type AnswerHead } from './openai-shared.ts';

export abstract class OpenAiStream implements StreamForm {
  readonly contentType = SSE_TYPE;
  protected readonly head: AnswerHead;
  readonly #object: string;
  readonly #includeUsage: boolean;
  #usage: Usage | undefined;

  /** @param object what a chunk calls itself */
  constructor(head: AnswerHead, object: string, includeUsage: boolean) {
    this.head = head;
    this.#object = object;
    this.#includeUsage = includeUsage;
  }

  begin(): string {
    return '';
  }

  event(event: AnswerEvent): string {
    if (event.kind !== 'usage') return this.told(event);
    this.#usage = event.usage;
    return '';
  }

  error(fault: RequestFault): string {
    return sse(errorBody(fault));
  }

  end(): string {
    const usage = this.#includeUsage && this.#usage !== undefined ? sse({ ...this.#base(), choices: [], usage: usageBody(this.#usage) }) : '';
    return `${usage}${sse('[DONE]')}`;
  }

  /** Chunks for what was said of a choice. */
  protected abstract told(event: Exclude<AnswerEvent, { kind: 'usage' }>): string;

  protected chunk(choice: object): string {
    return sse({ ...this.#base(), choices: [choice], ...(this.#includeUsage ? { usage: null } : {}) });
  }

  #base(): object {
    const { id, createdSeconds, model } = this.head;
    return { id, object: this.#object, created: createdSeconds, model };
  }
}
