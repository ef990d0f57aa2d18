// OpenAI's (legacy) completions: texts continued, and gaps filled. Layer: serve (pure).
// See https://platform.openai.com/docs/api-reference/completions; editors' plug-ins complete code through it.

import { z } from 'zod';
import { checked } from '../body.ts';
import { RequestFault } from '../fault.ts';
import type { Answer, AnswerEvent, ScoredToken, TextJob } from '../job.ts';
import type { AnswerShape } from './form.ts';
import { choosingOf, finishReason, formOf, maybe, responseFormatSchema, samplingFields, usageBody, type AnswerHead } from './openai-shared.ts';
import { OpenAiStream } from './openai-stream.ts';

const idsSchema = z.array(z.int().min(0)).min(1);

const requestSchema = z.looseObject({
  ...samplingFields,
  prompt: z.union([z.string(), idsSchema, z.array(z.string()).min(1).max(128), z.array(idsSchema).min(1).max(128)]).nullish(),
  suffix: maybe(z.string()),
  max_tokens: maybe(z.int().min(0)),
  logprobs: maybe(z.int().min(0).max(20)),
  echo: maybe(z.boolean()),
  best_of: maybe(z.int().min(1)),
  response_format: responseFormatSchema,
  allow_special_tokens: maybe(z.boolean()),
});

/** As OpenAI has it. */
const DEFAULT_MAX_TOKENS = 16;

export interface CompletionRequest {
  readonly job: TextJob;
  readonly includeUsage: boolean;
}

/** @throws {RequestFault} invalid, naming the field */
export function readCompletionRequest(body: unknown): CompletionRequest {
  const fields = checked(requestSchema, body);
  if (fields.best_of !== undefined && fields.best_of !== (fields.n ?? 1)) throw new RequestFault('invalid', 'Cannot use "best_of" other than "n": all choices are returned.', { field: 'best_of' });
  if (fields.echo === true && fields.logprobs !== undefined) throw new RequestFault('invalid', 'Cannot use "logprobs" with "echo": only new tokens are scored.', { field: 'logprobs' });
  if (fields.echo === true && fields.suffix !== undefined) throw new RequestFault('invalid', 'Cannot use "suffix" with "echo".', { field: 'echo' });
  return {
    includeUsage: fields.stream_options?.include_usage === true,
    job: {
      kind: 'text',
      model: fields.model,
      stream: fields.stream === true,
      prompts: promptsOf(fields.prompt ?? ''),
      suffix: fields.suffix,
      echo: fields.echo === true,
      allowSpecial: fields.allow_special_tokens === true,
      form: formOf(fields.response_format),
      choosing: choosingOf(fields, fields.max_tokens ?? DEFAULT_MAX_TOKENS, fields.logprobs),
      promptField: 'prompt',
    },
  };
}

function promptsOf(prompt: string | readonly (string | number | readonly number[])[]): readonly (string | readonly number[])[] {
  if (typeof prompt === 'string') return [prompt];
  return typeof prompt[0] === 'number' ? [prompt as readonly number[]] : prompt as readonly (string | readonly number[])[];
}

/** Answers to a completion request. */
export function completionShape(head: AnswerHead, { includeUsage, job }: CompletionRequest): AnswerShape {
  const scored = job.choosing.logprobs !== undefined;
  return { whole: (answer) => completionBody(answer, head, scored), stream: () => new CompletionStream(head, includeUsage, scored) };
}

function completionBody(answer: Answer, head: AnswerHead, scored: boolean): unknown {
  return {
    id: head.id,
    object: 'text_completion',
    created: head.createdSeconds,
    model: head.model,
    choices: answer.choices.map(({ text, tokens, reason }, index) => ({ index, text, logprobs: scored ? logprobsBody(tokens, head, 0) : null, finish_reason: finishReason(reason) })),
    usage: usageBody(answer.usage),
  };
}

/** @param from characters of the answer before these tokens */
function logprobsBody(tokens: readonly ScoredToken[], head: AnswerHead, from: number): unknown {
  const word = (id: number): string => new TextDecoder().decode(head.bytesOf(id)), words = tokens.map(({ id }) => word(id));
  let offset = from;
  return {
    tokens: words,
    token_logprobs: tokens.map(({ logprob }) => logprob),
    top_logprobs: tokens.map(({ alternatives }) => Object.fromEntries(alternatives.map(({ id, logprob }) => [word(id), logprob]))),
    text_offset: words.map((text) => (offset += text.length) - text.length),
  };
}

class CompletionStream extends OpenAiStream {
  readonly #scored: boolean;
  readonly #offsets = new Map<number, number>();

  constructor(head: AnswerHead, includeUsage: boolean, scored: boolean) {
    super(head, 'text_completion', includeUsage);
    this.#scored = scored;
  }

  protected told(event: Exclude<AnswerEvent, { kind: 'usage' }>): string {
    if (event.kind === 'end') return this.#text(event.choice, '', finishReason(event.reason), []);
    return event.kind === 'text' ? this.#text(event.choice, event.text, null, event.tokens) : '';
  }

  #text(index: number, text: string, finish: string | null, tokens: readonly ScoredToken[]): string {
    const from = this.#offsets.get(index) ?? 0;
    this.#offsets.set(index, from + text.length);
    return this.chunk({ index, text, logprobs: this.#scored && tokens.length > 0 ? logprobsBody(tokens, this.head, from) : null, finish_reason: finish });
  }
}
