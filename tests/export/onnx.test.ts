// ONNX files as ONNX Runtime runs them: the logits of every golden checkpoint, from a cache, in batches with padding.

import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { fromBinary } from '@bufbuild/protobuf';
import { ModelProtoSchema, TensorProto_DataLocation } from 'onnx-buf';
import { afterAll, describe, expect, it } from 'vitest';
import { CapacityError, InterruptedError } from '../../src/base/errors.ts';
import { onnxModel, saveOnnx } from '../../src/export/index.ts';
import { createModel, FAMILIES, initialise, loadModel } from '../../src/models/index.ts';
import { strangerPath } from '../strangers.ts';
import { distance, GOLDEN_MODELS, goldenFolder, readGolden } from '../golden-models.ts';

interface Ort {
  readonly env: { readonly wasm: { numThreads: number }; logLevel: string };
  readonly InferenceSession: { create(model: Uint8Array, options?: object): Promise<Session> };
  readonly Tensor: new(type: string, data: BigInt64Array | Float32Array, dims: readonly number[]) => OrtTensor;
}
interface OrtTensor {
  readonly data: Float32Array;
  readonly dims: readonly number[];
}
interface Session {
  readonly inputNames: readonly string[];
  run(feeds: Record<string, OrtTensor>): Promise<Record<string, OrtTensor>>;
  release(): Promise<void>;
}

const path = strangerPath('onnxruntime-web/wasm');
const ort = path === undefined ? undefined : ((await import(pathToFileURL(path).href)) as { default?: Ort } & Ort);
const runtime = ort?.default ?? ort;
if (runtime !== undefined) {
  runtime.env.wasm.numThreads = 1;
  runtime.env.logLevel = 'error';
}

const scratch = mkdtempSync(join(tmpdir(), 'athanor-onnx-'));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

const longs = (rows: readonly (readonly number[])[]): OrtTensor => new runtime!.Tensor('int64', BigInt64Array.from(rows.flat().map(BigInt)), [rows.length, rows[0]!.length]);

/** A session and its cache. */
class Running {
  readonly session: Session;
  #cache: Record<string, OrtTensor> = {};

  constructor(session: Session, file: string) {
    this.session = session;
    for (const { name, type } of fromBinary(ModelProtoSchema, readFileSync(file)).graph!.input) {
      if (!name.startsWith('past_key_values') || type?.value.case !== 'tensorType') continue;
      const [, heads, , width] = type.value.value.shape!.dim.map(({ value }) => Number(value.value));
      this.#cache[name] = new runtime!.Tensor('float32', new Float32Array(0), [0, heads!, 0, width!]);
    }
  }

