// Training a byte-level BPE tokenizer. Layer: tokenizer (pure).

import { ConfigError, InterruptedError } from '../base/errors.ts';
import { ByteBpe } from './byte-bpe.ts';
import { byteCharacters } from './byte-level.ts';
import { MergeLearner } from './merge-learner.ts';
import { SPLIT_PATTERNS, type SplitPattern } from './split-pattern.ts';
import { Tokenizer } from './tokenizer.ts';
import { WordCounter, type WordCounts } from './word-counts.ts';

const BYTES = 256;
/** How long the merging runs before the event loop gets its turn (progress, Ctrl-C). */
const TURN_MS = 50;

/** How far training is. */
export interface TrainProgress {
  readonly stage: 'count' | 'merge';
  /** Characters (UTF-16 units) counted, or tokens in the vocabulary. */
  readonly done: number;
  /** The tokens wanted; unknown for counting. */
  readonly total?: number;
}

/** How to train. */
export interface TrainBpeOptions {
  /** Tokens in all: special tokens, the 256 bytes, and what is learned. Fewer if the text has no more pairs. */
  readonly vocabSize: number;
  /** Get the first ids, in this order; text never gives them. */
  readonly specialTokens?: readonly string[];
  /** A pair must come this often to be merged. Default 1, as in Hugging Face's trainer. */
  readonly minFrequency?: number;
  /** Default `cl100k`. */
  readonly pattern?: SplitPattern;
  readonly onProgress?: (progress: TrainProgress) => void;
  readonly signal?: AbortSignal;
}

/** Checks the options. @throws {ConfigError} naming the option */
export function checkTrainOptions(options: TrainBpeOptions): void {
  const { vocabSize, specialTokens = [], minFrequency = 1, pattern = 'cl100k' } = options;
  const least = BYTES + specialTokens.length;
  if (!Number.isSafeInteger(vocabSize) || vocabSize < least || vocabSize > 2 ** 21) {
    throw new ConfigError(`Cannot train a vocabulary of ${vocabSize} tokens: it must be a whole number from ${least} (the 256 bytes and ${specialTokens.length} special tokens) to ${2 ** 21}.`, { path: 'vocabSize' });
  }
  if (!Number.isSafeInteger(minFrequency) || minFrequency < 0) {
    throw new ConfigError(`Cannot train with minFrequency ${minFrequency}: it must be a whole number, 0 or more.`, { path: 'minFrequency' });
  }
  if (!SPLIT_PATTERNS.includes(pattern)) {
    throw new ConfigError(`Unknown pattern "${pattern}": choose one of ${SPLIT_PATTERNS.join(', ')}.`, { path: 'pattern' });
  }
  const bytes = new Set(byteCharacters());
  const bad = specialTokens.find((token, i) => token === '' || bytes.has(token) || specialTokens.indexOf(token) !== i);
  if (bad !== undefined) {
    throw new ConfigError(`Cannot use the special token ${JSON.stringify(bad)}: it must be longer than one character and given once.`, { path: 'specialTokens' });
  }
}

/** Throws when the caller has asked to stop. */
export function checkSignal(signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw new InterruptedError('Training the tokenizer was stopped before it was done: nothing was written.');
}

/**
 * Trains a byte-level BPE tokenizer on one thread. The result depends on the texts and options alone: not on their
 * order, on time, or on threads (`trainBpeParallel` gives the same).
 *
 * @param texts each is cut into pieces by itself; a document a text is usual
 * @throws {ConfigError} if an option is out of range
 * @throws {InterruptedError} if `signal` is aborted
 */
export async function trainBpe(texts: Iterable<string> | AsyncIterable<string>, options: TrainBpeOptions): Promise<Tokenizer> {
  checkTrainOptions(options);
  const counter = new WordCounter(options.pattern ?? 'cl100k');
  let done = 0;
  for await (const text of texts) {
    checkSignal(options.signal);
    counter.add(text);
    done += text.length;
    options.onProgress?.({ stage: 'count', done });
  }
  return trainFromCounts(counter.take(), options);
}

/** The merging half of training. @param words the counts of all texts, in any order */
export async function trainFromCounts(words: WordCounts, options: TrainBpeOptions): Promise<Tokenizer> {
  const { vocabSize, specialTokens = [], minFrequency = 1, pattern = 'cl100k', onProgress, signal } = options;
  // The alphabet in the order of its characters, as Hugging Face's trainer has it: ids decide between equal counts.
  const alphabet = byteCharacters().map((character, byte) => ({ character, byte })).sort((a, b) => (a.character < b.character ? -1 : 1));
  const tokens = [...specialTokens, ...alphabet.map(({ character }) => character)];
  const byteIds = new Int32Array(BYTES);
  alphabet.forEach(({ byte }, i) => (byteIds[byte] = specialTokens.length + i));
  const ids = new Map(tokens.map((token, id) => [token, id]));
  const merges: number[] = [];
  const name = (left: number, right: number): number | undefined => {
    const token = tokens[left]! + tokens[right]!, known = ids.get(token);
    if (known !== undefined) return known < specialTokens.length ? undefined : known;
    ids.set(token, tokens.length);
    return tokens.push(token) - 1;
  };
  const learner = new MergeLearner(words, byteIds, minFrequency);
  for (let turn = Date.now(); tokens.length < vocabSize;) {
    const merge = learner.step(name);
    if (merge === undefined) break;
    merges.push(merge.left, merge.right, merge.result);
    if (Date.now() - turn < TURN_MS) continue;
    onProgress?.({ stage: 'merge', done: tokens.length, total: vocabSize });
    await new Promise((resolve) => setTimeout(resolve, 0));
    checkSignal(signal);
    turn = Date.now();
  }
  onProgress?.({ stage: 'merge', done: tokens.length, total: vocabSize });
  const model = new ByteBpe({ tokens, merges: Int32Array.from(merges), pattern, reserved: new Set(specialTokens.keys()) });
  return new Tokenizer({ model, added: specialTokens.map((content, id) => ({ id, content, special: true })) });
}
