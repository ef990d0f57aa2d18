// Every family as GGUF: the same bytes in every tensor, the same logits, and what llama.cpp makes of it.

import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { NativeExecutor } from '../../src/backends/native/index.ts';
import { Engine } from '../../src/engine/index.ts';
import type { State } from '../../src/core/index.ts';
import { createModel, FAMILIES, initialise, loadGguf, loadModel, parseGguf, saveGguf, type LoadedModel, type Model } from '../../src/models/index.ts';
import type { DeepseekV3Config } from '../../src/models/deepseek_v3.ts';
import { weightName } from '../../src/models/family.ts';
import { stackedShape } from '../../src/models/gguf-experts.ts';
import { formatGguf, paddingOf, type GgufEntry } from '../../src/models/gguf-write.ts';
import { GGUF_FORMS } from '../../src/models/gguf-families.ts';
import { minusOne, storedPlusOne } from '../../src/models/norms-from-one.ts';
import { loadTokenizer } from '../../src/tokenizer/index.ts';
import { relativeError, scoreAll, values, type Values } from './run-model.ts';
import { strangerPath } from '../strangers.ts';

const scratch = mkdtempSync(join(tmpdir(), 'athanor-gguf-families-'));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));
let count = 0;

const golden = (name: string): string => new URL(`../golden/${name}`, import.meta.url).pathname;
const folders = readdirSync(golden('models'), { withFileTypes: true }).filter((entry) => entry.isDirectory()).map(({ name }) => name);

const bits = (a: Float32Array): Buffer => Buffer.from(a.buffer, a.byteOffset, a.byteLength);
const weightsOf = (loaded: Pick<LoadedModel, 'model' | 'read'>): Values => Object.fromEntries(loaded.model.states.map((state) => [state.id, values(state.meta.shape, loaded.read(state))]));

/** Starting values, but larger, and none of them as they all start. */
function grown(state: State): Float32Array {
  const noise = initialise({ id: state.id, meta: state.meta, init: { kind: 'normal', std: 1 } }, 5);
  return noise.map((v) => (state.init.kind === 'ones' ? 1 + 0.3 * v : state.id === 'embed.weight' ? 0.1 * v : 0.2 * v));
}

/** A family's tiny model, a little larger and within what llama.cpp computes. */
function model(modelType: string, changes: object): Model {
  const family = FAMILIES[modelType]!, sizes = { hidden_size: 64, intermediate_size: 96, num_attention_heads: 4, num_key_value_heads: 2, head_dim: 16, max_position_embeddings: 128 };
  return createModel(family, { ...family.tiny, ...sizes, ...changes } as typeof family.tiny);
}

const YARN = { rope_type: 'yarn', factor: 4, original_max_position_embeddings: 16 };
const LONG = { rope_type: 'longrope', short_factor: [1, 1.1, 1.2, 1.3], long_factor: [1, 2, 3.5, 8], original_max_position_embeddings: 16 };
const LATENT = { num_key_value_heads: 4, q_lora_rank: 24, kv_lora_rank: 32, qk_nope_head_dim: 16, qk_rope_head_dim: 8, v_head_dim: 16, moe_intermediate_size: 32, n_routed_experts: 8, n_shared_experts: 2, num_experts_per_tok: 3, n_group: 4, topk_group: 2, num_hidden_layers: 3, rms_norm_eps: 1e-6 };
const CASES: [string, Model][] = [
  ['deepseek_v3', model('deepseek_v3', LATENT)],
  ['deepseek_v3 with yarn', model('deepseek_v3', { ...LATENT, rope_scaling: { ...YARN, mscale: 1, mscale_all_dim: 1 }, norm_topk_prob: false, n_group: 1, topk_group: 1 })],
  ['deepseek_v3 without latent queries', model('deepseek_v3', { ...LATENT, q_lora_rank: null, first_k_dense_replace: 2, rope_scaling: { ...YARN, mscale: 1, mscale_all_dim: 0.5 } })],
  ['llama with biases', model('llama', { attention_bias: true, mlp_bias: true })],
  ['llama with yarn', model('llama', { rope_scaling: { ...YARN, attention_factor: 1.4, beta_fast: 8 } })],
  ['llama with longrope', model('llama', { rope_scaling: { ...LONG, short_factor: [1, 1, 1, 1, 1, 1, 1, 1], long_factor: [1, 1.5, 2, 2.5, 3, 3.5, 4, 4.5] } })],
  ['llama with llama3', model('llama', { rope_scaling: { rope_type: 'llama3', factor: 8, low_freq_factor: 1, high_freq_factor: 4, original_max_position_embeddings: 16 } })],
  ['mistral', model('mistral', { sliding_window: null, head_dim: 8 })],
  ['qwen2', model('qwen2', { use_sliding_window: false, rope_theta: 1e6, tie_word_embeddings: true })],
  ['qwen2 with yarn', model('qwen2', { use_sliding_window: false, rope_scaling: YARN })],
  ['qwen3', model('qwen3', { head_dim: 32 })],
  ['qwen3_moe', model('qwen3_moe', { head_dim: 32, moe_intermediate_size: 32, num_experts: 6, num_experts_per_tok: 3, mlp_only_layers: [] })],
  ['smollm3', model('smollm3', { num_hidden_layers: 4, no_rope_layers: null, use_sliding_window: false })],
  ['phi3', model('phi3', { partial_rotary_factor: 0.75, sliding_window: null, rope_scaling: null, original_max_position_embeddings: 128 })],
  ['phi3 with longrope', model('phi3', { partial_rotary_factor: 0.5, sliding_window: null, rope_scaling: LONG, original_max_position_embeddings: 16 })],
  ['gemma2', model('gemma2', { num_hidden_layers: 4, query_pre_attn_scalar: 16, sliding_window: 8 })],
  ['gemma3_text', model('gemma3_text', { num_hidden_layers: 7, query_pre_attn_scalar: 16, sliding_window: 8, sliding_window_pattern: 6 })],
];

