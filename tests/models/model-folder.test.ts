// Model folders: every way of storing weights that is understood, and damage of every kind.

import { execFileSync } from 'node:child_process';
import { chmodSync, cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readlinkSync, readFileSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { CapacityError, FormatError, ShapeError, StorageError } from '../../src/base/errors.ts';
import { asBytes, createModel, decodeWeights, encodeWeights, FAMILIES, formatHeader, headerLength, initialise, loadModel, parseHeader, saveModel, type TensorToStore } from '../../src/models/index.ts';
import type { State } from '../../src/core/index.ts';
import { openToAll, runUnprivileged, whyNotUnprivileged } from '../unprivileged.ts';

const scratch = mkdtempSync(join(tmpdir(), 'athanor-models-'));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));
const golden = (name: string): string => new URL(`../golden/models/${name}`, import.meta.url).pathname;
let copies = 0;

/** What a link points to, in a list: other threads of this process close files meanwhile. */
function targetOf(link: string): string[] {
  try {
    return [readlinkSync(link)];
  } catch {
    return [];
  }
}

/** A copy of a golden folder, to be damaged. */
function copyOf(name: string): string {
  const folder = join(scratch, `copy-${copies++}`);
  cpSync(golden(name), folder, { recursive: true });
  return folder;
}

interface Entry extends TensorToStore {
  readonly bytes: Uint8Array;
}

function entriesOf(path: string): Entry[] {
  const bytes = readFileSync(path), length = headerLength(bytes.subarray(0, 8), bytes.length, path);
  const { tensors } = parseHeader(bytes.subarray(8, 8 + length), bytes.length, path);
  return [...tensors.values()].map(({ name, dtype, shape, begin, end }) => ({ name, dtype: dtype as 'F32', shape, bytes: bytes.subarray(begin, end) }));
}

function writeEntries(path: string, entries: readonly Entry[]): void {
  writeFileSync(path, Buffer.concat([formatHeader(entries, { format: 'pt' }), ...entries.map(({ bytes }) => bytes)]));
}

/** Rewrites the tensors of a copy. */
function rewritten(name: string, change: (entries: Entry[]) => Entry[]): string {
  const folder = copyOf(name), path = join(folder, 'model.safetensors');
  writeEntries(path, change(entriesOf(path)));
  return folder;
}

function reconfigured(name: string, change: object): string {
  const folder = copyOf(name), path = join(folder, 'config.json');
  writeFileSync(path, JSON.stringify({ ...JSON.parse(readFileSync(path, 'utf8')), ...change }));
  return folder;
}

function valuesOf(folder: string, mapFile?: (path: string) => Uint8Array): Record<string, number[]> {
  const loaded = loadModel(folder, mapFile === undefined ? {} : { mapFile });
  const values = Object.fromEntries(loaded.model.states.map((state) => [state.id, [...loaded.read(state)]]));
  loaded.close();
  return values;
}

function failure(run: () => unknown): FormatError | StorageError {
  try {
    run();
  } catch (error) {
    if (error instanceof FormatError || error instanceof StorageError) return error;
    throw error;
  }
  throw new Error('it was accepted');
}

