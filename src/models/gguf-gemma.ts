// The GGUF forms of Gemma 2 and 3. Layer: models.
// Norms' weights, which these models count from one, are held plus one. llama.cpp fixes what the metadata does not say: the
// pattern of windows, and the scale of scores by the number of layers (load_arch_hparams in src/models/gemma2.cpp, gemma3.cpp).

import type { ModelDims } from './family.ts';
import { gemma2Windows, type Gemma2Config } from './gemma2.ts';
import { gemma3Windows, type Gemma3TextConfig } from './gemma3_text.ts';
import { blockTensors, decoderEntries, decoderFields, DECODER_TENSORS, firstOf, HEAD_NORM_TENSORS, headsOf, ropeOf, unwritableScaling } from './gguf-decoder.ts';
import { real, whole, type GgufFields } from './gguf-fields.ts';
import type { GgufForm } from './gguf-form.ts';
import { ROPE_TENSORS } from './gguf-rope.ts';

const TENSORS = { ...DECODER_TENSORS, ...blockTensors({ 'attn.postNorm': 'post_attention_norm', 'mlp.postNorm': 'post_ffw_norm' }, ['weight']) };

/** Layers of the models of 27 billion parameters, whose scores are scaled by the width over the heads. */
const LAYERS_27B = { gemma2: 46, gemma3: 62 };

type Architecture = keyof typeof LAYERS_27B;

/** `query_pre_attn_scalar` as llama.cpp has it. */
function scoreScalar(architecture: Architecture, nLayers: number, width: number, nHeads: number, headSize: number): number {
  return nLayers === LAYERS_27B[architecture] ? Math.floor(width / nHeads) : headSize;
}

function scoresDiffer(architecture: Architecture, scalar: number, { nLayers, nEmbd, nHeads, headSize }: ModelDims): string | undefined {
  const theirs = scoreScalar(architecture, nLayers, nEmbd, nHeads, headSize);
  return scalar === theirs ? undefined : `its query_pre_attn_scalar is ${scalar}, but llama.cpp takes ${theirs} for a model of this size`;
}

/** Whether every `period`-th layer sees all tokens, and the others a window. */
const alternates = (windows: readonly number[], period: number): boolean => windows.every((window, layer) => (window > 0) === ((layer + 1) % period !== 0));

function scalarOf(fields: GgufFields, architecture: Architecture): number {
  const { nHeads, headSize } = headsOf(fields);
  return scoreScalar(architecture, fields.needed(`${architecture}.block_count`), fields.needed(`${architecture}.embedding_length`), nHeads, headSize);
}

const fromOne = (id: string): boolean => /(^|\.)(norm|postNorm|qNorm|kNorm)\.weight$/.test(id);

export const gemma2: GgufForm<Gemma2Config> = {
  architecture: 'gemma2',
  weights: TENSORS,
  ignored: ROPE_TENSORS,
  pairedHeads: () => undefined,
  fromOne,
  cannot: (c, dims) =>
    firstOf(
      c.attention_bias && 'its attention has biases',
      !c.tie_word_embeddings && 'its embeddings are not tied',
      (c.attn_logit_softcapping === null || c.final_logit_softcapping === null) && 'it does not cap scores and logits',
      !alternates(gemma2Windows(c), 2) && 'its windows are not those of every other layer',
      scoresDiffer('gemma2', c.query_pre_attn_scalar, dims),
      unwritableScaling(ropeOf(c, dims)),
    ),
  entries: (c, dims) => [
    ...decoderEntries('gemma2', c, dims, ropeOf(c, dims)),
    real('gemma2.attn_logit_softcapping', c.attn_logit_softcapping!),
    real('gemma2.final_logit_softcapping', c.final_logit_softcapping!),
    whole('gemma2.attention.sliding_window', c.sliding_window!),
  ],
  constants: () => [],
  config: (fields, constant) => ({
    ...decoderFields(fields, constant),
    head_dim: headsOf(fields).headSize,
    query_pre_attn_scalar: scalarOf(fields, 'gemma2'),
    attn_logit_softcapping: fields.number('gemma2.attn_logit_softcapping') ?? 50,
    final_logit_softcapping: fields.number('gemma2.final_logit_softcapping') ?? 30,
    sliding_window: fields.number('gemma2.attention.sliding_window') ?? 4096,
  }),
};

export const gemma3: GgufForm<Gemma3TextConfig> = {
  architecture: 'gemma3',
  weights: { ...TENSORS, ...HEAD_NORM_TENSORS },
  ignored: ROPE_TENSORS,
  pairedHeads: () => undefined,
  fromOne,
  cannot: (c, dims) =>
    firstOf(
      c.attention_bias && 'its attention has biases',
      c.final_logit_softcapping !== null && 'it caps logits, which not every reader does for this architecture',
      !alternates(gemma3Windows(c), 6) && 'its layers that see all tokens are not every sixth',
      c.rope_local_base_freq !== 10000 && `its rope_local_base_freq is ${c.rope_local_base_freq}, but llama.cpp takes 10000`,
      scoresDiffer('gemma3', c.query_pre_attn_scalar, dims),
      unwritableScaling(ropeOf(c, dims)),
    ),
  entries: (c, dims) => [...decoderEntries('gemma3', c, dims, ropeOf(c, dims)), whole('gemma3.attention.sliding_window', c.sliding_window!)],
  constants: () => [],
  config(fields, constant) {
    fields.only('gemma3.rope.freq_base_swa', 10000);
    return {
      ...decoderFields(fields, constant),
      head_dim: headsOf(fields).headSize,
      query_pre_attn_scalar: scalarOf(fields, 'gemma3'),
      rope_theta: fields.number('gemma3.rope.freq_base') ?? 1e6,
      sliding_window: fields.needed('gemma3.attention.sliding_window'),
    };
  },
};
