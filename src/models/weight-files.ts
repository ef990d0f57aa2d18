// The safetensors files of a model folder: opened once, checked, and read tensor by tensor. Layer: models (file access).

import { realpathSync, statSync } from 'node:fs';
import { join, sep } from 'node:path';
import { storageError } from '../base/durable.ts';
import { FormatError } from '../base/errors.ts';
import { widenBf16, widenF16 } from './narrow-floats.ts';
import { ReadableFile, type MapFile } from './readable-file.ts';
import { headerLength, parseHeader, type StoredTensor } from './safetensors.ts';

/**
 * The path of a file of a folder.
 *
 * @returns undefined if it is not there
 * @throws {FormatError} if the name, or a symbolic link, leads out of the folder, or this is no plain file
 * @throws {StorageError} if it cannot be looked at
 */
export function fileWithin(folder: string, name: string): string | undefined {
  const path = join(folder, name);
  if (name === '' || name === '.' || name === '..' || /[/\\\0]/.test(name)) {
    throw new FormatError(`Cannot read "${folder}": it refers to "${name}", which is no name of a file in it.`, { path: folder });
  }
  try {
    const real = realpathSync(path), root = realpathSync(folder);
    if (!real.startsWith(root.endsWith(sep) ? root : root + sep)) {
      throw new FormatError(`Cannot read "${path}": it is a link that leads out of the folder, to "${real}". Copy the folder with its links resolved (cp -rL) and use the copy.`, { path });
    }
    // Before opening: to open a pipe would wait for ever.
    if (!statSync(real).isFile()) throw new FormatError(`Cannot read "${path}": it is not a plain file.`, { path });
    return real;
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw storageError('read', path, cause);
  }
}

/** An open safetensors file. */
export class WeightFile {
  readonly path: string;
  readonly tensors: ReadonlyMap<string, StoredTensor>;
  readonly #file: ReadableFile;

  /** @throws {FormatError | StorageError} if it cannot be opened or its header lies */
  constructor(path: string, mapFile: MapFile | undefined) {
    this.path = path;
    this.#file = new ReadableFile(path);
    try {
      const { size } = this.#file, prefix = this.#file.read(new Uint8Array(Math.min(8, size)), 0), length = headerLength(prefix, size, path);
      this.tensors = parseHeader(this.#file.read(new Uint8Array(length), 8), size, path).tensors;
      this.#file.map(mapFile);
    } catch (cause) {
      this.close();
      throw cause;
    }
  }

  /** Reads a tensor as f32. @throws {FormatError} if it is no f32, bf16 or f16 */
  readF32(tensor: StoredTensor, out: Float32Array): void {
    const bytes = new Uint8Array(out.buffer, out.byteOffset, out.byteLength);
    if (tensor.dtype === 'F32') {
      this.#file.read(bytes, tensor.begin);
      return;
    }
    const widen = tensor.dtype === 'BF16' ? widenBf16 : tensor.dtype === 'F16' ? widenF16 : undefined;
    if (widen === undefined) throw new FormatError(`Cannot read "${this.path}": tensor "${tensor.name}" is ${tensor.dtype}; weights may be F32, BF16 or F16.`, { path: this.path, offset: tensor.begin });
    const bits = new Uint16Array(out.length);
    this.#file.read(new Uint8Array(bits.buffer), tensor.begin);
    widen(bits, out);
  }

  /** The mapped values of an f32 tensor, where there is a mapping and it is aligned. */
  viewF32(tensor: StoredTensor): Float32Array | undefined {
    const bytes = tensor.dtype === 'F32' ? this.#file.view(tensor.begin, tensor.end - tensor.begin) : undefined;
    return bytes === undefined || bytes.byteOffset % 4 !== 0 ? undefined : new Float32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4);
  }

  /** Raw bytes of a part of a tensor. */
  readBytes(tensor: StoredTensor, from: number, length: number): Uint8Array {
    const bytes = new Uint8Array(Math.min(length, tensor.end - tensor.begin - from));
    this.#file.read(bytes, tensor.begin + from);
    return bytes;
  }

  close(): void {
    this.#file.close();
  }
}
