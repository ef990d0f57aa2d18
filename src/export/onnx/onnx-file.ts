// ONNX files: one, or beyond ONNX's 2 GB two, the weights beside the graph. Layer: export.

import { basename } from 'node:path';
import { DurableFile, writeDurable } from '../../base/durable.ts';
import { InterruptedError } from '../../base/errors.ts';
import type { State } from '../../core/index.ts';
import { asBytes, encodeWeights, type Model } from '../../models/index.ts';
import { onnxModel, type OnnxOptions, type OnnxWeight } from './onnx-model.ts';

/** A protobuf message has less than 2³¹ bytes; some room for what is not weights. */
const LARGEST_FILE = 2 ** 31 - 2 ** 26;

/** Weights in a file of their own begin at a page, so that it can be mapped. */
const PAGE = 4096;

export interface SaveOnnxOptions extends OnnxOptions {
  /** A parameter's values, in f32. */
  readonly read: (state: State) => Float32Array;
  /** Bytes of weights above which they get a file of their own. */
  readonly inlineBytes?: number;
  /** Called between weights with bytes. */
  readonly progress?: (done: number, total: number) => void;
  readonly signal?: AbortSignal;
}

/**
 * Writes `path`, and beside it `PATH_data` if the weights do not fit in it. What was there stays until all is written.
 *
 * @returns the files
 * @throws {InterruptedError} when `signal` aborts; then nothing has changed
 */
export async function saveOnnx(path: string, model: Model, { read, inlineBytes = LARGEST_FILE, progress, signal, ...options }: SaveOnnxOptions): Promise<string[]> {
  const onnx = onnxModel(model, options), total = onnx.weights.reduce((sum, { bytes }) => sum + bytes, 0);
  let done = 0;
  const bytesOf = (weight: OnnxWeight): Uint8Array<ArrayBuffer> => {
    const values = asBytes(encodeWeights(weight.type, read(weight.state))) as Uint8Array<ArrayBuffer>;
    progress?.(done += weight.bytes, total);
    return values;
  };
  const pause = async (): Promise<void> => {
    await new Promise((resolve) => setImmediate(resolve)); // lets Ctrl-C in
    if (signal?.aborted) throw new InterruptedError(`Stopped; "${path}" was not written.`);
  };
  if (total + onnx.smallBytes <= inlineBytes) {
    const values = new Map<OnnxWeight, Uint8Array<ArrayBuffer>>();
    for (const weight of onnx.weights) {
      values.set(weight, bytesOf(weight));
      await pause();
    }
    writeDurable(path, onnx.format({ values: (weight) => values.get(weight)! }));
    return [path];
  }
  const location = `${basename(path)}_data`, dataPath = `${path}_data`, file = new DurableFile(dataPath), offsets: number[] = [];
  try {
    let at = 0;
    for (const weight of onnx.weights) {
      const padding = (PAGE - (at % PAGE)) % PAGE;
      file.write(new Uint8Array(padding));
      offsets.push(at += padding);
      file.write(bytesOf(weight));
      at += weight.bytes;
      await pause();
    }
    file.commit();
  } catch (error) {
    file.discard();
    throw error;
  }
  writeDurable(path, onnx.format({ location, offsets }));
  return [path, dataPath];
}
