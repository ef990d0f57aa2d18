// The GGUF forms of families with experts. Layer: models.
// A matrix that every expert of a layer has is one tensor of three axes there: expert, out, in.

import { FormatError } from '../base/errors.ts';
import type { State } from '../core/index.ts';
import { decoderEntries, decoderFields, DECODER_TENSORS, firstOf, HEAD_NORM_TENSORS, headsOf, ropeOf, unwritableScaling } from './gguf-decoder.ts';
import { whole, type GgufFields } from './gguf-fields.ts';
import type { GgufForm } from './gguf-form.ts';
import { ROPE_TENSORS } from './gguf-rope.ts';
import type { Qwen3MoeConfig } from './qwen3_moe.ts';

/** The expert whose matrix a State is, or undefined if it belongs to no single one. */
export function expertOf(id: string): number | undefined {
  const number = /\.mlp\.experts\.(\d+)\./.exec(id)?.[1];
  return number === undefined ? undefined : Number(number);
}

/** The shape of the tensor that holds a State: itself, or all experts' matrices. */
export function stackedShape({ id, meta }: State, nExperts: number): readonly number[] {
  const shape = meta.shape as readonly number[];
  return expertOf(id) === undefined ? shape : [nExperts, ...shape];
}

export const EXPERT_TENSORS = {
  'blocks.*.mlp.router.weight': 'blk.*.ffn_gate_inp.weight',
  'blocks.*.mlp.experts.*.gate.weight': 'blk.*.ffn_gate_exps.weight',
  'blocks.*.mlp.experts.*.up.weight': 'blk.*.ffn_up_exps.weight',
  'blocks.*.mlp.experts.*.down.weight': 'blk.*.ffn_down_exps.weight',
};

/** Experts of a layer, which every layer's tensor must hold from `firstLayer` on: a model of them is not built before there are bytes for each. */
export function countExperts(fields: GgufFields, firstLayer = 0): number {
  const count = fields.needed(`${fields.architecture}.expert_count`), nLayers = fields.needed(`${fields.architecture}.block_count`);
  for (let layer = firstLayer; layer < nLayers; layer++) {
    const name = `blk.${layer}.ffn_gate_exps.weight`, tensor = fields.header.tensors.get(name);
    if (tensor === undefined) throw fields.error(`it has no tensor "${name}", which its metadata calls for`);
    if (tensor.shape.length !== 3 || tensor.shape[0] !== count || tensor.shape.includes(0)) throw new FormatError(`Cannot read "${fields.path}": tensor "${name}" is [${tensor.shape.join(', ')}], but its metadata calls for ${count} experts' matrices.`, { path: fields.path, offset: tensor.begin });
  }
  return count;
}

/** llama.cpp has experts in all layers, and weights of those that are chosen that sum to one. */
export const qwen3Moe: GgufForm<Qwen3MoeConfig> = {
  architecture: 'qwen3moe',
  weights: { ...DECODER_TENSORS, ...HEAD_NORM_TENSORS, ...EXPERT_TENSORS },
  ignored: ROPE_TENSORS,
  pairedHeads: () => undefined,
  cannot: (c, dims) =>
    firstOf(
      (c.decoder_sparse_step !== 1 || c.mlp_only_layers.some((layer) => layer < c.num_hidden_layers)) && 'some of its layers have no experts',
      !c.norm_topk_prob && 'weights of the experts that a token uses are not divided by their sum',
      c.attention_bias && 'its attention has biases',
      c.use_sliding_window && (c.sliding_window ?? 0) > 0 && (c.sliding_window ?? 0) < dims.maxPositions && 'its layers look back over a window, which llama.cpp does not compute for this architecture',
      unwritableScaling(ropeOf(c, dims)),
    ),
  entries: (c, dims) => [
    ...decoderEntries('qwen3moe', c, dims, ropeOf(c, dims)),
    whole('qwen3moe.expert_count', c.num_experts),
    whole('qwen3moe.expert_used_count', c.num_experts_per_tok),
    whole('qwen3moe.expert_feed_forward_length', c.moe_intermediate_size),
  ],
  constants: () => [],
  config(fields, constant) {
    return {
      ...decoderFields(fields, constant, { experts: true }),
      head_dim: headsOf(fields).headSize,
      num_experts: countExperts(fields),
      num_experts_per_tok: fields.needed('qwen3moe.expert_used_count'),
      moe_intermediate_size: fields.needed('qwen3moe.expert_feed_forward_length'),
      norm_topk_prob: true,
    };
  },
};
