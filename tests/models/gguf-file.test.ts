// GGUF files as models: the same weights, logits and texts as the folders that they were made from.

import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { NativeExecutor } from '../../src/backends/native/index.ts';
import { ReferenceExecutor } from '../../src/backends/reference/index.ts';
import { ConfigError, FormatError, InterruptedError, NumericsError, StorageError } from '../../src/base/errors.ts';
import { decodeBlocks, encodeBlocks, sizeOf } from '../../src/core/index.ts';
import { Engine } from '../../src/engine/index.ts';
import { createModel, encodeWeights, FAMILIES, initialise, loadGguf, loadModel, MIXTURES, parseGguf, saveGguf, withWeightTypes, type GgufContents, type LoadedModel, type Mixture, type Model } from '../../src/models/index.ts';
import { loadTokenizer, type Tokenizer } from '../../src/tokenizer/index.ts';
import { scoreAll, values, type Values } from './run-model.ts';
import { strangerPath } from '../strangers.ts';

const scratch = mkdtempSync(join(tmpdir(), 'athanor-gguf-'));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));
const golden = (name: string): string => new URL(`../golden/${name}`, import.meta.url).pathname;
let count = 0;

async function saved(contents: Pick<GgufContents, 'model' | 'read'> & Partial<GgufContents>): Promise<string> {
  const path = join(scratch, `${count++}.gguf`);
  await saveGguf(path, { mixture: 'f32', ...contents });
  return path;
}

function headerOf(path: string): ReturnType<typeof parseGguf> {
  const bytes = readFileSync(path);
  return parseGguf({ path, size: bytes.length, read: (out, at) => out.set(bytes.subarray(at, at + out.length)) });
}

/** Equal values; vitest's own comparison takes seconds for a million. */
const same = (a: Float32Array, b: Float32Array): boolean => a.length === b.length && Buffer.compare(new Uint8Array(a.buffer, a.byteOffset, a.byteLength), new Uint8Array(b.buffer, b.byteOffset, b.byteLength)) === 0;

/** 256 channels, so that k-blocks fit; eight layers, so that the mixture shows. */
const WIDE: Model = createModel(FAMILIES.llama!, { ...FAMILIES.llama!.tiny, hidden_size: 256, intermediate_size: 256, num_hidden_layers: 8, num_attention_heads: 4, num_key_value_heads: 2, head_dim: 64 } as never);

const weightsOf = (loaded: LoadedModel): Values => Object.fromEntries(loaded.model.states.map((state) => [state.id, values(state.meta.shape, loaded.read(state))]));

describe.each(['llama-untied', 'llama-tied', 'gpt2-tied'])('%s as GGUF', (name) => {
  const folder = loadModel(golden(`models/${name}`));
  afterAll(() => folder.close());

  it('has the same values in every tensor, and the same logits', async () => {
    const file = loadGguf(await saved(folder));
    const ours = { ...folder.model.config } as Record<string, unknown>, theirs = { ...file.model.config } as Record<string, unknown>;
    for (const config of [ours, theirs]) for (const key of ['initializer_range', 'head_dim', 'n_inner', 'activation_function']) delete config[key]; // training's, or said in another way
    expect(theirs).toEqual(ours);
    expect(file.model.states.map(({ id }) => id)).toEqual(folder.model.states.map(({ id }) => id));
    for (const state of folder.model.states) expect(same(file.read(state), folder.read(state)), state.id).toBe(true);
    const documents = [[1, 5, 9, 33, 7], [4, 4, 8]];
    expect(scoreAll(file.model, weightsOf(file), documents).logits!.data).toEqual(scoreAll(folder.model, weightsOf(folder), documents).logits!.data);
    file.close();
  });

  it('can be mapped, and read into an array that is there', async () => {
    const path = await saved(folder), file = loadGguf(path, { mapFile: (mapped) => Uint8Array.from(readFileSync(mapped)) });
    for (const state of folder.model.states) {
      const out = new Float32Array(sizeOf(state.meta.shape));
      expect(file.read(state, out)).toBe(out);
      expect(same(out, folder.read(state)), state.id).toBe(true);
      expect(same(file.read(state), out), state.id).toBe(true);
    }
    file.close();
  });
});