describe('loadModel()', () => {
  it('turns weights that the file holds as [in, out]', () => {
    const stored = entriesOf(join(golden('gpt2-tied'), 'model.safetensors')).find(({ name }) => name === 'transformer.h.1.mlp.c_fc.weight')!;
    const flat = new Float32Array(stored.bytes.buffer.slice(stored.bytes.byteOffset, stored.bytes.byteOffset + stored.bytes.length));
    const ours = valuesOf(golden('gpt2-tied'))['blocks.1.mlp.up.weight']!;
    for (let i = 0; i < 32; i++) for (let o = 0; o < 128; o++) expect(ours[o * 32 + i]).toBe(flat[i * 128 + o]);
  });

  it('reads into given memory, and views a mapping without copying', () => {
    const loaded = loadModel(golden('llama-untied'), { mapFile: (path) => new Uint8Array(readFileSync(path)) }), [state] = loaded.model.states;
    const view = loaded.read(state!), out = new Float32Array(view.length);
    expect(loaded.read(state!)).not.toBe(view);
    expect(loaded.read(state!).buffer).toBe(view.buffer);
    expect(loaded.read(state!, out)).toBe(out);
    expect(out).toEqual(view);
    loaded.close();
    for (const name of ['llama-untied', 'gpt2-tied']) expect(valuesOf(golden(name), (path) => new Uint8Array(readFileSync(path)))).toEqual(valuesOf(golden(name)));
  });

  it('copies where a mapping is not aligned', () => {
    const shifted = (path: string): Uint8Array => {
      const bytes = readFileSync(path), padded = new Uint8Array(bytes.length + 1);
      padded.set(bytes, 1);
      return padded.subarray(1);
    };
    expect(valuesOf(golden('llama-tied'), shifted)).toEqual(valuesOf(golden('llama-tied')));
  });

  it('reads where a file is too large to be mapped', () => {
    const tooLarge = (): never => {
      throw new CapacityError('too large', { need: 2, have: 1 });
    };
    expect(valuesOf(golden('llama-tied'), tooLarge)).toEqual(valuesOf(golden('llama-tied')));
    expect(() =>
      loadModel(golden('llama-tied'), { mapFile: () => {
        throw new StorageError('no', { path: '' });
      } })
    ).toThrow('no');
  });

  it('reads shards by their index', () => {
    const folder = copyOf('llama-untied'), whole = join(folder, 'model.safetensors'), entries = entriesOf(whole), half = entries.length / 2;
    const expected = valuesOf(folder), names = ['model-00001-of-00002.safetensors', 'model-00002-of-00002.safetensors'];
    names.forEach((name, i) => writeEntries(join(folder, name), entries.filter((_, k) => k < half === (i === 0))));
    const weightMap = Object.fromEntries(entries.map(({ name }, k) => [name, names[k < half ? 0 : 1]!]));
    rmSync(whole);
    const index = join(folder, 'model.safetensors.index.json'), write = (map: object): void => writeFileSync(index, JSON.stringify({ metadata: { total_size: 1 }, weight_map: map }));
    write(weightMap);
    expect(valuesOf(folder)).toEqual(expected);

    const [first] = Object.keys(weightMap);
    write({ ...weightMap, [first!]: names[1] });
    expect(failure(() => loadModel(folder)).message).toMatch(new RegExp(`says that it holds "${first!}", but it does not`));
    for (const name of ['../copy-0/model.safetensors', '/etc/passwd', '..', 'a\\b', '']) {
      write({ ...weightMap, [first!]: name });
      expect(failure(() => loadModel(folder)).message).toMatch(/which is no name of a file in it/);
    }
    write({ ...weightMap, [first!]: 'model-00003.safetensors' });
    expect(failure(() => loadModel(folder)).message).toMatch(/names "model-00003.safetensors", which is not there/);
    write({ ...weightMap, [first!]: 7 });
    expect(failure(() => loadModel(folder)).message).toMatch(/should be a string, but is 7/);
    writeFileSync(index, '{"weight_map":[]}');
    expect(failure(() => loadModel(folder)).message).toMatch(/weight_map should be an object/);
    cpSync(join(folder, names[0]!), join(folder, 'again.safetensors'));
    write({ ...weightMap, [first!]: 'again.safetensors' });
    expect(failure(() => loadModel(folder)).message).toMatch(/is there twice/);
  });

  it.each([['BF16', 2 ** -8], ['F16', 2 ** -11]] as const)('reads %s', (dtype, precision) => {
    const folder = rewritten('gpt2-tied', (entries) =>
      entries.map((entry) => {
        const values = new Float32Array(entry.bytes.buffer.slice(entry.bytes.byteOffset, entry.bytes.byteOffset + entry.bytes.length));
        const bits = Uint16Array.from(values, (value) => {
          const word = new Uint32Array(Float32Array.of(value).buffer)[0]!;
          if (dtype === 'BF16') return word >>> 16;
          const exponent = ((word >>> 23) & 255) - 112; // truncated; what would be subnormal becomes zero
          return ((word >>> 16) & 0x8000) | (exponent <= 0 ? 0 : (exponent << 10) | ((word >>> 13) & 0x3ff));
        });
        return { ...entry, dtype, bytes: new Uint8Array(bits.buffer) };
      }));
    const narrow = valuesOf(folder), wide = valuesOf(golden('gpt2-tied'));
    for (const [id, values] of Object.entries(wide)) values.forEach((value, i) => expect(Math.abs(narrow[id]![i]! - value)).toBeLessThanOrEqual(2 * precision * Math.abs(value) + 2 ** -14));
  });

  it('accepts older GPT-2 files: no prefix, masks, the tied head once more', () => {
    const bytes = (n: number): Uint8Array => new Uint8Array(4 * n);
    const folder = rewritten('gpt2-tied', (entries) => [
      ...entries.map((entry) => ({ ...entry, name: entry.name.replace('transformer.', '') })),
      { name: 'h.0.attn.bias', dtype: 'F32', shape: [1, 1, 4, 4], bytes: bytes(16) },
      { name: 'h.0.attn.masked_bias', dtype: 'F32', shape: [], bytes: bytes(1) },
      { ...entries.find(({ name }) => name.endsWith('wte.weight'))!, name: 'lm_head.weight' },
    ]);
    expect(valuesOf(folder)).toEqual(valuesOf(golden('gpt2-tied')));
  });

  it('refuses a tied head that differs', () => {
    const folder = rewritten('gpt2-tied', (entries) => [...entries, { ...entries.find(({ name }) => name.endsWith('wte.weight'))!, name: 'lm_head.weight', bytes: new Uint8Array(4 * 96 * 32) }]);
    expect(failure(() => loadModel(folder)).message).toMatch(/"lm_head.weight" and "transformer.wte.weight" differ/);
  });

  it('reads a GPT-2 without biases only if they are zero or absent', () => {
    expect(failure(() => loadModel(reconfigured('gpt2-tied', { bias: false }))).message).toMatch(/is not zero, but config.json says that the model is without it/);
    const isBias = (entry: Entry): boolean => entry.name.endsWith('.bias');
    const zeroed = rewritten('gpt2-tied', (entries) => entries.map((entry) => (isBias(entry) ? { ...entry, bytes: new Uint8Array(entry.bytes.length) } : entry)));
    const absent = rewritten('gpt2-tied', (entries) => entries.filter((entry) => !isBias(entry)));
    for (const folder of [zeroed, absent]) {
      cpSync(join(reconfigured('gpt2-tied', { bias: false }), 'config.json'), join(folder, 'config.json'));
      expect(Object.keys(valuesOf(folder)).some((id) => id.endsWith('bias'))).toBe(false);
    }
  });

  const without = (part: string) => (entries: Entry[]): Entry[] => entries.filter(({ name }) => !name.includes(part));
  it.each<[string, () => string, RegExp]>([
    ['a folder that is not there', () => join(scratch, 'nowhere'), /there is no such folder/],
    ['a file for a folder', () => join(golden('llama-tied'), 'config.json'), /a file, not a folder|ENOTDIR|part of the path is a file/],
    ['an empty folder', () => mkdtempSync(join(scratch, 'empty-')), /it has no config.json/],
    ['a folder without weights', () => {
      const f = copyOf('llama-tied');
      rmSync(join(f, 'model.safetensors'));
      return f;
    }, /it has no model.safetensors/],
    ['a folder for the weights', () => {
      const f = copyOf('llama-tied');
      rmSync(join(f, 'model.safetensors'));
      mkdirSync(join(f, 'model.safetensors'));
      return f;
    }, /not a plain file/],
    ['weights of 0 bytes', () => {
      const f = copyOf('llama-tied');
      truncateSync(join(f, 'model.safetensors'), 0);
      return f;
    }, /it has 0 bytes/],
    ['weights cut short', () => {
      const f = copyOf('llama-tied');
      truncateSync(join(f, 'model.safetensors'), 70_000);
      return f;
    }, /cut short/],
    ['a header cut short', () => {
      const f = copyOf('llama-tied');
      truncateSync(join(f, 'model.safetensors'), 500);
      return f;
    }, /its header claims/],
    ['a config.json that is no JSON', () => {
      const f = copyOf('llama-tied');
      writeFileSync(join(f, 'config.json'), '{"model_type":');
      return f;
    }, /config.json": it is not JSON/],
    ['a config.json that is not UTF-8', () => {
      const f = copyOf('llama-tied');
      writeFileSync(join(f, 'config.json'), Buffer.from([0x22, 0xff, 0x22]));
      return f;
    }, /not UTF-8/],
    ['a config.json that gives a key twice', () => {
      const f = copyOf('llama-tied');
      writeFileSync(join(f, 'config.json'), '{"model_type":"llama","model_type":"gpt2"}');
      return f;
    }, /"model_type" is given twice/],
    ['a missing tensor', () => rewritten('llama-untied', without('lm_head')), /hold no "lm_head.weight", which config.json calls for/],
    ['a tensor too many', () => reconfigured('llama-untied', { num_hidden_layers: 1 }), /holds "model\.layers\.1\.[a-z_.]*", which a llama model of this config.json does not have/],
    ['a head that a tied model does not have', () => reconfigured('llama-untied', { tie_word_embeddings: true }), /differ, but config.json says that they are tied/],
    ['another shape', () => reconfigured('llama-untied', { intermediate_size: 40 }), /gate_proj\.weight" is \[48, 32\], but config.json calls for \[40, 32\]/],
    ['another shape, transposed', () => reconfigured('gpt2-tied', { n_inner: 100 }), /c_fc\.weight" is \[32, 128\], but config.json calls for \[32, 100\]/],
    ['another vocabulary', () => reconfigured('llama-tied', { vocab_size: 97 }), /embed_tokens\.weight" is \[96, 32\], but config.json calls for \[97, 32\]/],
    ['sizes beyond addressing', () => reconfigured('llama-tied', { hidden_size: 2 ** 30, intermediate_size: 2 ** 30 }), /config.json": .*more numbers than can be addressed/],
    ['a link out of the folder', () => {
      const f = copyOf('llama-tied'), p = join(f, 'model.safetensors');
      rmSync(p);
      symlinkSync(join(golden('llama-tied'), 'model.safetensors'), p);
      return f;
    }, /a link that leads out of the folder/],
    ['a configuration that is a link out', () => {
      const f = copyOf('llama-tied'), p = join(f, 'config.json');
      rmSync(p);
      symlinkSync('/etc/hostname', p);
      return f;
    }, /a link that leads out of the folder/],
    ['a folder whose name begins like the one that is linked', () => {
      const f = copyOf('llama-tied'), p = join(f, 'model.safetensors'), beside = `${f}-beside`;
      cpSync(f, beside, { recursive: true });
      rmSync(p);
      symlinkSync(join(beside, 'model.safetensors'), p);
      return f;
    }, /a link that leads out of the folder/],
  ])('refuses %s', (_what, make, message) => {
    const folder = make(), error = failure(() => loadModel(folder));
    expect(error.message).toMatch(message);
    expect(error.message).toContain(folder);
  });

  it('follows a link that stays inside, and a link to the folder', () => {
    const folder = copyOf('llama-tied'), link = join(scratch, 'link');
    execFileSync('mv', [join(folder, 'model.safetensors'), join(folder, 'weights.bin')]);
    symlinkSync('weights.bin', join(folder, 'model.safetensors'));
    symlinkSync(folder, link);
    expect(valuesOf(link)).toEqual(valuesOf(golden('llama-tied')));
  });

  it('does not wait for a pipe', () => {
    const folder = copyOf('llama-tied');
    rmSync(join(folder, 'model.safetensors'));
    execFileSync('mkfifo', [join(folder, 'model.safetensors')]);
    expect(failure(() => loadModel(folder)).message).toMatch(/not a plain file/);
  });

  it('reads weights that are whole numbers', () => {
    const folder = rewritten('llama-tied', (entries) => entries.map((entry) => (entry.name === 'model.norm.weight' ? { ...entry, dtype: 'I32', bytes: asBytes(Int32Array.from({ length: 32 }, (_, i) => i - 5)) } : entry)));
    expect(valuesOf(folder)['norm.weight']).toEqual(Array.from({ length: 32 }, (_, i) => i - 5));
  });

  it('refuses pickles, and says how they become safetensors', () => {
    const folder = copyOf('llama-tied'), weights = join(folder, 'model.safetensors');
    rmSync(weights);
    writeFileSync(join(folder, 'pytorch_model.bin'), 'PK');
    expect(failure(() => loadModel(folder)).message).toMatch(/weights are in "pytorch_model.bin".*a program that runs when it is loaded.*save_pretrained/);
    for (const [bytes, what] of [['PK\x03\x04\x00\x00\x08\x08', /a zip file, as PyTorch writes/], ['\x80\x02\x8a\nl\xfc\x9c\x46', /a Python pickle/], ['version https://git-lfs', /a Git LFS pointer/], ['<!DOCTYPE html>', /a web page/], ['GGUF\x03\0\0\0\x01', /a GGUF file/]] as const) {
      writeFileSync(weights, Buffer.from(bytes, 'latin1'));
      expect(failure(() => loadModel(folder))).toMatchObject({ message: expect.stringMatching(what), offset: 0, path: weights });
    }
  });

  it('refuses weights that need scales, naming the field', () => {
    expect(failure(() => loadModel(reconfigured('llama-tied', { quantization_config: { quant_method: 'fp8' } }))).message).toMatch(/quantization_config says that the weights are quantised \(fp8\)/);
  });

  it("follows the links of Hugging Face's cache, and no others of it", () => {
    const repo = join(scratch, 'models--a--b'), folder = join(repo, 'snapshots', 'c0ffee'), golden_ = golden('llama-tied');
    mkdirSync(join(repo, 'blobs'), { recursive: true });
    mkdirSync(folder, { recursive: true });
    for (const name of ['config.json', 'model.safetensors']) {
      cpSync(join(golden_, name), join(repo, 'blobs', `hash-${name}`));
      symlinkSync(join('..', '..', 'blobs', `hash-${name}`), join(folder, name));
    }
    expect(valuesOf(folder)).toEqual(valuesOf(golden_));
    rmSync(join(folder, 'config.json'));
    cpSync(join(golden_, 'config.json'), join(repo, 'config.json'));
    symlinkSync(join('..', '..', 'config.json'), join(folder, 'config.json'));
    expect(failure(() => loadModel(folder)).message).toMatch(/leads out of the folder/);
  });

  it.skipIf(process.platform !== 'linux')('leaves no file open after a failure', () => {
    const folder = reconfigured('llama-untied', { intermediate_size: 40 }), open = (): string[] => readdirSync('/proc/self/fd').flatMap((fd) => targetOf(`/proc/self/fd/${fd}`)).filter((file) => file.startsWith(folder));
    for (let i = 0; i < 5; i++) failure(() => loadModel(folder));
    expect(open()).toEqual([]);
  });
});

describe('saveModel()', () => {
  const family = FAMILIES.llama!, model = createModel(family, family.tiny);

  it.each(['f32', 'bf16', 'f16'] as const)('writes %s in shards, which are read back to the nearest, and one file again', (dtype) => {
    const folder = join(scratch, `shards-${dtype}`), values = (state: State): Float32Array => initialise(state, 3), names = (): string[] => readdirSync(folder).filter((name) => name.startsWith('model')).sort();
    saveModel(folder, model, values);
    saveModel(folder, model, values, {}, { dtype, maxShardBytes: 20_000 });
    const shards = names();
    expect(shards.length).toBeGreaterThan(2);
    expect(shards.at(-1)).toBe('model.safetensors.index.json');
    expect(shards[0]).toMatch(/^model-00001-of-0000\d\.safetensors$/);
    const index = JSON.parse(readFileSync(join(folder, 'model.safetensors.index.json'), 'utf8')) as { metadata: { total_size: number }; weight_map: object }, size = model.states.reduce((sum, { meta }) => sum + (meta.shape as number[]).reduce((a, b) => a * b, dtype === 'f32' ? 4 : 2), 0);
    expect(index.metadata.total_size).toBe(size);
    expect(JSON.parse(readFileSync(join(folder, 'config.json'), 'utf8'))).toMatchObject({ torch_dtype: { f32: 'float32', bf16: 'bfloat16', f16: 'float16' }[dtype] });
    const loaded = loadModel(folder);
    for (const state of model.states) expect([...loaded.read(state)]).toEqual([...decodeWeights(dtype, asBytes(encodeWeights(dtype, values(state))), new Float32Array(values(state).length))]);
    loaded.close();
    saveModel(folder, model, values, {}, { dtype });
    expect(names()).toContain('model.safetensors');
    expect(names()).not.toContain('model.safetensors.index.json');
    loadModel(folder).close();
  });

  it('refuses what f16 cannot hold, and leaves the old file', () => {
    const folder = join(scratch, 'f16');
    saveModel(folder, model, (state) => initialise(state, 1));
    const before = readFileSync(join(folder, 'model.safetensors'));
    expect(() => saveModel(folder, model, (state) => initialise(state, 1).fill(65520), {}, { dtype: 'f16' })).toThrow(/as f16: it holds 65520/);
    expect(readFileSync(join(folder, 'model.safetensors')).equals(before)).toBe(true);
    saveModel(folder, model, (state) => initialise(state, 1).fill(65519), {}, { dtype: 'f16' });
  });

  it('makes folders, and keeps given fields of config.json but not the old type of weights', () => {
    const folder = join(scratch, 'a', 'b');
    saveModel(folder, model, (state) => initialise(state, 1), { eos_token_id: 7, dtype: 'bfloat16', torch_dtype: 'bfloat16', vocab_size: 3 });
    const config = JSON.parse(readFileSync(join(folder, 'config.json'), 'utf8')) as Record<string, unknown>;
    expect(config).toMatchObject({ architectures: ['LlamaForCausalLM'], model_type: 'llama', eos_token_id: 7, torch_dtype: 'float32', vocab_size: 61 });
    expect(config).not.toHaveProperty('dtype');
    expect(valuesOf(folder)['norm.weight']).toEqual(Array.from({ length: 32 }, () => 1));
  });

  it('leaves the old files when values fail to come, and nothing half-written', () => {
    const folder = join(scratch, 'kept'), states = [...model.states];
    saveModel(folder, model, (state) => initialise(state, 1));
    const before = readFileSync(join(folder, 'model.safetensors'));
    const failing = (state: (typeof states)[number]): Float32Array => {
      if (state === states.at(-1)) throw new StorageError('the disk of the weights is gone', { path: '' });
      return initialise(state, 2);
    };
    expect(() => saveModel(folder, model, failing)).toThrow(/is gone/);
    expect(() => saveModel(folder, model, () => new Float32Array(3))).toThrow(ShapeError);
    expect(readFileSync(join(folder, 'model.safetensors')).equals(before)).toBe(true);
    expect(readdirSync(folder).sort()).toEqual(['config.json', 'model.safetensors']);
  });

  const unable = whyNotUnprivileged();
  it.skipIf(unable !== undefined)(`says that a folder is read-only${unable === undefined ? '' : ` (skipped: ${unable})`}`, () => {
    const folder = mkdtempSync(join(scratch, 'locked-'));
    openToAll(scratch);
    chmodSync(folder, 0o555);
    expect(runUnprivileged(`const { createModel, FAMILIES, initialise, saveModel } = await dist('models/index.js');
      const model = createModel(FAMILIES.llama, FAMILIES.llama.tiny);
      try { saveModel(${JSON.stringify(folder)}, model, (state) => initialise(state, 1)); } catch (error) { console.log(error.message); }`)).toMatch(/permission denied/);
  });

  it('says that a file stands where the folder should be', () => {
    const path = join(scratch, 'file');
    writeFileSync(path, '');
    expect(() => saveModel(join(path, 'model'), model, (state) => initialise(state, 1))).toThrow(StorageError);
    expect(existsSync(join(dirname(path), 'model'))).toBe(false);
  });
});
