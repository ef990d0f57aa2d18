// A training process that tests may kill: node train-child.mjs RUN_FOLDER SHARD_FOLDER JSON_OF_TRAIN_SECTION
// It runs what is built in dist/, so that no loader of tests stands between it and the signal.

import { NativeExecutor } from '../../dist/backends/native/index.js';
import { TokenShards } from '../../dist/data/index.js';
import { createModel, FAMILIES } from '../../dist/models/index.js';
import { train, trainSchema } from '../../dist/train/index.js';

const [dir, shardFolder, section] = process.argv.slice(2);
const executor = NativeExecutor.open({ threads: 2 }), shards = TokenShards.open(shardFolder);
try {
  await train({
    dir,
    model: createModel(FAMILIES.llama, FAMILIES.llama.tiny),
    config: trainSchema.parse(JSON.parse(section)),
    executor,
    data: { train: shards, validation: shards },
    seed: 5,
    resume: true,
    onEvent: ({ kind }) => {
      if (kind === 'damaged') process.exitCode = 3;
    },
    onMetrics: ({ step }) => process.stdout.write(`${step}\n`),
  });
} catch (error) {
  console.error(`${error.code}: ${error.message}`);
  process.exitCode = 1;
} finally {
  await executor.close();
}
