// What OpenAI's routes have in common: fields, errors, ids, usage. Layer: serve (pure).
// See https://platform.openai.com/docs/api-reference; vLLM's and llama.cpp's further sampling fields are taken too.

import { z } from 'zod';
import type { RequestFault } from '../fault.ts';
import type { AnswerForm, Choosing, EndReason, Usage } from '../job.ts';

/** Absent and null mean the same to OpenAI's clients. */
export const maybe = <T extends z.ZodType>(schema: T) => schema.nullish().transform((value) => value ?? undefined);

const stopSchema = maybe(z.union([z.string().max(1000), z.array(z.string().max(1000)).max(16)]));

const logitBiasSchema = maybe(z.record(z.string().regex(/^\d+$/, 'keys must be token ids'), z.number().min(-100).max(100)));

/** Fields of sampling that chat and completions share. */
export const samplingFields = {
  model: z.string().max(300).default(''),
  stream: maybe(z.boolean()),
  stream_options: maybe(z.looseObject({ include_usage: maybe(z.boolean()) })),
  temperature: maybe(z.number().min(0).max(2)),
  top_p: maybe(z.number().min(0).max(1)),
  top_k: maybe(z.int().min(-1).max(2 ** 20)),
  min_p: maybe(z.number().min(0).max(1)),
  frequency_penalty: maybe(z.number().min(-2).max(2)),
  presence_penalty: maybe(z.number().min(-2).max(2)),
  repetition_penalty: maybe(z.number().gt(0).max(10)),
  logit_bias: logitBiasSchema,
  seed: maybe(z.int()),
  n: maybe(z.int().min(1).max(128)),
  stop: stopSchema,
  stop_token_ids: maybe(z.array(z.int().min(0)).max(64)),
};

type SamplingFields = z.infer<z.ZodObject<typeof samplingFields>>;

/** Sampling in our words. */
export function choosingOf(fields: SamplingFields, maxTokens: number | undefined, logprobs: number | undefined): Choosing {
  const bias = fields.logit_bias === undefined ? [] : Object.entries(fields.logit_bias);
  return {
    temperature: fields.temperature,
    topP: fields.top_p === 0 ? 1e-9 : fields.top_p, // 0 means the likeliest token alone
    topK: fields.top_k === undefined ? undefined : Math.max(0, fields.top_k),
    minP: fields.min_p,
    frequencyPenalty: fields.frequency_penalty || undefined,
    presencePenalty: fields.presence_penalty || undefined,
    repetitionPenalty: fields.repetition_penalty,
    logitBias: bias.length === 0 ? undefined : Object.fromEntries(bias.map(([id, value]) => [Number(id), value])),
    seed: fields.seed === undefined ? undefined : seedOf(fields.seed),
    n: fields.n,
    stop: typeof fields.stop === 'string' ? [fields.stop] : fields.stop,
    stopIds: fields.stop_token_ids,
    maxTokens,
    logprobs,
  };
}

/** Any whole number as a seed: ours begin at 0. */
export const seedOf = (seed: number): number => (seed < 0 ? 2 ** 47 + (Math.abs(seed) % 2 ** 47) : seed % 2 ** 48);

/** `response_format`, and structured outputs as vLLM names them. */
export const responseFormatSchema = maybe(z.discriminatedUnion('type', [
  z.looseObject({ type: z.literal('text') }),
  z.looseObject({ type: z.literal('json_object') }),
  z.looseObject({ type: z.literal('json_schema'), json_schema: z.looseObject({ name: maybe(z.string()), schema: maybe(z.record(z.string(), z.unknown())), strict: maybe(z.boolean()) }) }),
  z.looseObject({ type: z.literal('regex'), regex: z.string().max(10_000) }),
  z.looseObject({ type: z.literal('grammar'), grammar: z.string().max(100_000) }),
]));

export function formOf(format: z.infer<typeof responseFormatSchema>): AnswerForm {
  switch (format?.type) {
    case undefined:
    case 'text':
      return { kind: 'text' };
    case 'json_object':
      return { kind: 'json' };
    case 'json_schema':
      return { kind: 'schema', schema: format.json_schema.schema ?? {} };
    case 'regex':
      return { kind: 'regex', regex: format.regex };
    case 'grammar':
      return { kind: 'grammar', grammar: format.grammar };
    default:
      return format satisfies never;
  }
}

/** Names that OpenAI's clients make exceptions of. */
const TYPES: Partial<Record<RequestFault['kind'], { type: string; code: string | null }>> = {
  'too-long': { type: 'invalid_request_error', code: 'context_length_exceeded' },
  'unknown-model': { type: 'invalid_request_error', code: 'model_not_found' },
  unauthorised: { type: 'invalid_request_error', code: 'invalid_api_key' },
  forbidden: { type: 'permission_error', code: 'insufficient_permissions' },
  limited: { type: 'rate_limit_error', code: 'rate_limit_exceeded' },
  busy: { type: 'rate_limit_error', code: 'server_busy' },
  internal: { type: 'server_error', code: null },
  unavailable: { type: 'server_error', code: 'unavailable' },
  unsupported: { type: 'invalid_request_error', code: 'unsupported' },
  timeout: { type: 'server_error', code: 'timeout' },
};

export function errorBody(fault: RequestFault): unknown {
  const { type, code } = TYPES[fault.kind] ?? { type: 'invalid_request_error', code: null };
  return { error: { message: fault.message, type, param: fault.field ?? null, code } };
}

export const finishReason = (reason: EndReason): string => (reason === 'calls' ? 'tool_calls' : reason);

export function usageBody({ promptTokens, completionTokens, cachedTokens }: Usage): unknown {
  return {
    prompt_tokens: promptTokens,
    completion_tokens: completionTokens,
    total_tokens: promptTokens + completionTokens,
    prompt_tokens_details: { cached_tokens: cachedTokens },
  };
}

/** What an answer is known by. */
export interface AnswerHead {
  readonly id: string;
  readonly createdSeconds: number;
  /** The model's own name. */
  readonly model: string;
  /** The text of a token, with whatever bytes of a character it has. */
  readonly bytesOf: (id: number) => Uint8Array;
  readonly promptTokens: number;
  /** Milliseconds that only go up. */
  readonly now: () => number;
}

/** One event of server-sent events (HTML standard, section 9.2). */
export const sse = (data: unknown, event?: string): string => `${event === undefined ? '' : `event: ${event}\n`}data: ${typeof data === 'string' ? data : JSON.stringify(data)}\n\n`;
