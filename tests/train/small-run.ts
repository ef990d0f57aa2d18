// Small runs for tests: a tiny model, tokens with something to learn, a folder of their own.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll } from 'vitest';
import { Random } from '../../src/base/random.ts';
import { ShardWriter, TokenShards } from '../../src/data/index.ts';
import { createModel, FAMILIES, type Model } from '../../src/models/index.ts';
import { trainSchema, type TrainConfig } from '../../src/train/index.ts';

const folders: string[] = [];
afterAll(() => folders.splice(0).forEach((folder) => rmSync(folder, { recursive: true, force: true })));

/** A folder that goes when the tests of a file end. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'athanor-train-'));
  folders.push(folder);
  return folder;
}

/** The tiny model of a family. */
export function tinyModel(modelType: 'llama' | 'gpt2' = 'llama'): Model {
  const family = FAMILIES[modelType]!;
  return createModel(family, family.tiny);
}

/** Documents whose next token mostly follows from the last one. */
export function writeTokens(dir: string, { seed = 1, documents = 60, vocabSize = 61 } = {}): TokenShards {
  const random = new Random(seed, 'tests'), writer = new ShardWriter({ dir, vocabSize, endOfText: 0 });
  for (let d = 0; d < documents; d++) {
    let token = 1 + random.int(vocabSize - 1);
    const ids = Array.from({ length: 20 + random.int(60) }, () => (token = random.int(8) === 0 ? 1 + random.int(vocabSize - 1) : 1 + ((token * 7) % (vocabSize - 1))));
    writer.add(ids, 3 * ids.length);
  }
  writer.close();
  return TokenShards.open(dir);
}

/** A configuration of few and short steps. */
export function smallConfig(overrides: Record<string, unknown> = {}): TrainConfig {
  return trainSchema.parse({
    steps: 12,
    batchSize: 4,
    contextLength: 16,
    learningRate: 3e-3,
    schedule: { warmupSteps: 2 },
    validation: { everySteps: 4, batches: 3 },
    checkpoint: { everySteps: 3 },
    samples: { everySteps: 0 },
    ...overrides,
  });
}
