// Models of given shapes with random weights, as GGUF files: ours and llama.cpp then read the same bytes.

import { mkdtempSync, rmSync, statfsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Random } from 'athanor/base/random';
import { NativeExecutor } from 'athanor/backends';
import { sizeOf, type State } from 'athanor/core';
import { BlockEncoder, modelOfSection, saveGguf, type Mixture, type Model } from 'athanor/models';

const LLAMA = { model_type: 'llama', max_position_embeddings: 2048 };

/** TinyLlama's shape, and SmolLM's smallest, which lives partly in a large cache. */
export const SHAPES = {
  '1.1b': { ...LLAMA, hidden_size: 2048, intermediate_size: 5632, num_hidden_layers: 22, num_attention_heads: 32, num_key_value_heads: 4, vocab_size: 32000, tie_word_embeddings: false },
  '134m': { ...LLAMA, hidden_size: 576, intermediate_size: 1536, num_hidden_layers: 30, num_attention_heads: 9, num_key_value_heads: 3, vocab_size: 49152, tie_word_embeddings: true },
} as const;

/** Bytes that must be free: the largest file is 2.2 GB. */
const ROOM = 3e9;
/** Normal numbers that all matrices are made of, each beginning elsewhere: drawing them all takes a minute. */
const POOL = 2 ** 22 - 3;

/**
 * Writes a file, hands its path out, and removes it.
 *
 * @throws {RangeError} if the disk has no room for it
 */
export async function withRandomGguf<T>(shape: keyof typeof SHAPES, mixture: Mixture, work: (path: string) => Promise<T>): Promise<T> {
  const { bavail, bsize } = statfsSync(tmpdir());
  if (bavail * bsize < ROOM) throw new RangeError(`Cannot write a model of ${shape}: "${tmpdir()}" has ${(bavail * bsize / 1e9).toFixed(1)} GB free, and ${ROOM / 1e9} GB are wanted. Set TMPDIR to a folder with more room.`);
  const folder = mkdtempSync(join(tmpdir(), 'athanor-bench-')), path = join(folder, 'model.gguf');
  try {
    await saveRandom(path, shape, mixture);
    return await work(path);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function saveRandom(path: string, shape: keyof typeof SHAPES, mixture: Mixture): Promise<void> {
  const executor = NativeExecutor.open(), encoder = new BlockEncoder(executor);
  try {
    await saveGguf(path, { model: modelOfSection(SHAPES[shape]), read: randomWeights(), mixture }, { encode: (format, values) => encoder.encode(format, values) });
  } finally {
    await executor.close();
  }
}

/** Norms of ones; matrices normal with the variance 1/K, so that activations stay as they are, layer after layer. */
function randomWeights(): (state: State) => Float32Array {
  const random = new Random(0, 'bench'), pool = Float32Array.from({ length: POOL }, () => random.normal());
  let start = 0;
  return ({ meta }) => {
    const size = sizeOf(meta.shape), out = new Float32Array(size).fill(1);
    if (meta.shape.length < 2) return out;
    const scale = 1 / Math.sqrt(meta.shape[1] as number);
    for (let i = 0; i < size; i++) out[i] = pool[(start + i) % POOL]! * scale;
    start = (start + 7919 * 31) % POOL;
    return out;
  };
}

/** What a decoded token reads: all matrices but a table of embeddings that is no output projection too. */
export function readMatrices(model: Model): readonly State[] {
  const tied = model.config.tie_word_embeddings === true;
  return model.states.filter(({ id, meta }) => meta.shape.length === 2 && (tied || id !== 'embed.weight'));
}