it('every family with a GGUF form is tried', () => {
  expect(new Set(['gpt2', ...CASES.map(([, { family }]) => family.modelType)])).toEqual(new Set(Object.keys(GGUF_FORMS)));
});

describe.each(CASES)('%s as GGUF', (_name, given) => {
  it('is equal in every bit of its tensors, and computes the same', async () => {
    const path = join(scratch, `${count++}.gguf`);
    await saveGguf(path, { model: given, read: grown, mixture: 'f32' });
    const file = loadGguf(path);
    // Without a window, Mistral is Llama, and says so.
    expect(file.model.family.modelType).toBe(given.family.modelType === 'mistral' ? 'llama' : given.family.modelType);
    expect(file.model.states.map(({ id }) => id)).toEqual(given.states.map(({ id }) => id));
    for (const state of given.states) {
      expect(bits(file.read(state)).equals(bits(grown(state))), state.id).toBe(true);
      expect(bits(file.readStored(state) as Float32Array).equals(bits(grown(state))), state.id).toBe(true);
    }
    const documents = [[1, 5, 9, 33, 7, 8, 2, 50, 41, 3, 3, 12, 60, 20, 21, 22, 23, 24, 25, 26], [4, 4, 8]];
    const [ours, theirs] = [scoreAll(given, weightsOf({ model: given, read: grown }), documents), scoreAll(file.model, weightsOf(file), documents)];
    expect(relativeError(theirs.logits!.data, ours.logits!.data)).toBeLessThan(2e-6); // factors are f32 there
    file.close();
  });
});

describe('golden models', () => {
  const refused: Record<string, RegExp> = {
    'deepseek_v3-direct': /attention has biases/,
    qwen2: /look back over a window/,
    'qwen3-yarn': /its attention has biases/,
    qwen3_moe: /have no experts/,
    'qwen3_moe-sparse-step': /have no experts/,
    smollm3: /are not every fourth/,
    gemma2: /embeddings are not tied/,
    'gemma3-text': /caps logits/,
    'gemma3-images': /not every sixth/,
  };

  it.each(folders)('%s comes back to the bit, or is refused with the reason', async (name) => {
    const folder = loadModel(golden(`models/${name}`)), path = join(scratch, `${count++}.gguf`), reason = GGUF_FORMS[folder.model.family.modelType] === undefined ? /model as GGUF: supported are/ : refused[name];
    if (reason !== undefined) await expect(saveGguf(path, { ...folder, mixture: 'f32' })).rejects.toThrow(reason);
    else {
      const note = await saveGguf(path, { ...folder, mixture: 'f32' }), file = loadGguf(path);
      for (const state of folder.model.states) expect(bits(file.read(state)).equals(bits(folder.read(state))), state.id).toBe(true);
      expect(relativeError(scoreAll(file.model, weightsOf(file), [[5, 6, 7, 8, 9, 10, 11, 12, 13, 14]]).logits!.data, scoreAll(folder.model, weightsOf(folder), [[5, 6, 7, 8, 9, 10, 11, 12, 13, 14]]).logits!.data)).toBeLessThan(2e-6);
      if (/^(mistral|phi3)$/.test(name)) expect(note).toMatch(/window of \d tokens/);
      if (name === 'deepseek_v3') expect(note).toMatch(/norms latents with rms_norm_eps, 0.00001/);
      if (name === 'mistral') expect(file.model.family.modelType).toBe('mistral');
      file.close();
    }
    folder.close();
  });
});

