// The safetensors files of a model folder: opened once, checked, and read tensor by tensor. Layer: models (file access).

import { realpathSync, statSync } from 'node:fs';
import { join, sep } from 'node:path';
import { storageError } from '../base/durable.ts';
import { FormatError } from '../base/errors.ts';
import { ReadableFile, type MapFile } from './readable-file.ts';
import { headerLength, parseHeader, type StoredTensor } from './safetensors.ts';
import { storedType } from './stored-types.ts';

/** Values converted at a time, so that what is read on the way is never a second copy of a tensor. */
const PIECE_VALUES = 2 ** 21;

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
    if (!isWithin(real, root) && !isWithin(real, blobsOf(root))) {
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

function isWithin(path: string, folder: string | undefined): boolean {
  return folder !== undefined && path.startsWith(folder.endsWith(sep) ? folder : folder + sep);
}

/** Hugging Face's cache keeps snapshots/COMMIT/NAME as links to blobs/HASH of the same repository: those links are its own. */
function blobsOf(root: string): string | undefined {
  const parts = root.split(sep), isSnapshot = parts.at(-2) === 'snapshots' && /^(models|datasets|spaces)--./.test(parts.at(-3) ?? '');
  return isSnapshot ? [...parts.slice(0, -2), 'blobs'].join(sep) : undefined;
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

  /** Reads a tensor as f32, whatever its type; integers and f64 to the nearest. */
  readF32(tensor: StoredTensor, out: Float32Array): void {
    if (tensor.dtype === 'F32') {
      this.#file.read(new Uint8Array(out.buffer, out.byteOffset, out.byteLength), tensor.begin);
      return;
    }
    const type = storedType(tensor.dtype)!; // a header names no others
    for (let from = 0; from < out.length; from += PIECE_VALUES) {
      const part = out.subarray(from, from + PIECE_VALUES), bytes = new Uint8Array(part.length * type.bytes);
      type.widen(this.#file.read(bytes, tensor.begin + from * type.bytes), part);
    }
  }

  /** The mapped values of an f32 tensor, where there is a mapping and it is aligned. */
  viewF32(tensor: StoredTensor): Float32Array | undefined {
    const bytes = tensor.dtype === 'F32' ? this.#file.view(tensor.begin, tensor.end - tensor.begin) : undefined;
    return bytes === undefined || bytes.byteOffset % 4 !== 0 ? undefined : new Float32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4);
  }

  /** Raw bytes of a part of a tensor: a view where the file is mapped. */
  readBytes(tensor: StoredTensor, from: number, length: number): Uint8Array {
    const begin = tensor.begin + from, size = Math.min(length, tensor.end - begin);
    return this.#file.view(begin, size) ?? this.#file.read(new Uint8Array(size), begin);
  }

  close(): void {
    this.#file.close();
  }
}