describe('saveGguf()', () => {
  it('puts the rows of queries and keys in pairs, as llama.cpp turns them', async () => {
    const folder = loadModel(golden('models/llama-untied')), { model } = folder, path = await saved(folder), header = headerOf(path), bytes = readFileSync(path);
    for (const [part, heads] of [['q', 4], ['k', 2]] as const) {
      const { begin, end } = header.tensors.get(`blk.0.attn_${part}.weight`)!, stored = new Float32Array(Uint8Array.from(bytes.subarray(begin, end)).buffer);
      const values = folder.read(model.states.find(({ id }) => id === `blocks.0.attn.${part}.weight`)!), columns = 32, headSize = 8;
      // convert_hf_to_gguf.py: weights.reshape(heads, 2, D/2, C).swapaxes(1, 2).reshape(shape)
      const permuted = Float32Array.from({ length: values.length }, (_, at) => {
        const row = Math.floor(at / columns), head = Math.floor(row / headSize), pair = Math.floor((row % headSize) / 2), side = row % 2;
        return values[(head * headSize + side * (headSize / 2) + pair) * columns + (at % columns)]!;
      });
      expect(stored).toEqual(permuted);
      expect(heads * headSize * columns).toBe(values.length);
    }
    folder.close();
  });

  it.each(MIXTURES.filter((mixture) => mixture !== 'f32'))('stores %s, each value the nearest', async (mixture) => {
    const file = loadGguf(await saved({ model: WIDE, read: (state) => initialise(state, 5), mixture }));
    for (const state of WIDE.states.filter(({ id }) => !/\.(1|2|4|5)\..*\.(up|gate)\./.test(id))) {
      const exact = initialise(state, 5), type = state.meta.shape.length === 1 ? 'f32' : headerType(mixture, state.id);
      const expected = type === 'f32' ? exact : type === 'f16' || type === 'bf16' ? undefined : decodeBlocks(type, encodeBlocks(type, exact));
      const read = file.read(state);
      if (expected !== undefined) expect(same(read, expected), state.id).toBe(true);
      else expect(read.every((v, i) => Math.abs(v - exact[i]!) <= Math.abs(exact[i]!) * (type === 'f16' ? 2 ** -11 : 2 ** -8) + 2 ** -25)).toBe(true);
    }
    file.close();
  });

  /** llama.cpp's choices for eight layers: first and last eighth, and every third between. */
  function headerType(mixture: Mixture, id: string) {
    if (mixture !== 'q4_0' && mixture !== 'q4_k_m' && mixture !== 'q5_k_m') return mixture;
    if (id === 'head.weight') return 'q6_k';
    if (mixture === 'q4_0') return 'q4_0';
    return /\.(0|3|6|7)\.(attn\.v|mlp\.down)\./.test(id) ? 'q6_k' : mixture === 'q4_k_m' ? 'q4_k' : 'q5_k';
  }

  it('falls back where rows do not fit: q8_0 for k-blocks, f16 for none', async () => {
    const model = createModel(FAMILIES.llama!, { ...FAMILIES.llama!.tiny, hidden_size: 64, head_dim: 16, intermediate_size: 172 } as never);
    const { tensors } = headerOf(await saved({ model, read: (state) => initialise(state, 1), mixture: 'q4_k_m' }));
    expect(tensors.get('blk.0.attn_q.weight')!.type).toBe('q8_0');
    expect(tensors.get('blk.0.ffn_down.weight')!.type).toBe('f16');
    expect(tensors.get('blk.0.attn_norm.weight')!.type).toBe('f32');
  });

  it('leaves nothing behind when it is stopped, and names the tensor that no block can hold', async () => {
    const path = join(scratch, 'stopped.gguf'), controller = new AbortController(), read = (state: Parameters<typeof initialise>[0]): Float32Array => initialise(state, 1);
    await expect(saveGguf(path, { model: WIDE, read, mixture: 'q8_0' }, { signal: controller.signal, progress: (done, total) => done > total / 2 && controller.abort() })).rejects.toThrow(InterruptedError);
    const bad = saveGguf(path, { model: WIDE, read: (state) => (state.id === 'blocks.2.mlp.up.weight' ? read(state).fill(NaN, 7, 8) : read(state)), mixture: 'q8_0' });
    await expect(bad).rejects.toThrow(NumericsError);
    await expect(bad).rejects.toThrow('tensor "blk.2.ffn_up.weight" as q8_0');
    expect(readdirSync(scratch).filter((entry) => entry.includes('stopped'))).toEqual([]);
    await expect(saveGguf(join(scratch, 'no', 'folder.gguf'), { model: WIDE, read, mixture: 'f32' })).rejects.toThrow(StorageError);
  });

  it('reports progress to the end', async () => {
    const seen: number[] = [];
    let total = 0;
    await saveGguf(join(scratch, 'progress.gguf'), { model: WIDE, read: (state) => initialise(state, 1), mixture: 'bf16' }, { progress: (done, all) => {
      seen.push(done);
      total = all;
    } });
    expect(seen.at(-1)).toBe(total);
    expect(seen).toEqual([...seen].sort((a, b) => a - b));
  });
});

