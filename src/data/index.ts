// The public face of the data layer: from raw files to batches of tokens. Layer: data.

export { BatchStream, sequentialBatches, type Batch, type BatchCursor, type BatchOptions, type Sampling } from './batch-stream.ts';
export { Permutation } from './permutation.ts';
export { ShardWriter, type ShardManifest, type ShardOptions } from './shard-writer.ts';
export { TokenShards, type OpenOptions } from './token-shards.ts';
