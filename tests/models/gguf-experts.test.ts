// Experts in GGUF files: what the tensors of all of them are, in which types, and which files are refused.

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { ConfigError, FormatError } from '../../src/base/errors.ts';
import { createModel, encodeWeights, FAMILIES, initialise, loadGguf, parseGguf, saveGguf, withWeightTypes, type GgufHeader, type Model, type WeightType } from '../../src/models/index.ts';
import { asBytes } from '../../src/models/weight-types.ts';

const scratch = mkdtempSync(join(tmpdir(), 'athanor-gguf-experts-'));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));
let count = 0;
const fresh = (): string => join(scratch, `${count++}.gguf`);

const family = FAMILIES.qwen3_moe!;
const modelOf = (changes: object): Model => createModel(family, { ...family.tiny, mlp_only_layers: [], ...changes } as typeof family.tiny);
const headerOf = (path: string): GgufHeader => {
  const file = readFileSync(path);
  return parseGguf({ path, size: file.length, read: (out, at) => out.set(file.subarray(at, at + out.length)) });
};

const WIDE = modelOf({ hidden_size: 256, intermediate_size: 256, moe_intermediate_size: 256, num_experts: 3, num_experts_per_tok: 2, head_dim: 64 });

describe('saveGguf() of experts', () => {
  it.each(['f32', 'bf16', 'q8_0', 'q4_k_m', 'q5_k_m'] as const)('joins them in order, the router in f32, and gives back the bytes of each: %s', async (mixture) => {
    const path = fresh(), read = (state: Model['states'][number]): Float32Array => initialise(state, 9);
    await saveGguf(path, { model: WIDE, read, mixture });
    const { tensors } = headerOf(path), file = loadGguf(path), typed = withWeightTypes(file.model, file.storedType);
    expect(tensors.get('blk.1.ffn_gate_inp.weight')).toMatchObject({ type: 'f32', shape: [3, 256] });
    for (const part of ['gate', 'up', 'down']) expect(tensors.get(`blk.0.ffn_${part}_exps.weight`)).toMatchObject({ shape: [3, 256, 256] });
    if (mixture === 'q4_k_m') expect(tensors.get('blk.0.ffn_up_exps.weight')!.type).toBe('q4_k');
    for (const state of typed.states) {
      const encoded = encodeWeights(state.meta.dtype as WeightType, read(state));
      expect(Buffer.compare(asBytes(file.readStored(state)), asBytes(encoded)), state.id).toBe(0);
    }
    file.close();
  });

  it.each([
    [{ mlp_only_layers: [1] }, /some of its layers have no experts/],
    [{ decoder_sparse_step: 2 }, /some of its layers have no experts/],
    [{ norm_topk_prob: false }, /not divided by their sum/],
    [{ attention_bias: true }, /its attention has biases/],
    [{ use_sliding_window: true, sliding_window: 8 }, /look back over a window/],
  ])('refuses %j, which llama.cpp would compute otherwise', async (changes, message) => {
    const refusal = saveGguf(fresh(), { model: modelOf(changes), read: (state) => initialise(state, 1), mixture: 'f32' });
    await expect(refusal).rejects.toThrow(message);
    await expect(refusal).rejects.toBeInstanceOf(ConfigError);
  });
});

describe('loadGguf() of experts', () => {
  /** A file with one u32 of its metadata replaced. */
  async function changed(key: string, value: number): Promise<string> {
    const path = fresh();
    await saveGguf(path, { model: modelOf({}), read: (state) => initialise(state, 1), mixture: 'f32' });
    const file = readFileSync(path);
    file.writeUInt32LE(value, file.indexOf(key) + key.length + 4);
    writeFileSync(path, file);
    return path;
  }

  it.each([
    ['qwen3moe.expert_count', 4000, /"blk.0.ffn_gate_exps.weight" is \[5, 12, 32\], but its metadata calls for 4000 experts/],
    ['qwen3moe.block_count', 4_000_000_000, /no tensor "blk.2.ffn_gate_exps.weight"/],
    ['qwen3moe.expert_used_count', 6, /num_experts_per_tok 6 must be at most num_experts 5/],
    ['qwen3moe.expert_feed_forward_length', 13, /is \[5, 12, 32\], but its metadata calls for \[5, 13, 32\]/],
  ])('refuses a false %s before it builds a model of that size', async (key, value, message) => {
    const path = await changed(key, value);
    expect(() => loadGguf(path)).toThrow(message);
    if (key !== 'qwen3moe.expert_used_count') expect(() => loadGguf(path)).toThrow(FormatError);
  });
});
