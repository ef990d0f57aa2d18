// Vectors of texts for a request: its turn, its tokens, its limits. Layer: serve.

import type { ServerContext, ServerParts } from './context.ts';
import { Exchange } from './exchange.ts';
import { RequestFault } from './fault.ts';
import type { EmbeddingsRequest } from './protocols/embeddings.ts';
import type { ServedModel } from './served-model.ts';

/** @throws {RequestFault} */
export async function embedTexts(c: ServerContext, server: ServerParts, request: EmbeddingsRequest): Promise<{ vectors: Float32Array[]; model: string; tokens: number }> {
  const exchange = new Exchange(c, server);
  try {
    const model = await exchange.borrow(request.model);
    if (model.embed === undefined) throw new RequestFault('unsupported', `Cannot make vectors with "${model.name}": its hidden states cannot be had.`, { field: 'model' });
    const ids = request.inputs.map((input, i) => idsOf(input, i, request, model)), tokens = ids.reduce((sum, { length }) => sum + length, 0);
    const vectors = (await model.embed(ids, exchange.signal)).map((vector) => unit(request.dimensions === undefined ? vector : vector.slice(0, request.dimensions)));
    exchange.count({ promptTokens: tokens, cachedTokens: 0, completionTokens: 0 });
    exchange.finish('done', 200);
    return { vectors, model: model.name, tokens };
  } catch (error) {
    const fault = exchange.faultOf(error, request.field);
    exchange.finish(fault.kind === 'internal' ? 'failed' : 'refused', fault.status, fault.cause);
    throw fault;
  }
}

function idsOf(input: string | readonly number[], i: number, { field, truncate }: EmbeddingsRequest, model: ServedModel): readonly number[] {
  if (typeof input === 'string' && model.tokenizer === undefined) throw new RequestFault('invalid', `Cannot read text: "${model.name}" has no tokenizer. Give token ids.`, { field });
  const ids = typeof input === 'string' ? [...model.tokenizer!.encode(input)] : input, { contextLength } = model.facts, place = `${field}[${i}]`;
  const wrong = typeof input === 'string' ? undefined : ids.find((id) => id >= model.facts.vocabSize);
  if (wrong !== undefined) throw new RequestFault('invalid', `Cannot use the id ${wrong} in "${place}": the vocabulary has ids 0 to ${model.facts.vocabSize - 1}.`, { field: place });
  if (ids.length === 0) throw new RequestFault('invalid', `Cannot make a vector of "${place}": it is empty.`, { field: place });
  if (ids.length <= contextLength) return ids;
  if (truncate) return ids.slice(0, contextLength);
  throw new RequestFault('too-long', `Cannot take "${place}": it has ${ids.length} tokens, and "${model.name}" takes ${contextLength}.`, { field: place });
}

/** x / |x|, as both APIs have their vectors. */
function unit(vector: Float32Array): Float32Array {
  const norm = Math.hypot(...vector);
  return norm === 0 ? vector : vector.map((x) => x / norm);
}
