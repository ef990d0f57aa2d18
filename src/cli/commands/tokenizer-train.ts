// athanor tokenizer train. Layer: cli.

import { byteSize } from '../../base/progress.ts';
import { StorageError, ConfigError } from '../../base/errors.ts';
import { emptyReport, listFiles, readDocuments, type WorkOptions } from '../../data/index.ts';
import { saveTokenizer, SPLIT_PATTERNS, trainBpeParallel, trainChars, type SplitPattern, type Tokenizer } from '../../tokenizer/index.ts';
import type { Arguments } from '../arguments.ts';
import type { Command, Io } from '../command.ts';
import { didYouMean } from '../nearest.ts';
import { END_OF_TEXT } from '../recipe.ts';
import { showProgress } from '../prepare-data.ts';

export const tokenizerTrain: Command = {
  name: 'tokenizer train',
  about: [
    "Learns a vocabulary from the text of files and folders and writes it as a tokenizer.json, which Hugging Face's libraries",
    'load too. Byte-level BPE writes any text; --kind chars makes one token of each distinct character.',
  ].join('\n'),
  arguments: [{ name: 'PATH', about: 'files and folders with text', repeatable: true }],
  options: {
    out: { kind: 'text', value: 'FILE', about: 'where it goes (default: tokenizer.json)' },
    kind: { kind: 'text', value: 'KIND', about: 'bpe or chars (default: bpe)' },
    'vocab-size': { kind: 'number', value: 'N', about: 'tokens in all (default: 4096)' },
    pattern: { kind: 'text', value: 'NAME', about: `how text is cut before merging: ${SPLIT_PATTERNS.join(', ')} (default: cl100k)` },
    'special-token': { kind: 'text', value: 'TEXT', about: `a token that text can never produce; more than once for several (default: ${END_OF_TEXT})`, repeatable: true },
    'min-frequency': { kind: 'number', value: 'N', about: 'how often a pair must come to be merged (default: 1)' },
    threads: { kind: 'number', value: 'N', about: 'threads that count words (default: all)' },
  },
  examples: ['athanor tokenizer train docs/ --vocab-size 8192 --out tokenizer.json', 'echo "hello 你好" | athanor tokenize tokenizer.json'],
  async run(args, io) {
    const out = args.text('out') ?? 'tokenizer.json', began = performance.now(), counted = { bytes: 0 };
    const tokenizer = await learn(args, io, counted), seconds = (performance.now() - began) / 1000;
    saveTokenizer(tokenizer, out);
    io.result({ file: out, vocabSize: tokenizer.vocabSize, bytes: counted.bytes, seconds }, `${tokenizer.vocabSize} tokens learnt from ${byteSize(counted.bytes)} in ${seconds.toFixed(1)} s, written to ${out}.`);
  },
};

async function learn(args: Arguments, io: Io, counted: { bytes: number }): Promise<Tokenizer> {
  const specialTokens = args.has('special-token') ? args.texts('special-token') : [END_OF_TEXT], kind = args.text('kind') ?? 'bpe';
  if (kind !== 'bpe' && kind !== 'chars') throw new ConfigError(`Unknown kind "${kind}"${didYouMean(kind, ['bpe', 'chars'])} Choose bpe or chars.`, { path: 'kind' });
  const texts = readTexts(args.words, { signal: io.signal, onProgress: (progress) => showProgress(io, progress) }, counted);
  if (kind === 'chars') return trainChars(texts, { specialTokens });
  const threads = args.number('threads'), minFrequency = args.number('min-frequency'), pattern = args.text('pattern');
  return trainBpeParallel(texts, {
    vocabSize: args.number('vocab-size') ?? 4096,
    specialTokens,
    signal: io.signal,
    ...(threads === undefined ? {} : { threads }),
    ...(minFrequency === undefined ? {} : { minFrequency }),
    ...(pattern === undefined ? {} : { pattern: pattern as SplitPattern }),
    onProgress: ({ stage, done, total }) => io.progress.update(() => (stage === 'count' ? `Counting words: ${done} characters` : `Merging pairs: ${done} of ${total} tokens`)),
  });
}

/** The texts of files as they are. @throws {StorageError} if there is none */
async function* readTexts(paths: readonly string[], work: WorkOptions, counted: { bytes: number }): AsyncGenerator<string> {
  const report = emptyReport(), files = await listFiles(paths, report, work);
  for await (const { text, bytes } of readDocuments(files.map((file) => ({ ...file })), report, { ...work, raw: true })) {
    counted.bytes += bytes;
    yield text;
  }
  if (counted.bytes === 0) throw new StorageError(`Cannot learn a vocabulary from ${paths.map((path) => `"${path}"`).join(', ')}: there is no text in ${report.files.found} files. Give files or folders with text.`, { path: paths[0]! });
}
