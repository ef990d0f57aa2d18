// How model families lie in GGUF files: llama.cpp's names of tensors and metadata, its order of rows. Layer: models.
// See https://github.com/ggml-org/llama.cpp, gguf-py/gguf/constants.py (names) and convert_hf_to_gguf.py (what is written).

import { FormatError } from '../base/errors.ts';
import type { ModelConfig, ModelDims } from './family.ts';
import type { GgufHeader, GgufValue } from './gguf.ts';
import type { GgufEntry } from './gguf-write.ts';
import type { Gpt2Config } from './gpt2.ts';
import type { LlamaConfig } from './llama.ts';
import { frequencyFactors, scalingOfFactors } from './rope-factors.ts';

/** What a file says, by key. */
export class GgufFields {
  readonly path: string;
  readonly header: GgufHeader;

  constructor(header: GgufHeader, path: string) {
    this.header = header;
    this.path = path;
  }

  error(state: string): FormatError {
    return new FormatError(`Cannot read "${this.path}": ${state}.`, { path: this.path });
  }

  has(key: string): boolean {
    return this.header.metadata.has(key);
  }

  value(key: string): GgufValue | undefined {
    return this.header.metadata.get(key);
  }

  string(key: string): string | undefined {
    const value = this.value(key);
    if (value === undefined || typeof value === 'string') return value;
    throw this.error(`"${key}" should be a string, but is ${shown(value)}`);
  }

  /** A number, as short as it is written: an f32 of 1e-5 is 1e-5 here. */
  number(key: string): number | undefined {
    const value = this.value(key);
    if (value === undefined) return undefined;
    if (typeof value !== 'number') throw this.error(`"${key}" should be a number, but is ${shown(value)}; a different one for each layer is not supported`);
    return Number.isInteger(value) || Math.fround(value) !== value ? value : shortest(value);
  }

  needed(key: string): number {
    const value = this.number(key);
    if (value === undefined) throw this.error(`it has no "${key}"`);
    return value;
  }

  /** @throws {FormatError} if the key is there with another value */
  only(key: string, allowed: GgufValue): void {
    const value = this.value(key);
    if (value !== undefined && value !== allowed) throw this.error(`"${key}" is ${shown(value)}, but only ${shown(allowed)} is supported`);
  }
}

function shown(value: GgufValue): string {
  return typeof value === 'object' ? `an array of ${value.length}` : JSON.stringify(typeof value === 'bigint' ? String(value) : value);
}

/** The shortest decimal that rounds to the same f32. */
function shortest(value: number): number {
  for (let digits = 1; digits < 9; digits++) {
    const short = Number(value.toPrecision(digits));
    if (Math.fround(short) === value) return short;
  }
  return value;
}

/** A family's GGUF form. */
export interface GgufForm<C extends ModelConfig = ModelConfig> {
  readonly architecture: string;
  /** State names to tensor names, `*` standing for the layer. Matrices are [out, in] in both. */
  readonly weights: Readonly<Record<string, string>>;
  /** Tensors that hold nothing learned. */
  readonly ignored: RegExp;
  /** Heads of a State whose rows llama.cpp keeps in pairs (`pairRows`). */
  pairedHeads(id: string, dims: ModelDims): number | undefined;
  /** Metadata beside general.* and tokenizer.*. */
  entries(config: C, dims: ModelDims): GgufEntry[];
  /** Tensors that the configuration calls for. */
  constants(config: C, dims: ModelDims): { readonly name: string; readonly values: Float32Array }[];
  /**
   * Fields of config.json.
   *
   * @param constant values of a tensor that is there, as f32
   */
  config(fields: GgufFields, constant: (name: string) => Float32Array | undefined): Record<string, unknown>;
}

const whole = (key: string, value: number): GgufEntry => ({ key, type: 'u32', value });
const real = (key: string, value: number): GgufEntry => ({ key, type: 'f32', value });

