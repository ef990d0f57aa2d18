// From texts to a trained model folder, with the library: corpus, tokenizer, shards, training.
// node examples/03-train.ts FOLDER RUN [STEPS]

import { join } from 'node:path';
import { NativeExecutor } from 'athanor/backends/native';
import { buildCorpus, TokenShards, writeShards } from 'athanor/data';
import { modelOfSection } from 'athanor/models';
import { saveTokenizer, trainBpe } from 'athanor/tokenizer';
import { train, trainSchema } from 'athanor/train';

const [source, run, steps = '200'] = process.argv.slice(2);
if (source === undefined || run === undefined) throw new TypeError('usage: node examples/03-train.ts FOLDER RUN [STEPS]');

const corpus = await buildCorpus({ sources: [source], dir: join(run, 'corpus'), seed: 1 });
const tokenizer = await trainBpe(corpus.texts('train'), { vocabSize: 512, specialTokens: ['<|endoftext|>'] });
const file = join(run, 'tokenizer.json');
saveTokenizer(tokenizer, file);

const shards = join(run, 'train');
await writeShards(corpus.documents('train'), { dir: shards, vocabSize: tokenizer.vocabSize, endOfText: 0, encode: (text) => tokenizer.encode(text) });

const model = modelOfSection({ preset: 'quickstart', num_hidden_layers: 2, hidden_size: 96, intermediate_size: 128 }, { vocabSize: tokenizer.vocabSize });
const config = trainSchema.parse({ steps: Number(steps), batchSize: 4, contextLength: 64, schedule: { warmupSteps: 1 } });
const executor = NativeExecutor.open();
const result = await train({
  dir: join(run, 'run'),
  model,
  config,
  executor,
  seed: 1,
  files: [file],
  data: { train: TokenShards.open(shards) },
  onMetrics: ({ step, loss }) => {
    if (Number(step) % 50 === 0) console.log(`step ${step}: loss ${loss}`);
  },
});
console.log(`loss ${result.loss?.toFixed(3)} after ${result.steps} steps; the model is in ${result.model}`);
await executor.close();