describe('tokenizers in GGUF', () => {
  it.each(['gpt2', 'cl100k', 'cl100k-digits1', 'cl100k-digits2'])('come back: %s', async (name) => {
    const tokenizer = loadTokenizer(golden(`tokenizer/${name}.tokenizer.json`)), text = readFileSync(golden('tokenizer/corpus.txt'), 'utf8');
    const model = createModel(FAMILIES.llama!, { ...FAMILIES.llama!.tiny, vocab_size: tokenizer.vocabSize + 3 } as never); // three rows that no token has
    const file = loadGguf(await saved({ model, read: (state) => initialise(state, 1), tokenizer, special: { begin: 3, ends: [4, 5] } }));
    if (typeof file.tokenizer === 'string') throw new Error(file.tokenizer);
    const ids = tokenizer.encode(text, { allowedSpecial: 'all' });
    expect(file.tokenizer.encode(text, { allowedSpecial: 'all' })).toEqual(ids);
    expect(file.tokenizer.decode(ids)).toBe(text);
    expect(file.tokenizer.vocabSize).toBe(tokenizer.vocabSize);
    expect([...file.tokenizer.specialTokens]).toEqual([...tokenizer.specialTokens]);
    expect(file.rest).toEqual({ bos_token_id: 3, eos_token_id: [4, 5] });
    file.close();
  });

  it('say why there is none', async () => {
    const characters = loadTokenizer(golden('tokenizer/characters.tokenizer.json')), model = createModel(FAMILIES.llama!, { ...FAMILIES.llama!.tiny, vocab_size: 600 } as never);
    const path = join(scratch, 'characters.gguf');
    expect(await saveGguf(path, { model, read: (state) => initialise(state, 1), mixture: 'f32', tokenizer: characters })).toContain('need token ids');
    expect(loadGguf(path).tokenizer).toContain('no tokenizer');
    const large = loadTokenizer(golden('tokenizer/cl100k.tokenizer.json'));
    await expect(saved({ model, read: (state) => initialise(state, 1), tokenizer: large })).rejects.toThrow(ConfigError);
  });
});

