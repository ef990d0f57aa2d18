// Requests for vectors, OpenAI's and Ollama's. Layer: serve (pure).
// See https://platform.openai.com/docs/api-reference/embeddings.

import { z } from 'zod';
import { checked } from '../body.ts';
import { maybe } from './openai-shared.ts';

/** Texts to make vectors of. */
export interface EmbeddingsRequest {
  readonly model: string;
  readonly inputs: readonly (string | readonly number[])[];
  readonly format: 'float' | 'base64';
  /** Only so many of the first numbers, made a unit vector again. */
  readonly dimensions: number | undefined;
  /** What is too long is cut, not refused. */
  readonly truncate: boolean;
  readonly field: string;
}

const idsSchema = z.array(z.int().min(0)).min(1);
const MAX_INPUTS = 2048;

const openaiSchema = z.looseObject({
  model: z.string().max(300).default(''),
  input: z.union([z.string().min(1), idsSchema, z.array(z.string().min(1)).min(1).max(MAX_INPUTS), z.array(idsSchema).min(1).max(MAX_INPUTS)]),
  encoding_format: maybe(z.enum(['float', 'base64'])),
  dimensions: maybe(z.int().min(1)),
});

const ollamaSchema = z.looseObject({ model: z.string().max(300), input: z.union([z.string(), z.array(z.string()).max(MAX_INPUTS)]), truncate: maybe(z.boolean()), dimensions: maybe(z.int().min(1)) });
const ollamaOneSchema = z.looseObject({ model: z.string().max(300), prompt: z.string().min(1) });

/** @throws {RequestFault} */
export function readEmbeddings(body: unknown): EmbeddingsRequest {
  const { model, input, encoding_format: format = 'float', dimensions } = checked(openaiSchema, body);
  const inputs = typeof input === 'string' ? [input] : typeof input[0] === 'number' ? [input as number[]] : input as (string | number[])[];
  return { model, inputs, format, dimensions, truncate: false, field: 'input' };
}

/** @throws {RequestFault} */
export function readOllamaEmbed(body: unknown): EmbeddingsRequest {
  const { model, input, truncate, dimensions } = checked(ollamaSchema, body);
  return { model, inputs: typeof input === 'string' ? [input] : input, format: 'float', dimensions, truncate: truncate !== false, field: 'input' };
}

/** @throws {RequestFault} */
export function readOllamaEmbeddings(body: unknown): EmbeddingsRequest {
  const { model, prompt } = checked(ollamaOneSchema, body);
  return { model, inputs: [prompt], format: 'float', dimensions: undefined, truncate: true, field: 'prompt' };
}

export function embeddingsBody({ format }: EmbeddingsRequest, vectors: readonly Float32Array[], model: string, tokens: number): object {
  const shown = (vector: Float32Array): unknown => (format === 'base64' ? Buffer.from(vector.buffer, vector.byteOffset, vector.byteLength).toString('base64') : [...vector]);
  return { object: 'list', data: vectors.map((vector, index) => ({ object: 'embedding', index, embedding: shown(vector) })), model, usage: { prompt_tokens: tokens, total_tokens: tokens } };
}
