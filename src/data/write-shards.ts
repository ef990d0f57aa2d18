// Documents to token shards, through a tokenizer that the caller brings. Layer: data.

import { utf8Bytes, type Documents } from './document.ts';
import { ShardWriter, type ShardManifest, type ShardOptions } from './shard-writer.ts';
import { Pacer, type WorkOptions } from './work.ts';

/** How documents become shards. */
export type WriteShardsOptions = ShardOptions & WorkOptions & {
  /** Text to token ids, special tokens not included. */
  encode: (text: string) => ArrayLike<number>;
  /** For the progress, where known: bytes of all documents. */
  totalBytes?: number;
};

/**
 * Encodes documents and packs them into shards.
 *
 * @throws {ConfigError} if an id is outside the vocabulary, or there is no text at all
 * @throws {StorageError} where the disk refuses
 * @throws {InterruptedError} when the signal is aborted; older shards in the folder are then still whole
 */
export async function writeShards(documents: Documents, options: WriteShardsOptions): Promise<ShardManifest> {
  const writer = new ShardWriter(options), pacer = new Pacer('tokenize', 'bytes', options.totalBytes, options);
  let bytes = 0;
  for await (const { text } of documents) {
    const size = utf8Bytes(text);
    writer.add(options.encode(text), size);
    bytes += size;
    await pacer.step(bytes, bytes);
  }
  pacer.report(bytes, bytes);
  return writer.close();
}