describe('loadGguf()', () => {
  it('refuses a missing or damaged file, and one that lacks or has too much', async () => {
    const folder = loadModel(golden('models/llama-untied')), path = await saved(folder), bytes = readFileSync(path);
    const damaged = (change: (copy: Buffer) => void): string => {
      const copy = Buffer.from(bytes), name = join(scratch, `damaged-${count++}.gguf`);
      change(copy);
      writeFileSync(name, copy);
      return name;
    };
    const replaced = (from: string, to: string) => damaged((copy) => copy.set(Buffer.from(to), copy.indexOf(from)));
    expect(() => loadGguf(join(scratch, 'nothing.gguf'))).toThrow(StorageError);
    expect(() => loadGguf(scratch)).toThrow('not a plain file');
    expect(() => loadGguf(replaced('attn_q', 'attn_x'))).toThrow('no tensor "blk.0.attn_q.weight"');
    expect(() => loadGguf(replaced('llama', 'llaxx'))).toThrow('its architecture is "llaxx"');
    expect(() => loadGguf(replaced('head_count_kv', 'head_count_kx'))).toThrow(FormatError); // as many key heads as heads
    expect(() => loadGguf(replaced('block_count', 'block_cxunt'))).toThrow('it has no "llama.block_count"');
    truncateSync(damaged(() => undefined), bytes.length - 100);
    expect(() => loadGguf(join(scratch, `damaged-${count - 1}.gguf`))).toThrow('cut short');
    folder.close();
  });
});

describe('weights of other types', () => {
  it('compute as their values say', async () => {
    const { model } = loadModel(golden('models/llama-tied')), read = (state: Parameters<typeof initialise>[0]): Float32Array => initialise(state, 2).map((v) => 4 * v);
    const logitsOf = async (typed: Model, given: ConstructorParameters<typeof Engine>[1]['read'], cacheDtype: 'f32' | 'bf16' = 'f32'): Promise<Float32Array> => {
      const executor = NativeExecutor.open({ threads: 1 }), engine = new Engine(typed, { executor, read: given, maxSeqs: 1, maxLength: 16, maxTokens: 2, cacheDtype });
      try {
        for await (const [, logits] of engine.logits([1, 2, 3, 4])) return logits;
        throw new Error('no logits');
      } finally {
        await engine.close();
        await executor.close();
      }
    };
    const low = withWeightTypes(model, () => 'bf16'), rounded = (state: Parameters<typeof initialise>[0]): Float32Array => (state.meta.shape.length === 1 ? read(state) : Float32Array.from(encodeWeights('bf16', read(state)), (bits) => new Float32Array(Uint32Array.of(bits << 16).buffer)[0]!));
    const exact = await logitsOf(model, rounded), typed = await logitsOf(low, (state) => encodeWeights(state.meta.dtype as 'f32', read(state)));
    expect(typed).toEqual(exact);
    expect(typed).not.toEqual(await logitsOf(model, read));
    // Keys and values lose at most 2⁻⁹ of themselves.
    const cached = await logitsOf(model, read, 'bf16'), full = await logitsOf(model, read), size = Math.max(...full.map(Math.abs));
    expect(cached).not.toEqual(full);
    expect(Math.max(...cached.map((v, i) => Math.abs(v - full[i]!)))).toBeLessThan(0.05 * size);
  });

  it('leave vectors alone, and must fit the rows', () => {
    const model = createModel(FAMILIES.llama!, FAMILIES.llama!.tiny), low = withWeightTypes(model, ({ meta }) => (meta.shape[1] === 32 ? 'q8_0' : 'f32'));
    expect(low.states.find(({ id }) => id === 'norm.weight')!.meta.dtype).toBe('f32');
    expect(low.states.find(({ id }) => id === 'embed.weight')!.meta.dtype).toBe('q8_0');
    expect(model.states.every(({ meta }) => meta.dtype === 'f32')).toBe(true);
    expect(() => withWeightTypes(model, () => 'q4_k')).toThrow('rows of 32 values are not whole blocks of 256');
  });
});