  /** @param ids rows of new tokens @param mask of all positions @returns logits [batch, sequence, V] */
  async step(ids: number[][], positions: number[][], mask: number[][]): Promise<OrtTensor> {
    const batch = ids.length;
    for (const [name, { dims, data }] of Object.entries(this.#cache)) if (dims[0] === 0) this.#cache[name] = new runtime!.Tensor('float32', data, [batch, ...dims.slice(1)]);
    const out = await this.session.run({ input_ids: longs(ids), position_ids: longs(positions), attention_mask: longs(mask), ...this.#cache });
    this.#cache = Object.fromEntries(Object.keys(this.#cache).map((name) => [name, out[name.replace('past_key_values', 'present')]!]));
    return out['logits']!;
  }
}

const range = (from: number, to: number): number[] => Array.from({ length: to - from }, (_, i) => from + i);
const ones = (n: number): number[] => new Array<number>(n).fill(1);

/** @param length of the longest text: the rotary frequencies of some families depend on it */
async function open(name: string, length: number): Promise<Running> {
  const loaded = loadModel(goldenFolder(name)), file = join(scratch, `${name}.onnx`), maxLength = Math.min(length, loaded.model.dims.maxPositions);
  try {
    await saveOnnx(file, loaded.model, { read: loaded.read, maxLength });
  } finally {
    loaded.close();
  }
  return new Running(await runtime!.InferenceSession.create(readFileSync(file)), file);
}

describe.skipIf(runtime === undefined).each(GOLDEN_MODELS)(`%s in ONNX Runtime${runtime === undefined ? ' (onnxruntime-web is not installed)' : ''}`, (name) => {
  const golden = readGolden(name), { prompt } = golden;

  it('gives the logits of transformers, in one run and from a cache, and its greedy text', async () => {
    const n = prompt.length, whole = await open(name, n + golden.greedy.length);
    const { data, dims } = await whole.step([prompt], [range(0, n)], [ones(n)]), vocabulary = dims[2]!;
    expect(distance(data, golden.logits)).toBeLessThan(1e-4);
    const greedy: number[] = [];
    for (let last = data.subarray(-vocabulary); greedy.length < golden.greedy.length;) {
      greedy.push(last.indexOf(Math.max(...last)));
      const at = n + greedy.length;
      last = (await whole.step([greedy.slice(-1)], [[at - 1]], [ones(at)])).data;
    }
    expect(greedy).toEqual(golden.greedy);
    await whole.session.release();
  });

  it('gives a short row of a batch, padded on the left, what it gives it alone', async () => {
    const cut = prompt.slice(0, -3), pad = prompt.length - cut.length, running = await open(name, prompt.length);
    const mask = [ones(prompt.length), [...new Array<number>(pad).fill(0), ...ones(cut.length)]];
    const { data, dims } = await running.step([prompt, [...new Array<number>(pad).fill(0), ...cut]], [range(0, prompt.length), [...new Array<number>(pad).fill(0), ...range(0, cut.length)]], mask);
    const vocabulary = dims[2]!, alone = golden.logits.slice(0, cut.length * vocabulary);
    expect(distance(data.subarray(0, prompt.length * vocabulary), golden.logits)).toBeLessThan(1e-4);
    expect(distance(data.subarray((prompt.length + pad) * vocabulary), alone)).toBeLessThan(1e-4);
    await running.session.release();
  });
});

describe('saveOnnx()', () => {
  const model = createModel(FAMILIES['llama']!, FAMILIES['llama']!.tiny), read = (state: Parameters<typeof initialise>[0]): Float32Array => initialise(state, 1) as Float32Array;

  it('puts weights beyond the limit into a file of their own, each at a page', async () => {
    const file = join(scratch, 'apart.onnx'), files = await saveOnnx(file, model, { read, inlineBytes: 1000 });
    expect(files).toEqual([file, `${file}_data`]);
    const proto = fromBinary(ModelProtoSchema, readFileSync(file)), data = readFileSync(`${file}_data`);
    const apart = proto.graph!.initializer.filter(({ dataLocation }) => dataLocation === TensorProto_DataLocation.EXTERNAL);
    expect(apart.map(({ name }) => name).sort()).toEqual(model.states.map(({ id }) => id).sort());
    for (const { name, externalData } of apart) {
      const { location, offset, length } = Object.fromEntries(externalData.map(({ key, value }) => [key, value]));
      expect(location).toBe('apart.onnx_data');
      expect(Number(offset) % 4096).toBe(0);
      const values = read(model.states.find(({ id }) => id === name)!);
      expect(Buffer.compare(data.subarray(Number(offset), Number(offset) + Number(length)), Buffer.from(values.buffer))).toBe(0);
    }
  });

  it.skipIf(runtime === undefined)('with weights apart, and with weights in f16, is the same model to ONNX Runtime', async () => {
    const run = async (file: string, externalData?: { path: string; data: Uint8Array }[]): Promise<Float32Array> => {
      const running = new Running(await runtime!.InferenceSession.create(readFileSync(file), externalData === undefined ? {} : { externalData }), file);
      return (await running.step([[1, 2, 3, 4]], [[0, 1, 2, 3]], [ones(4)])).data;
    };
    const [one, two, half] = ['one', 'two', 'half'].map((name) => join(scratch, `${name}.onnx`)) as [string, string, string];
    await saveOnnx(one, model, { read });
    await saveOnnx(two, model, { read, inlineBytes: 1000 });
    await saveOnnx(half, model, { read, weightType: 'f16' });
    const exact = await run(one);
    expect(distance(await run(two, [{ path: 'two.onnx_data', data: readFileSync(`${two}_data`) }]), exact)).toBe(0);
    expect(distance(await run(half), exact)).toBeLessThan(2e-3);
    expect(statSync(half).size).toBeLessThan(0.75 * statSync(one).size);
  });

  it('leaves what was there when it is stopped, and no half-written file', async () => {
    const file = join(scratch, 'stopped.onnx'), controller = new AbortController();
    await expect(saveOnnx(file, model, { read, inlineBytes: 0, signal: controller.signal, progress: () => controller.abort() })).rejects.toThrow(InterruptedError);
    expect(readdirSync(scratch).filter((entry) => entry.includes('stopped'))).toEqual([]);
  });

  it('refuses more positions than the model has', () => {
    expect(() => onnxModel(model, { maxLength: 1000 })).toThrow(CapacityError);
  });
});
