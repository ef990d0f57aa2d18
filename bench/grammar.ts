// grammar: the time that a constraint's mask takes a token, over GPT-2's vocabulary (50,257 tokens), without a peer: XGrammar's
// own build for JavaScript is not among our dependencies. Walks choose at random among what the mask allows. "cold" is the first
// walk over a fresh grammar (99th percentile), "warm" the median of the next ones.

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { Random } from 'athanor/base/random';
import { compileSchema, type Vocabulary } from 'athanor/engine';
import { loadTokenizer } from 'athanor/tokenizer';
import { median } from './bench-line.ts';
import { isAsked, type Bench } from './harness.ts';
import { checkout } from './places.ts';

const WALKS = 30;
const MOST_TOKENS = 60;
const SCHEMAS: Readonly<Record<string, unknown>> = {
  person: { type: 'object', properties: { name: { type: 'string' }, age: { type: 'integer', minimum: 0, maximum: 150 }, tags: { type: 'array', items: { type: 'string' } } }, required: ['name', 'age', 'tags'], additionalProperties: false },
  tree: { type: 'object', properties: { value: { type: 'number' }, children: { type: 'array', items: { $ref: '#' } } }, required: ['value', 'children'], additionalProperties: false },
  any: true,
};

export const grammar: Bench = {
  about: "the mask of a constraint, a token, over GPT-2's vocabulary",
  async run(context) {
    const file = join(checkout(), '../shared/data/formats/tokenizer-json/gpt2.tokenizer.json');
    if (!existsSync(file)) return context.note(`Without ${file} there is no vocabulary of full size: nothing measured.`);
    const tokenizer = loadTokenizer(file), stop = tokenizer.vocabSize - 1;
    const bytes = Array.from({ length: tokenizer.vocabSize }, (_, id) => (id === stop ? undefined : tokenizer.bytesOf(id)));
    const vocabulary: Vocabulary = { bytesOf: (id) => bytes[id], size: bytes.length, stopIds: [stop] };
    compileSchema({ type: 'null' }, vocabulary).start().fillMask(new Uint32Array(1)); // the trie, once a vocabulary
    for (const [name, schema] of Object.entries(SCHEMAS)) {
      if (!isAsked(context, name)) continue;
      const begin = performance.now(), compiled = compileSchema(schema, vocabulary), compileTime = (performance.now() - begin) / 1000;
      const cold = walkTimes(compiled, vocabulary, 1), warm: number[] = [];
      for (let walk = 2; walk <= WALKS; walk++) warm.push(...walkTimes(compiled, vocabulary, walk));
      const line = (words: string, value: number): void => context.report({ bench: 'grammar', case: `${name} ${words}`, value, unit: 's', limit: null, peer: null, peerValue: null, ratio: null });
      line('compile', compileTime);
      line('mask warm median', median(warm));
      line('mask warm p99', quantile(warm, 0.99));
      line('mask cold p99', quantile(cold, 0.99));
    }
  },
};

const quantile = (values: readonly number[], share: number): number => [...values].sort((a, b) => a - b)[Math.floor(share * (values.length - 1))] ?? NaN;

/** Seconds of each mask of one walk. */
function walkTimes(compiled: ReturnType<typeof compileSchema>, vocabulary: Vocabulary, seed: number): number[] {
  const constraint = compiled.start(), mask = new Uint32Array((vocabulary.size + 31) >> 5), random = new Random(seed, 'bench.grammar'), times: number[] = [];
  while (times.length < MOST_TOKENS && !constraint.mustEnd) {
    const begin = performance.now();
    constraint.fillMask(mask);
    times.push((performance.now() - begin) / 1000);
    let id = random.int(vocabulary.size);
    while (((mask[id >> 5]! >>> (id & 31)) & 1) === 0) id = (id + 1) % vocabulary.size;
    if (!constraint.accept(id) || vocabulary.stopIds.includes(id)) break;
  }
  return times;
}
