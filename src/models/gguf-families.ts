// The GGUF forms of all families but those that need a file of their own. Layer: models.

import { decoderDims } from './decoder-config.ts';
import { blockTensors, decoderEntries, decoderFields, DECODER_TENSORS, firstOf, HEAD_NORM_TENSORS, headsOf, pairedQueriesAndKeys, ropeOf, STREAM_TENSORS, unwritableScaling } from './gguf-decoder.ts';
import { whole } from './gguf-fields.ts';
import type { GgufForm } from './gguf-form.ts';
import { deepseek2 } from './gguf-deepseek.ts';
import { qwen3Moe } from './gguf-experts.ts';
import { gemma2, gemma3 } from './gguf-gemma.ts';
import { gpt2 } from './gguf-gpt2.ts';
import { ropeConstants, ROPE_TENSORS, unwritableRope } from './gguf-rope.ts';
import { qwenWindows } from './layer-windows.ts';
import type { LlamaConfig } from './llama.ts';
import type { MistralConfig } from './mistral.ts';
import { turnedChannels, type Phi3Config } from './phi3.ts';
import type { Qwen2Config } from './qwen2.ts';
import type { Qwen3Config } from './qwen3.ts';
import { turningLayers, type SmolLm3Config } from './smollm3.ts';

const llama: GgufForm<LlamaConfig> = {
  architecture: 'llama',
  weights: DECODER_TENSORS,
  ignored: ROPE_TENSORS,
  pairedHeads: pairedQueriesAndKeys,
  cannot: (c, dims) => unwritableRope(ropeOf(c, dims)),
  entries: (c, dims) => decoderEntries('llama', c, dims, ropeOf(c, dims)),
  constants: (c, dims) => ropeConstants(ropeOf(c, dims)),
  config: (fields, constant) => ({
    ...decoderFields(fields, constant),
    attention_bias: fields.header.tensors.has('blk.0.attn_output.bias'),
    mlp_bias: fields.header.tensors.has('blk.0.ffn_down.bias'),
  }),
};

const WINDOW = 'llama.attention.sliding_window';

/** Mistral is `llama` there, which looks at all tokens: the window is for those who look for it, as we do. */
const mistral: GgufForm<MistralConfig> = {
  architecture: 'llama',
  recognises: (fields) => fields.has(WINDOW),
  weights: DECODER_TENSORS,
  ignored: ROPE_TENSORS,
  pairedHeads: pairedQueriesAndKeys,
  cannot: (c, dims) => unwritableRope(ropeOf(c, dims)),
  note: ({ sliding_window: window, max_position_embeddings: positions }) => (window !== null && window < positions ? `llama.cpp does not know the window of ${window} tokens: beyond them its results differ` : undefined),
  entries: (c, dims) => [...decoderEntries('llama', c, dims, ropeOf(c, dims)), ...(c.sliding_window === null ? [] : [whole(WINDOW, c.sliding_window)])],
  constants: (c, dims) => ropeConstants(ropeOf(c, dims)),
  config: (fields, constant) => ({ ...decoderFields(fields, constant), sliding_window: fields.needed(WINDOW) }),
};

const hasWindows = (windows: readonly number[], positions: number): string | false => windows.some((window) => window > 0 && window < positions) && 'some of its layers look back over a window, which llama.cpp does not compute for this architecture';

const qwen2: GgufForm<Qwen2Config> = {
  architecture: 'qwen2',
  weights: DECODER_TENSORS,
  ignored: ROPE_TENSORS,
  pairedHeads: () => undefined,
  cannot: (c, dims) => firstOf(hasWindows(qwenWindows(c), dims.maxPositions), unwritableScaling(ropeOf(c, dims))),
  entries: (c, dims) => decoderEntries('qwen2', c, dims, ropeOf(c, dims)),
  constants: () => [],
  config: (fields, constant) => decoderFields(fields, constant),
};