const STORIES = new URL('../../../shared/data/models/stories260k/', import.meta.url).pathname;
describe.skipIf(!existsSync(join(STORIES, 'stories260K.gguf')))('a real trained model (stories260k; skipped where it is not there)', () => {
  it('has the weights of its other file, and continues a story', async () => {
    const file = loadGguf(join(STORIES, 'stories260K.gguf')), bin = readFileSync(join(STORIES, 'stories260K.bin'));
    const [dim, hidden, layers, heads, kv, vocab] = new Int32Array(Uint8Array.from(bin.subarray(0, 28)).buffer) as unknown as [number, number, number, number, number, number];
    expect(file.model.config).toMatchObject({ hidden_size: dim, intermediate_size: hidden, num_hidden_layers: layers, num_attention_heads: heads, num_key_value_heads: kv, vocab_size: Math.abs(vocab) });
    const all = new Float32Array(Uint8Array.from(bin.subarray(28)).buffer), state = (id: string) => file.model.states.find((known) => known.id === id)!;
    expect(same(file.read(state('embed.weight')), all.subarray(0, 512 * 64))).toBe(true);
    // llama2.c keeps values unpermuted after all norms and queries and keys: tensors of all layers side by side.
    const v0 = 512 * 64 + 5 * 64 + 5 * 64 * 64 + 5 * 32 * 64;
    expect(same(file.read(state('blocks.0.attn.v.weight')), all.subarray(v0, v0 + 32 * 64))).toBe(true);
    const executor = new ReferenceExecutor(), engine = new Engine(file.model, { executor, read: file.read, maxSeqs: 1, maxLength: 40, maxTokens: 8 });
    const { ids, logprobs } = await engine.complete([1], { temperature: 0, maxTokens: 24, logprobs: 0 });
    expect((file.tokenizer as Tokenizer).decode(ids)).toMatch(/^Once upon a time, there was a little girl/);
    // A model that was read wrongly knows nothing (ln 512 = 6.2 nats a token); this one is sure of how stories begin.
    expect(-logprobs.reduce((sum, v) => sum + v, 0) / logprobs.length).toBeLessThan(1);
    await engine.close();
    await executor.close();
    file.close();
  });
});

const peer = strangerPath('node-llama-cpp');
describe.skipIf(peer === undefined)('llama.cpp (skipped: node-llama-cpp is not installed)', () => {
  it.each(['f32', 'q5_k_m'] as const)('continues our file in %s as we do, with our log-probabilities', async (mixture) => {
    const tokenizer = loadTokenizer(golden('tokenizer/cl100k-digits1.tokenizer.json'));
    const model = createModel(FAMILIES.llama!, { ...WIDE.config, vocab_size: tokenizer.vocabSize, num_hidden_layers: 2 } as never), read = (state: Parameters<typeof initialise>[0]): Float32Array => initialise(state, 3).map((v) => (state.meta.shape.length === 1 ? v : 5 * v));
    const path = await saved({ model, read, tokenizer, mixture }), file = loadGguf(path), typed = withWeightTypes(file.model, file.storedType);
    const executor = new ReferenceExecutor(), engine = new Engine(typed, { executor, read: file.readStored, maxSeqs: 1, maxLength: 32, maxTokens: 8 });
    if (mixture === 'q5_k_m') expect(new Set(typed.states.map(({ meta: { dtype } }) => dtype))).toEqual(new Set(['q5_k', 'q6_k', 'f32']));
    const ours = await engine.complete([1, 2, 3], { temperature: 0, maxTokens: 8, logprobs: 1 });
    const { getLlama } = await import(peer!) as { getLlama(options: object): Promise<{ loadModel(options: object): Promise<{ createContext(options: object): Promise<{ getSequence(): { evaluateWithMetadata(ids: number[], what: object, options: object): AsyncIterable<{ token: number; confidence: number }> } }> }> }> };
    const llama = await getLlama({ gpu: false, build: 'never', logLevel: 'disabled', maxThreads: 1 }), context = await (await llama.loadModel({ modelPath: path })).createContext({ contextSize: 32 });
    const theirs: number[] = [], logprobs: number[] = [];
    for await (const { token, confidence } of context.getSequence().evaluateWithMetadata([1, 2, 3], { confidence: true }, { temperature: 0 })) {
      logprobs.push(Math.log(confidence));
      if (theirs.push(token) === 8) break;
    }
    expect(theirs).toEqual(ours.ids);
    logprobs.forEach((logprob, i) => expect(Math.abs(logprob - ours.logprobs[i]!), `token ${i}`).toBeLessThan(mixture === 'f32' ? 0.005 : 0.2)); // its cache is f16, its activations have 8 bits
    file.close();
    await engine.close();
    await executor.close();
  });
});