/** Rows of the embedding: the vocabulary, whatever the metadata says. */
function vocabulary(fields: GgufFields): number {
  const table = fields.header.tensors.get('token_embd.weight');
  if (table === undefined) throw fields.error('it has no tensor "token_embd.weight"');
  return table.shape[0]!;
}

const ROPE_FACTORS = 'rope_freqs.weight';

const llama: GgufForm<LlamaConfig> = {
  architecture: 'llama',
  weights: {
    'embed.weight': 'token_embd.weight',
    'blocks.*.attn.norm.weight': 'blk.*.attn_norm.weight',
    'blocks.*.attn.q.weight': 'blk.*.attn_q.weight',
    'blocks.*.attn.k.weight': 'blk.*.attn_k.weight',
    'blocks.*.attn.v.weight': 'blk.*.attn_v.weight',
    'blocks.*.attn.o.weight': 'blk.*.attn_output.weight',
    'blocks.*.mlp.norm.weight': 'blk.*.ffn_norm.weight',
    'blocks.*.mlp.gate.weight': 'blk.*.ffn_gate.weight',
    'blocks.*.mlp.up.weight': 'blk.*.ffn_up.weight',
    'blocks.*.mlp.down.weight': 'blk.*.ffn_down.weight',
    'norm.weight': 'output_norm.weight',
    'head.weight': 'output.weight',
  },
  ignored: /^rope_freqs\.weight$/,
  pairedHeads: (id, { nHeads, nKvHeads }) => (id.endsWith('.attn.q.weight') ? nHeads : id.endsWith('.attn.k.weight') ? nKvHeads : undefined),
  entries: (c, { nHeads, nKvHeads, headSize }) => [
    whole('llama.vocab_size', c.vocab_size),
    whole('llama.context_length', c.max_position_embeddings),
    whole('llama.embedding_length', c.hidden_size),
    whole('llama.block_count', c.num_hidden_layers),
    whole('llama.feed_forward_length', c.intermediate_size),
    whole('llama.attention.head_count', nHeads),
    whole('llama.attention.head_count_kv', nKvHeads),
    whole('llama.attention.key_length', headSize),
    whole('llama.attention.value_length', headSize),
    whole('llama.rope.dimension_count', headSize),
    real('llama.attention.layer_norm_rms_epsilon', c.rms_norm_eps),
    real('llama.rope.freq_base', c.rope_theta),
    ...(c.rope_scaling?.rope_type === 'linear' ? [{ key: 'llama.rope.scaling.type', type: 'string', value: 'linear' } as const, real('llama.rope.scaling.factor', c.rope_scaling.factor)] : []),
  ],
  constants: (c, { headSize }) => (c.rope_scaling?.rope_type === 'llama3' ? [{ name: ROPE_FACTORS, values: frequencyFactors(c.rope_scaling, c.rope_theta, headSize) }] : []),
  config(fields, constant) {
    const nHeads = fields.needed('llama.attention.head_count'), hidden = fields.needed('llama.embedding_length');
    const headSize = fields.number('llama.attention.key_length') ?? hidden / nHeads, theta = fields.number('llama.rope.freq_base') ?? 10000;
    for (const key of ['llama.attention.value_length', 'llama.rope.dimension_count']) fields.only(key, headSize);
    fields.only('llama.expert_count', 0);
    const factors = constant(ROPE_FACTORS), kind = fields.string('llama.rope.scaling.type');
    if (kind !== undefined && kind !== 'none' && kind !== 'linear') throw fields.error(`"llama.rope.scaling.type" is "${kind}"; supported are none and linear`);
    const scaled = factors === undefined ? undefined : scalingOfFactors(factors, theta, headSize);
    if (factors !== undefined && scaled === undefined) throw fields.error(`the rotary factors of "${ROPE_FACTORS}" are not those of Llama 3's rule, and others are not supported`);
    return {
      vocab_size: vocabulary(fields),
      hidden_size: hidden,
      intermediate_size: fields.needed('llama.feed_forward_length'),
      num_hidden_layers: fields.needed('llama.block_count'),
      num_attention_heads: nHeads,
      num_key_value_heads: fields.number('llama.attention.head_count_kv') ?? nHeads,
      ...(headSize * nHeads === hidden ? {} : { head_dim: headSize }),
      max_position_embeddings: fields.needed('llama.context_length'),
      rms_norm_eps: fields.needed('llama.attention.layer_norm_rms_epsilon'),
      rope_theta: theta,
      tie_word_embeddings: !fields.header.tensors.has('output.weight'),
      rope_scaling: scaled ?? (kind === 'linear' ? { rope_type: 'linear', factor: fields.needed('llama.rope.scaling.factor') } : null),
    };
  },
};