describe('deepseek2 with latents in its cache', () => {
  it('has the same matrix in two, and the same logits', () => {
    const [, given] = CASES[1]!, { config, dims } = given, c = config as unknown as DeepseekV3Config, path = join(scratch, `${count++}.gguf`);
    const changed: Record<string, number> = { 'deepseek2.attention.key_length': c.kv_lora_rank + c.qk_rope_head_dim, 'deepseek2.attention.value_length': c.kv_lora_rank, 'deepseek2.attention.head_count_kv': 1 };
    const entries = GGUF_FORMS['deepseek_v3']!.entries(config, dims).map((entry): GgufEntry => (entry.key in changed ? { key: entry.key, type: 'u32', value: changed[entry.key]! } : entry));
    const sizes: GgufEntry[] = [['key_length_mla', c.qk_nope_head_dim + c.qk_rope_head_dim], ['value_length_mla', c.v_head_dim]].map(([name, value]) => ({ key: `deepseek2.attention.${name!}`, type: 'u32', value: value! }));
    const tensors = new Map<string, { shape: readonly number[]; values: Float32Array[] }>();
    const put = (name: string, shape: readonly number[], values: Float32Array): void => void tensors.set(name, { shape, values: [...(tensors.get(name)?.values ?? []), values] });
    for (const state of given.states) {
      const values = grown(state), layer = state.id.split('.')[1]!, [rows, latent] = state.meta.shape as [number, number];
      if (!state.id.endsWith('kvUp.weight')) put(weightName(GGUF_FORMS['deepseek_v3']!, state.id)!.name, stackedShape(state, c.n_routed_experts), values);
      else {
        const at = (head: number, i: number, j: number): number => values[(head * (rows / dims.nHeads) + i) * latent + j]!;
        const block = (outer: number, inner: number, of: (head: number, o: number, i: number) => number): Float32Array => Float32Array.from({ length: dims.nHeads * outer * inner }, (_, n) => of(Math.floor(n / (outer * inner)), Math.floor(n / inner) % outer, n % inner));
        put(`blk.${layer}.attn_k_b.weight`, [dims.nHeads, latent, c.qk_nope_head_dim], block(latent, c.qk_nope_head_dim, (head, j, i) => at(head, i, j)));
        put(`blk.${layer}.attn_v_b.weight`, [dims.nHeads, c.v_head_dim, latent], block(c.v_head_dim, latent, (head, i, j) => at(head, c.qk_nope_head_dim + i, j)));
      }
    }
    const parts = [formatGguf([{ key: 'general.architecture', type: 'string', value: 'deepseek2' }, ...entries, ...sizes], [...tensors].map(([name, { shape }]) => ({ name, shape, type: 'f32' })))];
    for (const { values } of tensors.values()) {
      const bytes = Buffer.concat(values.map(bits));
      parts.push(bytes, new Uint8Array(paddingOf(bytes.length)));
    }
    writeFileSync(path, Buffer.concat(parts));
    const file = loadGguf(path);
    for (const state of given.states) {
      expect(bits(file.read(state)).equals(bits(grown(state))), state.id).toBe(true);
      expect(bits(file.readStored(state) as Float32Array).equals(bits(grown(state))), state.id).toBe(true);
    }
    expect(relativeError(scoreAll(file.model, weightsOf(file), [[1, 5, 9, 33, 7, 8, 2]]).logits!.data, scoreAll(given, weightsOf({ model: given, read: grown }), [[1, 5, 9, 33, 7, 8, 2]]).logits!.data)).toBeLessThan(2e-6);
    file.close();
  });
});

