// The formats that strangers' files come in: valid ones to begin with, how they are damaged, and what reads them.

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createModel, FAMILIES, initialise, loadGguf, parseConfig, saveGguf } from '../../src/models/index.ts';
import { parseJson } from '../../src/base/checked-json.ts';
import { WeightFile } from '../../src/models/weight-files.ts';
import { ChatTemplate } from '../../src/tokenizer/chat-template.ts';
import { loadTokenizer, parseTokenizer, Tokenizer } from '../../src/tokenizer/index.ts';
import { SMALL } from '../tokenizer/chat-templates.ts';
import { damagedBytes, damagedJson, damagedText, type Chance } from './mutate.ts';

/** A format under test. */
export interface Fuzzed {
  /** A damaged file. */
  make(chance: Chance): Uint8Array;
  /** Reads it as the library does: it may throw what says that a file is damaged. */
  read(bytes: Uint8Array): void | Promise<void>;
  close(): void | Promise<void>;
}

const golden = (path: string): string => new URL(`../golden/${path}`, import.meta.url).pathname;
const encode = (text: string): Uint8Array => new TextEncoder().encode(text);
const decode = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);

function scratchFile(name: string): { path: string; close: () => void } {
  const folder = mkdtempSync(join(tmpdir(), 'athanor-fuzz-'));
  return { path: join(folder, name), close: () => rmSync(folder, { recursive: true, force: true }) };
}

function safetensors(): Fuzzed {
  const { path, close } = scratchFile('a.safetensors'), files = ['safetensors/types.safetensors', 'models/llama-tied/model.safetensors'].map((name) => readFileSync(golden(name)));
  return {
    make(chance): Uint8Array {
      const file = chance.one(files), length = Number(file.readBigUInt64LE(0)), rest = file.subarray(8 + length);
      if (chance.flip(0.3)) return damagedBytes(file, 8 + length, chance);
      const header = encode(damagedJson(JSON.parse(file.toString('utf8', 8, 8 + length)), chance)), prefix = Buffer.alloc(8);
      prefix.writeBigUInt64LE(BigInt(header.length));
      return Buffer.concat([prefix, header, rest]);
    },
    read(bytes): void {
      writeFileSync(path, bytes);
      const file = new WeightFile(path, undefined);
      for (const tensor of [...file.tensors.values()].slice(0, 20)) file.readF32(tensor, new Float32Array(tensor.shape.reduce((a, b) => a * b, 1)));
      file.close();
    },
    close,
  };
}

async function gguf(): Promise<Fuzzed> {
  const { path, close } = scratchFile('a.gguf'), model = createModel(FAMILIES['llama']!, FAMILIES['llama']!.tiny), tokenizer = loadTokenizer(golden('tokenizer/cl100k.tokenizer.json'));
  const wide = createModel(FAMILIES['llama']!, { ...FAMILIES['llama']!.tiny, vocab_size: Math.max(tokenizer.vocabSize, model.dims.vocabSize) });
  await saveGguf(path, { model: wide, read: (state) => initialise(state, 1), mixture: 'f32', tokenizer });
  const file = readFileSync(path), headerBytes = file.indexOf('token_embd') + 1500;
  return {
    make: (chance) => damagedBytes(file, chance.flip(0.2) ? headerBytes : chance.one([64, 700, headerBytes]), chance),
    read(bytes): void {
      writeFileSync(path, bytes);
      const loaded = loadGguf(path);
      for (const state of loaded.model.states) loaded.read(state);
      loaded.close();
    },
    close,
  };
}

function tokenizer(): Fuzzed {
  const files = ['characters', 'cl100k', 'gpt2'].map((name) => JSON.parse(readFileSync(golden(`tokenizer/${name}.tokenizer.json`), 'utf8')) as Record<string, unknown>);
  return {
    make: (chance) => encode(damagedJson(chance.flip(0.5) ? chance.one(files) : shallow(chance.one(files)), chance)),
    read(bytes): void {
      const made = parseTokenizer(decode(bytes), 'fuzz.json');
      made.decode(made.encode('the 12345 cat — 你好 🎈\n\n  aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!'));
    },
    close: () => undefined,
  };
}

/** A tokenizer with a small vocabulary, so that damage meets everything else. */
function shallow(file: Record<string, unknown>): Record<string, unknown> {
  const model = file['model'] as { vocab: Record<string, number>; merges?: unknown[] };
  return { ...file, model: { ...model, vocab: Object.fromEntries(Object.entries(model.vocab).filter(([, id]) => id < 262)), merges: model.merges?.slice(0, 3) } };
}

function config(): Fuzzed {
  const configs = Object.entries(FAMILIES).map(([model_type, family]) => ({ model_type, ...family.tiny, ...family.written }));
  return {
    make: (chance) => encode(damagedJson(chance.one(configs), chance)),
    read(bytes): void {
      const { family, config: parsed } = parseConfig(parseJson(decode(bytes), 'config.json').value, 'config.json');
      createModel(family, parsed);
    },
    close: () => undefined,
  };
}

/** Words of templates. */
const WORDS = ['{{', '}}', '{%', '%}', 'for', 'endfor', 'if', 'endif', 'set', 'macro', ' in ', 'messages', 'range(99999)', '|', 'tojson', 'trim', '.__proto__', '.constructor', '[0]', '[-1]', '()', '~', "'", '{#', '#}', '-%}', 'loop.index0', 'namespace(x=1)', 'none', 'true', '**', '//', '%'];

function chatTemplate(): Fuzzed {
  const base = loadTokenizer(golden('tokenizer/cl100k.tokenizer.json')), made = new Tokenizer({ model: base.model, added: [{ id: base.vocabSize, content: '<|im_end|>', special: true }] });
  return {
    make: (chance) => encode(damagedText(damagedText(chance.one(Object.values(SMALL)), chance, WORDS), chance, WORDS)),
    async read(bytes): Promise<void> {
      const template = new ChatTemplate({ path: 'fuzz.jinja', templates: new Map([['default', decode(bytes)]]), variables: { bos_token: '<s>' } }, made);
      try {
        await template.render({ messages: [{ role: 'user', content: 'a <|im_end|> b' }, { role: 'assistant', content: 'c' }], tools: [{ name: 'd' }] });
      } finally {
        await template.close();
      }
    },
    close: () => undefined,
  };
}

export const FORMATS: Readonly<Record<string, () => Fuzzed | Promise<Fuzzed>>> = { safetensors, gguf, tokenizer, config, 'chat-template': chatTemplate };
