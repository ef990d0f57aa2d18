// What Ollama's routes have in common: options, details of models, times. Layer: serve (pure).
// See https://github.com/ollama/ollama/blob/main/docs/api.md.

import { z } from 'zod';
import type { AnswerForm, Choosing, Usage } from '../job.ts';
import type { ModelEntry } from '../registry.ts';
import type { ServedModel } from '../served-model.ts';
import { maybe, seedOf, type AnswerHead } from './openai-shared.ts';

export const optionsSchema = maybe(z.looseObject({
  temperature: maybe(z.number().min(0).max(100)),
  top_k: maybe(z.int().min(0)),
  top_p: maybe(z.number().min(0).max(1)),
  min_p: maybe(z.number().min(0).max(1)),
  repeat_penalty: maybe(z.number().gt(0).max(10)),
  presence_penalty: maybe(z.number().min(-2).max(2)),
  frequency_penalty: maybe(z.number().min(-2).max(2)),
  seed: maybe(z.int()),
  num_predict: maybe(z.int().min(-2)),
  stop: maybe(z.union([z.string(), z.array(z.string()).max(16)])),
}));

export const formatSchema = maybe(z.union([z.literal(''), z.literal('json'), z.record(z.string(), z.unknown())]));

export function ollamaChoosing(options: z.infer<typeof optionsSchema>, logprobs: number | undefined): Choosing {
  const { num_predict: most, seed, stop, top_p: topP } = options ?? {};
  return {
    temperature: options?.temperature,
    topK: options?.top_k,
    topP: topP === 0 ? 1e-9 : topP,
    minP: options?.min_p,
    repetitionPenalty: options?.repeat_penalty,
    presencePenalty: options?.presence_penalty || undefined,
    frequencyPenalty: options?.frequency_penalty || undefined,
    seed: seed === undefined ? undefined : seedOf(seed),
    maxTokens: most === undefined || most < 0 ? undefined : most, // −1: without end, −2: to the end of the context
    stop: typeof stop === 'string' ? [stop] : stop,
    logprobs,
  };
}

export function ollamaForm(format: z.infer<typeof formatSchema>): AnswerForm {
  if (format === undefined || format === '') return { kind: 'text' };
  return format === 'json' ? { kind: 'json' } : { kind: 'schema', schema: format };
}

const NS_PER_MS = 1e6;

/** Times of an answer, as Ollama counts them: nanoseconds. */
export class OllamaTimes {
  readonly #head: AnswerHead;
  readonly #began: number;
  #first: number | undefined;

  constructor(head: AnswerHead) {
    this.#head = head;
    this.#began = head.now();
  }

  /** The first token is there. */
  first(): void {
    this.#first ??= this.#head.now();
  }

  fields(usage: Usage): object {
    const now = this.#head.now(), first = this.#first ?? now;
    return {
      total_duration: Math.round((now - this.#began) * NS_PER_MS),
      load_duration: 0,
      prompt_eval_count: usage.promptTokens,
      prompt_eval_duration: Math.round((first - this.#began) * NS_PER_MS),
      eval_count: usage.completionTokens,
      eval_duration: Math.round((now - first) * NS_PER_MS),
    };
  }
}

/** What the list of models says of one; sizes of models that are not open are those of their files. */
export function modelFields({ name, bytes, createdSeconds }: ModelEntry, model: ServedModel | undefined): object {
  return {
    name,
    model: name,
    modified_at: new Date(1000 * createdSeconds).toISOString(),
    size: bytes,
    digest: '',
    details: detailsOf(model),
  };
}

export function detailsOf(model: ServedModel | undefined): object {
  const family = model?.facts.family ?? '', parameters = model?.facts.parameters;
  return {
    parent_model: '',
    format: 'athanor',
    family,
    families: family === '' ? [] : [family],
    parameter_size: parameters === undefined ? '' : shortCount(parameters),
    quantization_level: model?.facts.weightType.toUpperCase() ?? '',
  };
}

/** As model names have it: 1.1B, 135M, 12K. */
function shortCount(n: number): string {
  const [unit, size] = n >= 1e9 ? ['B', 1e9] as const : n >= 1e6 ? ['M', 1e6] as const : ['K', 1e3] as const;
  return `${Number((n / size).toPrecision(3))}${unit}`;
}

export const line = (value: unknown): string => `${JSON.stringify(value)}\n`;
