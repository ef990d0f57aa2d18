// What the GGUF forms of Llama's descendants have in common. Layer: models.

import type { DecoderConfig } from './decoder-config.ts';
import type { ModelDims } from './family.ts';
import { real, vocabulary, whole, type GgufFields } from './gguf-fields.ts';
import type { ReadConstant } from './gguf-form.ts';
import { readScaling, ropeEntries, unwritableRope, type RopeRule } from './gguf-rope.ts';
import type { GgufEntry } from './gguf-write.ts';
import { scalingOf } from './rotary-config.ts';

/** Lines of a table of parts of a block, each with a weight and perhaps a bias. */
export function blockTensors(parts: Readonly<Record<string, string>>, kinds: readonly ('weight' | 'bias')[] = ['weight', 'bias']): Record<string, string> {
  return Object.fromEntries(Object.entries(parts).flatMap(([ours, theirs]) => kinds.map((kind) => [`blocks.*.${ours}.${kind}`, `blk.*.${theirs}.${kind}`])));
}

/** Names outside of attention and feed-forward layers. */
export const STREAM_TENSORS = {
  'embed.weight': 'token_embd.weight',
  ...blockTensors({ 'attn.norm': 'attn_norm', 'mlp.norm': 'ffn_norm' }, ['weight']),
  'norm.weight': 'output_norm.weight',
  'head.weight': 'output.weight',
};

export const DECODER_TENSORS: Readonly<Record<string, string>> = {
  ...STREAM_TENSORS,
  ...blockTensors({ 'attn.q': 'attn_q', 'attn.k': 'attn_k', 'attn.v': 'attn_v', 'attn.o': 'attn_output', 'mlp.gate': 'ffn_gate', 'mlp.up': 'ffn_up', 'mlp.down': 'ffn_down' }),
};

/** Norms of each head's queries and keys. */
export const HEAD_NORM_TENSORS = blockTensors({ 'attn.qNorm': 'attn_q_norm', 'attn.kNorm': 'attn_k_norm' }, ['weight']);

/** Queries and keys, whose rows the architecture `llama` keeps in pairs. */
export function pairedQueriesAndKeys(id: string, { nHeads, nKvHeads }: ModelDims): number | undefined {
  return /\.attn\.q\.(weight|bias)$/.test(id) ? nHeads : /\.attn\.k\.(weight|bias)$/.test(id) ? nKvHeads : undefined;
}

/** The rule of a configuration's rotary positions. */
export function ropeOf(c: DecoderConfig & { readonly rope_theta: number }, { headSize, maxPositions }: ModelDims, turned = headSize): RopeRule {
  return { theta: c.rope_theta, turned, maxPositions, scaling: scalingOf(c.rope_scaling) };
}

/** Why the rotary positions of an architecture without tensors of divisors cannot be written. */
export function unwritableScaling(rope: RopeRule): string | undefined {
  const kind = rope.scaling?.rope_type;
  return kind === 'llama3' || kind === 'longrope' ? `its rotary scaling is ${kind}, which llama.cpp does not compute for this architecture` : unwritableRope(rope);
}

/** Sizes, the norms' epsilon and rotary positions. */
export function decoderEntries(architecture: string, c: DecoderConfig, dims: ModelDims, rope: RopeRule): GgufEntry[] {
  const key = (name: string): string => `${architecture}.${name}`;
  return [
    whole(key('vocab_size'), c.vocab_size),
    whole(key('context_length'), c.max_position_embeddings),
    whole(key('embedding_length'), c.hidden_size),
    whole(key('block_count'), c.num_hidden_layers),
    whole(key('feed_forward_length'), c.intermediate_size),
    whole(key('attention.head_count'), dims.nHeads),
    whole(key('attention.head_count_kv'), dims.nKvHeads),
    whole(key('attention.key_length'), dims.headSize),
    whole(key('attention.value_length'), dims.headSize),
    real(key('attention.layer_norm_rms_epsilon'), c.rms_norm_eps),
    ...ropeEntries(architecture, rope),
  ];
}

/** Sizes of a head, as the metadata says them. */
export function headsOf(fields: GgufFields): { readonly nHeads: number; readonly headSize: number; readonly theta: number } {
  const key = (name: string): string => `${fields.architecture}.${name}`, nHeads = fields.needed(key('attention.head_count'));
  const headSize = fields.number(key('attention.key_length')) ?? fields.needed(key('embedding_length')) / nHeads;
  fields.only(key('attention.value_length'), headSize);
  return { nHeads, headSize, theta: fields.number(key('rope.freq_base')) ?? 10000 };
}

/** Fields of config.json that every architecture names alike. */
export function sizeFields(fields: GgufFields): Record<string, unknown> {
  const key = (name: string): string => `${fields.architecture}.${name}`;
  return {
    vocab_size: vocabulary(fields),
    hidden_size: fields.needed(key('embedding_length')),
    intermediate_size: fields.needed(key('feed_forward_length')),
    num_hidden_layers: fields.needed(key('block_count')),
    max_position_embeddings: fields.needed(key('context_length')),
    rms_norm_eps: fields.needed(key('attention.layer_norm_rms_epsilon')),
    tie_word_embeddings: !fields.header.tensors.has('output.weight'),
  };
}

/** Fields of config.json: by default the whole head turns, and there are no experts. */
export function decoderFields(fields: GgufFields, constant: ReadConstant, { turned, experts = false }: { readonly turned?: number; readonly experts?: boolean } = {}): Record<string, unknown> {
  const key = (name: string): string => `${fields.architecture}.${name}`, { nHeads, headSize, theta } = headsOf(fields), hidden = fields.needed(key('embedding_length'));
  if (turned === undefined) fields.only(key('rope.dimension_count'), headSize);
  if (!experts) fields.only(key('expert_count'), 0);
  return {
    ...sizeFields(fields),
    num_attention_heads: nHeads,
    num_key_value_heads: fields.number(key('attention.head_count_kv')) ?? nHeads,
    ...(headSize * nHeads === hidden ? {} : { head_dim: headSize }),
    rope_theta: theta,
    rope_scaling: readScaling(fields, constant, { theta, turned: turned ?? headSize }),
  };
}

/** The first of several reasons. */
export function firstOf(...reasons: (string | false | undefined)[]): string | undefined {
  return reasons.find((reason): reason is string => typeof reason === 'string');
}