const gpt2: GgufForm<Gpt2Config> = {
  architecture: 'gpt2',
  weights: {
    'embed.weight': 'token_embd.weight',
    'positions.weight': 'position_embd.weight',
    ...Object.fromEntries([
      ['attn.norm', 'attn_norm'],
      ['attn.qkv', 'attn_qkv'],
      ['attn.o', 'attn_output'],
      ['mlp.norm', 'ffn_norm'],
      ['mlp.up', 'ffn_up'],
      ['mlp.down', 'ffn_down'],
    ].flatMap(([ours, theirs]) => ['weight', 'bias'].map((part) => [`blocks.*.${ours}.${part}`, `blk.*.${theirs}.${part}`]))),
    'norm.weight': 'output_norm.weight',
    'norm.bias': 'output_norm.bias',
    'head.weight': 'output.weight',
  },
  ignored: /^$/,
  pairedHeads: () => undefined,
  entries: (c, { nEmbd, nHeads }) => [
    whole('gpt2.context_length', c.n_positions),
    whole('gpt2.embedding_length', nEmbd),
    whole('gpt2.block_count', c.n_layer),
    whole('gpt2.feed_forward_length', c.n_inner ?? 4 * nEmbd),
    whole('gpt2.attention.head_count', nHeads),
    real('gpt2.attention.layer_norm_epsilon', c.layer_norm_epsilon),
  ],
  constants: () => [],
  config: (fields) => ({
    vocab_size: vocabulary(fields),
    n_positions: fields.needed('gpt2.context_length'),
    n_embd: fields.needed('gpt2.embedding_length'),
    n_layer: fields.needed('gpt2.block_count'),
    n_head: fields.needed('gpt2.attention.head_count'),
    n_inner: fields.needed('gpt2.feed_forward_length'),
    layer_norm_epsilon: fields.needed('gpt2.attention.layer_norm_epsilon'),
    tie_word_embeddings: !fields.header.tensors.has('output.weight'),
  }),
};

/** By `model_type`, as `FAMILIES`. */
export const GGUF_FORMS: Readonly<Record<string, GgufForm>> = { gpt2, llama };

/**
 * Rows of a head as llama.cpp's rotary operator wants them: it turns neighbouring channels, ours the two halves of a head.
 * Row (h, i, half) there is row (h, half, i) here (`permute` in convert_hf_to_gguf.py).
 *
 * @param bytes rows of equal size
 * @param toPairs the direction: from halves to pairs, or back
 */
export function pairRows(bytes: Uint8Array, nRows: number, nHeads: number, toPairs: boolean): Uint8Array {
  const size = bytes.length / nRows, headSize = nRows / nHeads, half = headSize / 2, out = new Uint8Array(bytes.length);
  for (let row = 0; row < nRows; row++) {
    const head = Math.floor(row / headSize), within = row % headSize, paired = headSize * head + 2 * (within % half) + Math.floor(within / half);
    const [from, to] = toPairs ? [row, paired] : [paired, row];
    out.set(bytes.subarray(from * size, (from + 1) * size), to * size);
  }
  return out;
}
