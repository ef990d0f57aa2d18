// Continue several prompts at once with a model folder, streaming each.
// node examples/04-generate.ts MODEL PROMPT…

import { NativeExecutor } from 'athanor/backends/native';
import { Engine } from 'athanor/engine';
import { loadModel } from 'athanor/models';
import { loadTokenizer } from 'athanor/tokenizer';

const [folder, ...prompts] = process.argv.slice(2);
if (folder === undefined || prompts.length === 0) throw new TypeError('usage: node examples/04-generate.ts MODEL PROMPT…');

const { model, read, close } = loadModel(folder), executor = NativeExecutor.open();
const engine = new Engine(model, { executor, read, tokenizer: loadTokenizer(folder) });
await Promise.all(prompts.map(async (prompt) => {
  const parts: string[] = [];
  for await (const { text } of engine.generate(prompt, { maxTokens: 32, temperature: 0.8, seed: 7 })) parts.push(text);
  console.log(`${JSON.stringify(prompt)} → ${JSON.stringify(parts.join(''))}`);
}));
await engine.close();
await executor.close();
close();
