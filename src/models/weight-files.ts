// The safetensors files of a model folder: opened once, checked, and read tensor by tensor. Layer: models (file access).

import { closeSync, fstatSync, openSync, readSync, realpathSync, statSync } from 'node:fs';
import { join, sep } from 'node:path';
import { storageError } from '../base/durable.ts';
import { CapacityError, FormatError, StorageError } from '../base/errors.ts';
import { widenBf16, widenF16 } from './narrow-floats.ts';
import { headerLength, parseHeader, type StoredTensor } from './safetensors.ts';

/** A file's bytes without reading them (an executor's `mmap`). They must not be written to. */
export type MapFile = (path: string) => Uint8Array;

/** One read takes at most so much: Node.js refuses more than 2 GiB. */
const MAX_READ_BYTES = 2 ** 30;

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

/** The mapping, or undefined where the file is larger than one can be: it is read then. */
function mappedIfPossible(path: string, mapFile: MapFile | undefined): Uint8Array | undefined {
  try {
    return mapFile?.(path);
  } catch (error) {
    if (error instanceof CapacityError) return undefined;
    throw error;
  }
}

/** An open safetensors file. */
export class WeightFile {
  readonly path: string;
  readonly tensors: ReadonlyMap<string, StoredTensor>;
  readonly #fd: number;
  readonly #mapped: Uint8Array | undefined;

  /** @throws {FormatError | StorageError} if it cannot be opened or its header lies */
  constructor(path: string, mapFile: MapFile | undefined) {
    this.path = path;
    try {
      this.#fd = openSync(path, 'r');
    } catch (cause) {
      throw storageError('read', path, cause);
    }
    try {
      const { size } = fstatSync(this.#fd), prefix = new Uint8Array(8);
      const length = headerLength(size < 8 ? prefix.subarray(0, size) : this.#fill(prefix, 0), size, path);
      this.tensors = parseHeader(this.#fill(new Uint8Array(length), 8), size, path).tensors;
      this.#mapped = mappedIfPossible(path, mapFile);
    } catch (cause) {
      closeSync(this.#fd);
      throw storageError('read', path, cause);
    }
  }

  /** Reads a tensor as f32. @throws {FormatError} if it is no f32, bf16 or f16 */
  readF32(tensor: StoredTensor, out: Float32Array): void {
    const bytes = new Uint8Array(out.buffer, out.byteOffset, out.byteLength);
    if (tensor.dtype === 'F32') {
      this.#read(bytes, tensor.begin);
      return;
    }
    const widen = tensor.dtype === 'BF16' ? widenBf16 : tensor.dtype === 'F16' ? widenF16 : undefined;
    if (widen === undefined) throw new FormatError(`Cannot read "${this.path}": tensor "${tensor.name}" is ${tensor.dtype}; weights may be F32, BF16 or F16.`, { path: this.path, offset: tensor.begin });
    const bits = new Uint16Array(out.length);
    this.#read(new Uint8Array(bits.buffer), tensor.begin);
    widen(bits, out);
  }

  /** The mapped values of an f32 tensor, where there is a mapping and it is aligned. */
  viewF32(tensor: StoredTensor): Float32Array | undefined {
    const mapped = this.#mapped;
    if (mapped === undefined || tensor.dtype !== 'F32' || (mapped.byteOffset + tensor.begin) % 4 !== 0) return undefined;
    return new Float32Array(mapped.buffer, mapped.byteOffset + tensor.begin, (tensor.end - tensor.begin) / 4);
  }

  /** Raw bytes of a part of a tensor. */
  readBytes(tensor: StoredTensor, from: number, length: number): Uint8Array {
    const bytes = new Uint8Array(Math.min(length, tensor.end - tensor.begin - from));
    this.#read(bytes, tensor.begin + from);
    return bytes;
  }

  close(): void {
    closeSync(this.#fd);
  }

  #read(bytes: Uint8Array, position: number): void {
    if (this.#mapped !== undefined) bytes.set(this.#mapped.subarray(position, position + bytes.length));
    else this.#fill(bytes, position);
  }

  #fill(bytes: Uint8Array, position: number): Uint8Array {
    for (let done = 0; done < bytes.length; ) {
      const count = readSync(this.#fd, bytes, done, Math.min(bytes.length - done, MAX_READ_BYTES), position + done);
      if (count === 0) throw new StorageError(`Cannot read "${this.path}": it became shorter while it was read.`, { path: this.path });
      done += count;
    }
    return bytes;
  }
}
