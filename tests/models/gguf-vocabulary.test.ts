// Tokenizers of pieces in GGUF files: what is read back, and what llama.cpp makes of them.

import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { createModel, FAMILIES, initialise, loadGguf, saveGguf } from '../../src/models/index.ts';
import { parseTokenizer, parseSentencePiece, type Tokenizer } from '../../src/tokenizer/index.ts';
import { strangerPath } from '../strangers.ts';

const scratch = mkdtempSync(join(tmpdir(), 'athanor-gguf-vocabulary-'));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

const FOLDER = new URL('../golden/tokenizer/pipelines/', import.meta.url), SAMPLES = (JSON.parse(readFileSync(new URL('expected.json', FOLDER), 'utf8')) as { samples: string[] }).samples;

function tokenizerOf(name: string): Tokenizer {
  const bytes = readFileSync(new URL(name, FOLDER));
  return name.endsWith('.model') ? parseSentencePiece(bytes, name) : parseTokenizer(bytes.toString());
}

/** A file of a tiny model with the tokenizer, and what its reader is told. */
async function written(name: string, tokenizer = tokenizerOf(name)): Promise<{ path: string; note: string | undefined }> {
  const path = join(scratch, `${name}.gguf`), model = createModel(FAMILIES.llama!, { ...FAMILIES.llama!.tiny, vocab_size: tokenizer.vocabSize + 2 } as never);
  return { path, note: await saveGguf(path, { model, read: (state) => initialise(state, 1), mixture: 'f32', tokenizer }) };
}

const idsOf = (tokenizer: Tokenizer, samples: readonly string[]): [string, number[]][] => samples.map((text) => [text, [...tokenizer.encode(text, { addSpecialTokens: false })]]);

function readBack(path: string): Tokenizer {
  const file = loadGguf(path), { tokenizer } = file;
  file.close();
  if (typeof tokenizer === 'string') throw new Error(tokenizer);
  return tokenizer;
}

/** What is not the same, and why. */
const NOTES: Record<string, RegExp> = {
  'phi3.json': /take no blanks beside them/,
  'mistral.json': /before a text that does not begin with one/,
  'bpe.model': /cut the text there/,
  't5.json': /take no blanks beside them/,
  'unigram-bytes.model': /not its bytes/,
  'bert.json': /take no blanks beside them/,
};
/** Samples that others cut otherwise: a blank before the text (mistral.json), a sign for a blank in it (xlmr.json). */
const READ_OTHERWISE: Record<string, RegExp> = { 'mistral.json': /^ /, 'xlmr.json': /\u2581/ };
/** llama.cpp makes every "<|end|>" a control token, has no longest word, takes the sign for a blank as the start of a word, and U+0085 for a blank. */
const ENCODED_OTHERWISE: Record<string, RegExp> = { 'bpe.model': /<\|end\|>| {2}/, 'bert.json': /x{101}|\u2581|\u0085/ };

const peer = strangerPath('node-llama-cpp');
describe.each(['llama2.json', 'phi3.json', 'mistral.json', 'gemma.json', 'bpe.model', 't5.json', 'xlmr.json', 'unigram.model', 'unigram-bytes.model', 'bert.json'])('%s', (name) => {
  it('comes back', async () => {
    const { path, note } = await written(name), given = tokenizerOf(name), back = readBack(path), samples = SAMPLES.filter((text) => !READ_OTHERWISE[name]?.test(text));
    if (NOTES[name] === undefined) expect(note).toBeUndefined();
    else expect(note).toMatch(NOTES[name]);
    expect(idsOf(back, samples)).toEqual(idsOf(given, samples));
    expect(back.template).toMatchObject({ prefix: given.template.prefix, suffix: given.template.suffix });
  });

  it.skipIf(peer === undefined)('has the same ids in llama.cpp (skipped: node-llama-cpp is not installed)', async () => {
    const { getLlama } = await import(peer!) as { getLlama(options: object): Promise<{ loadModel(options: object): Promise<{ tokenize(text: string): number[]; dispose(): Promise<void> }> }> };
    const llama = await getLlama({ gpu: false, build: 'never', logLevel: 'disabled', maxThreads: 1 }), { path } = await written(name), model = await llama.loadModel({ modelPath: path, vocabOnly: true });
    const ours = readBack(path), isByte = (id: number): boolean => name === 'unigram-bytes.model' && ours.tokenOf(id)!.startsWith('<0x');
    const samples = SAMPLES.filter((text) => !ENCODED_OTHERWISE[name]?.test(text) && ![...ours.encode(text)].some(isByte));
    expect(samples.length).toBeGreaterThan(4);
    expect(samples.map((text) => [text, [...model.tokenize(text)]])).toEqual(idsOf(ours, samples));
    await model.dispose();
  });
});