describe('norms counted from one', () => {
  it('come back to the bit, whatever the weight', () => {
    const weights = Float32Array.of(0, -0, 1, -1, 0.1, -0.1, 1e-7, -3e-8, 1e-30, -0.7, -1.0000001, 1.9999999, 3.3333333, -2.5, 123456.79, 1e-45);
    const { stored, entries } = storedPlusOne(new Map([['a', weights]])), rest = entries[0]!.value as Float32Array;
    expect([...stored.get('a')!].slice(0, 5)).toEqual([1, 1, 2, 0, Math.fround(1.1)]);
    expect(bits(minusOne(stored.get('a')!.slice(), rest)).equals(bits(weights))).toBe(true);
    expect(storedPlusOne(new Map([['a', Float32Array.of(0.5, -0.25, 0)]])).entries).toEqual([]);
  });

  it('loadGguf() refuses a rest of another length', async () => {
    const path = join(scratch, `${count++}.gguf`), [, gemma] = CASES.find(([name]) => name === 'gemma2')!;
    await saveGguf(path, { model: gemma, read: grown, mixture: 'f32' });
    const bytes = readFileSync(path), key = Buffer.from('athanor.norms_from_one.rest'), at = bytes.indexOf(key);
    const copy = Buffer.from(bytes);
    copy.write('attanor', at); // not there: weights come back rounded
    writeFileSync(path, copy);
    const rounded = loadGguf(path), norm = gemma.states.find(({ id }) => id === 'norm.weight')!;
    expect(bits(rounded.read(norm)).equals(bits(grown(norm)))).toBe(false);
    expect(relativeError(rounded.read(norm), grown(norm))).toBeLessThan(1e-6);
    rounded.close();
    const wrong = Buffer.from(bytes);
    wrong.writeUInt32LE(5, at + key.length + 4); // i32 instead of f32
    writeFileSync(path, wrong);
    expect(() => loadGguf(path)).toThrow(/athanor.norms_from_one.rest" should hold \d+ numbers/);
    expect(parseGguf({ path, size: bytes.length, read: (out, from) => out.set(bytes.subarray(from, from + out.length)) }).metadata.get(key.toString())).toBeInstanceOf(Float32Array);
  });
});

const peer = strangerPath('node-llama-cpp');

interface LlamaCpp {
  getLlama(options: object): Promise<{ loadModel(options: object): Promise<{ createContext(options: object): Promise<{ getSequence(): { evaluate(ids: number[], options: object): AsyncIterable<number> }; dispose(): Promise<void> }>; dispose(): Promise<void> }> }>;
}

describe.skipIf(peer === undefined)('llama.cpp (skipped: node-llama-cpp is not installed)', () => {
  // Its cache is f16, so that near ties fall otherwise after some more tokens.
  const nTokens = 8;
  // One thread: its own spin, and starve where cores are shared.
  const llama = peer === undefined ? undefined : import(peer).then(({ getLlama }: LlamaCpp) => getLlama({ gpu: false, build: 'never', logLevel: 'disabled', maxThreads: 1 }));
  const tokenizer = loadTokenizer(golden('tokenizer/cl100k-digits1.tokenizer.json')), prompt = Array.from({ length: 24 }, (_, i) => (i * 37 + 5) % 200);

  it.each(CASES)('continues %s as we do', async (_name, { family, config }) => {
    const given = createModel(family, { ...config, vocab_size: tokenizer.vocabSize }), path = join(scratch, `${count++}.gguf`);
    await saveGguf(path, { model: given, read: grown, mixture: 'f32', tokenizer });
    const executor = NativeExecutor.open({ threads: 2 }), engine = new Engine(given, { executor, read: grown, maxSeqs: 1, maxLength: 48, maxTokens: 8 });
    const ours = await engine.complete(prompt, { temperature: 0, maxTokens: nTokens });
    const loaded = await (await llama!).loadModel({ modelPath: path }), context = await loaded.createContext({ contextSize: 48 }), theirs: number[] = [];
    for await (const id of context.getSequence().evaluate(prompt, { temperature: 0, yieldEogToken: true })) {
      if (theirs.push(id) === nTokens) break;
    }
    await context.dispose();
    await loaded.dispose();
    expect(theirs).toEqual(ours.ids);
    await engine.close();
    await executor.close();
  }, 60_000);
});