const qwen3: GgufForm<Qwen3Config> = {
  architecture: 'qwen3',
  weights: { ...DECODER_TENSORS, ...HEAD_NORM_TENSORS },
  ignored: ROPE_TENSORS,
  pairedHeads: () => undefined,
  cannot: (c, dims) => firstOf(c.attention_bias && 'its attention has biases', hasWindows(qwenWindows(c), dims.maxPositions), unwritableScaling(ropeOf(c, dims))),
  entries: (c, dims) => decoderEntries('qwen3', c, dims, ropeOf(c, dims)),
  constants: () => [],
  config: (fields, constant) => ({ ...decoderFields(fields, constant), head_dim: headsOf(fields).headSize }),
};

/** Which layers turn has no key: every fourth does not. Rows of queries and keys are in pairs, as for `llama`. */
const smollm3: GgufForm<SmolLm3Config> = {
  architecture: 'smollm3',
  weights: DECODER_TENSORS,
  ignored: ROPE_TENSORS,
  pairedHeads: pairedQueriesAndKeys,
  cannot: (c, dims) =>
    firstOf(
      turningLayers(c).some((turns, layer) => turns !== ((layer + 1) % 4 !== 0)) && 'its layers that do not turn queries and keys are not every fourth',
      c.use_sliding_window && hasWindows([c.sliding_window ?? 0], dims.maxPositions),
      (c.attention_bias || c.mlp_bias) && 'its layers have biases',
      unwritableScaling(ropeOf(c, dims)),
    ),
  entries: (c, dims) => decoderEntries('smollm3', c, dims, ropeOf(c, dims)),
  constants: () => [],
  config: (fields, constant) => decoderFields(fields, constant),
};

/** One matrix to queries, keys and values; one to gate and up, under the name of up. */
const phi3: GgufForm<Phi3Config> = {
  architecture: 'phi3',
  weights: { ...STREAM_TENSORS, ...blockTensors({ 'attn.qkv': 'attn_qkv', 'attn.o': 'attn_output', 'mlp.gateUp': 'ffn_up', 'mlp.down': 'ffn_down' }, ['weight']) },
  ignored: ROPE_TENSORS,
  pairedHeads: () => undefined,
  cannot: (_c, { headSize, nHeads, nEmbd }) => (headSize * nHeads === nEmbd ? undefined : 'its heads are not as wide as the stream'),
  note: ({ sliding_window: window, max_position_embeddings: positions }) => (window != null && window < positions ? `llama.cpp leaves the window of ${window} tokens out: beyond them its results differ` : undefined),
  entries: (c, dims) => [
    ...decoderEntries('phi3', c, dims, phi3Rope(c)),
    ...(c.rope_scaling?.rope_type === 'longrope' ? [] : [whole('phi3.rope.scaling.original_context_length', c.original_max_position_embeddings)]),
    whole('phi3.attention.sliding_window', c.sliding_window ?? 0),
  ],
  constants: (c) => ropeConstants(phi3Rope(c)),
  config(fields, constant) {
    const { headSize } = headsOf(fields), turned = fields.number('phi3.rope.dimension_count') ?? headSize, window = fields.number('phi3.attention.sliding_window') ?? 0;
    return {
      ...decoderFields(fields, constant, { turned }),
      partial_rotary_factor: turned / headSize,
      original_max_position_embeddings: fields.number('phi3.rope.scaling.original_context_length') ?? fields.needed('phi3.context_length'),
      sliding_window: window > 0 ? window : null,
    };
  },
};

function phi3Rope(c: Phi3Config): ReturnType<typeof ropeOf> {
  const dims = decoderDims(c);
  return ropeOf(c, dims, turnedChannels(c, dims.headSize));
}

/** By `model_type`, as `FAMILIES`; where an architecture is shared, those that recognise their files stand first. */
export const GGUF_FORMS: Readonly<Record<string, GgufForm>> = {
  deepseek_v3: deepseek2,
  gemma2,
  gemma3_text: gemma3,
  gpt2,
  mistral,
  llama,
  phi3,
  qwen2,
  qwen3,
  qwen3_moe: qwen3Moe,
  smollm3,
};
