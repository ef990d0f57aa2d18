// Files as memory: token shards and checkpoints are read without copying them. Layer: backends (file access).

import { storageError } from '../../base/durable.ts';
import { CapacityError } from '../../base/errors.ts';
import { loadAddon } from './addon.ts';

/**
 * The bytes of a file, read from disk when they are touched. Writing to them changes this process's copy, never the
 * file. The file must not be truncated while the bytes are in use: the system ends the process that reads beyond its end.
 *
 * @param offset first byte
 * @param length bytes, fewer where the file ends
 * @throws {StorageError} if the file cannot be read
 * @throws {CapacityError} if it is larger than Node can show as one buffer: map it in parts
 * @throws {BackendError} if the native core is not built
 */
export function mapFile(path: string, offset = 0, length = Number.MAX_SAFE_INTEGER): Uint8Array {
  try {
    return new Uint8Array(loadAddon().mapFile(path, offset, length));
  } catch (error) {
    if ((error as { code?: string }).code === 'ATHANOR_CAPACITY') {
      throw new CapacityError(`Cannot map "${path}": ${(error as Error).message}`, { need: length, have: Number.NaN });
    }
    throw storageError('map', path, error);
  }
}
