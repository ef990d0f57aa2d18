// The public face of the data layer: from raw files to batches of tokens. Layer: data.

export { BatchStream, sequentialBatches, type Batch, type BatchCursor, type BatchOptions, type Sampling } from './batch-stream.ts';
export { buildCorpus, type CorpusOptions } from './build-corpus.ts';
export { corpusOptions, dataSchema, type DataConfig } from './config.ts';
export { Corpus, type CorpusManifest, type Side } from './corpus.ts';
export { groupOf, type Document, type Documents, type Meta, type Origin } from './document.ts';
export { detectEncoding, StreamDecoder, type EncodingName } from './encoding.ts';
export { dropExactCopies } from './exact-copies.ts';
export { DEFAULT_FILTERS, filterDocuments, judge, kindOf, measure, type Filter, type Measures, type TextKind } from './filters.ts';
export { IgnoreRules } from './ignore.ts';
export { NearCopyIndex, type NearCopySource } from './near-copies.ts';
export { NgramModel } from './ngram-model.ts';
export { Permutation } from './permutation.ts';
export { PACKAGES_PRESET } from './presets.ts';
export { readDocuments, type ReadOptions } from './read.ts';
export { repairText, undoDoubleEncoding } from './repair.ts';
export { emptyReport, recordDrop, type CorpusReport, type Drop, type Sample, type SplitCounts } from './report.ts';
export { ShardWriter, type ShardManifest, type ShardOptions } from './shard-writer.ts';
export { jaccard, Shingler, SIGNATURE_LENGTH } from './shingles.ts';
export { capFiles, listFiles, type Caps, type SourceFile } from './sources.ts';
export { splitByHash, type SplitItem, type SplitLevel, type SplitResult } from './split.ts';
export { TokenShards, type OpenOptions } from './token-shards.ts';
export { DEFAULT_EXCLUDES, walk, type FoundFile, type SkipReason, type WalkOptions } from './walk.ts';
export { type Progress, type WorkOptions } from './work.ts';
export { writeShards, type WriteShardsOptions } from './write-shards.ts';
