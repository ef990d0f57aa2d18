// Tokenizers in GGUF files: byte-level BPE, SentencePiece, WordPiece, as llama.cpp spells them. Layer: models (pure).
// See https://github.com/ggml-org/llama.cpp, src/llama-vocab.cpp (`tokenizer.ggml.*`).

import { ConfigError } from '../base/errors.ts';
import { ByteBpe } from '../tokenizer/byte-bpe.ts';
import { namedCut, regexCut, type ByteCut } from '../tokenizer/byte-cut.ts';
import { SPLIT_PATTERNS } from '../tokenizer/split-pattern.ts';
import { PIECE, spmTokenizer } from '../tokenizer/spm-vocabulary.ts';
import { Tokenizer, type AddedToken } from '../tokenizer/tokenizer.ts';
import { bertTokenizer } from '../tokenizer/bert-vocabulary.ts';
import type { GgufFields } from './gguf-fields.ts';
import { PRE_CUTS } from './gguf-pre.ts';
import { BYTES_KEY, pieceEntries, WITHIN_KEY } from './gguf-vocabulary.ts';
import type { GgufEntry } from './gguf-write.ts';
import { idFields, type SpecialIds } from './special-ids.ts';

/** Ours, where llama.cpp has no name: its value is the pattern. */
const PATTERN_KEY = 'athanor.tokenizer.pattern';

/** What is written of a tokenizer. */
export interface TokenizerEntries {
  readonly entries: readonly GgufEntry[];
  /** What another reader will not do as we do; nothing if all is well. */
  readonly note?: string;
}

/** The vocabulary part of a tokenizer.json's model section. */
interface BpeModel {
  readonly vocab: Readonly<Record<string, number>>;
  readonly merges: readonly (readonly [string, string])[];
  readonly ignore_merges: boolean;
}

/**
 * Metadata that describes a tokenizer to llama.cpp. Ids up to the model's vocabulary that it does not use are filled in.
 * Without a tokenizer, or with one that llama.cpp does not have, the file has none: its readers take ids.
 *
 * @param vocabSize rows of the embedding
 * @throws {ConfigError} if the tokenizer has more ids than the model
 */
export function tokenizerEntries(tokenizer: Tokenizer | undefined, vocabSize: number, special: SpecialIds): TokenizerEntries {
  const ids = specialEntries(special), none: GgufEntry[] = [{ key: 'tokenizer.ggml.model', type: 'string', value: 'none' }, ...ids];
  if (tokenizer === undefined) return { entries: none };
  const { model } = tokenizer, { prefix, suffix } = tokenizer.template, frame: GgufEntry[] = [
    ...(prefix.length > 0 && special.begin === undefined ? [{ key: 'tokenizer.ggml.bos_token_id', type: 'u32', value: prefix[0]! } as const] : []),
    ...(suffix.length > 0 && special.ends?.[0] === undefined ? [{ key: 'tokenizer.ggml.eos_token_id', type: 'u32', value: suffix[0]! } as const] : []),
    { key: 'tokenizer.ggml.add_bos_token', type: 'bool', value: prefix.length > 0 },
    { key: 'tokenizer.ggml.add_eos_token', type: 'bool', value: suffix.length > 0 },
  ];
  const made = model instanceof ByteBpe ? undefined : pieceEntries(tokenizer, vocabSize);
  if (typeof made === 'string') return { entries: none, note: `the tokenizer is not written, since ${made}: readers of this file need token ids` };
  if (tokenizer.vocabSize > vocabSize) throw new ConfigError(`Cannot write the tokenizer: it has ${tokenizer.vocabSize} ids, but the model's embedding only ${vocabSize} rows.`);
  if (made !== undefined) return { entries: [...made.entries, ...ids, ...frame], ...(made.notes.length === 0 ? {} : { note: made.notes.join('; ') }) };
  return byteBpeEntries(tokenizer, model as ByteBpe, vocabSize, [...ids, ...frame]);
}

function byteBpeEntries(tokenizer: Tokenizer, model: ByteBpe, vocabSize: number, rest: readonly GgufEntry[]): TokenizerEntries {
  const sections = model.toJson(), { merges, ignore_merges: ignoreMerges } = JSON.parse(sections.model) as BpeModel;
  const added = new Map(tokenizer.added.map((token) => [token.id, token]));
  const tokens = Array.from({ length: vocabSize }, (_, id) => tokenizer.tokenOf(id));
  const types = tokens.map((token, id) => (added.has(id) ? (added.get(id)!.special ? PIECE.control : PIECE.userDefined) : token === undefined ? PIECE.unused : PIECE.normal));
  const known = Object.entries(PRE_CUTS).find(([, cut]) => cut.pattern !== undefined && cut.pattern === model.cut.pattern && cut.ignoreMerges === ignoreMerges);
  const notes: string[] = [];
  if (known === undefined) notes.push(`llama.cpp knows no such way to cut text (${model.cut.pattern ?? 'an expression of its own'}): it cuts numbers into three digits`);
  if (sections.normalizer !== 'null') notes.push('Unicode normalisation is not written');
  return {
    entries: [
      { key: 'tokenizer.ggml.model', type: 'string', value: 'gpt2' },
      { key: 'tokenizer.ggml.pre', type: 'string', value: known?.[0] ?? 'smaug-bpe' },
      ...(known === undefined ? [{ key: PATTERN_KEY, type: 'string', value: model.cut.pattern ?? '' } as const] : []),
      { key: 'tokenizer.ggml.tokens', items: 'string', value: tokens.map((token, id) => token ?? `[PAD${id}]`) },
      { key: 'tokenizer.ggml.token_type', items: 'i32', value: types },
      { key: 'tokenizer.ggml.merges', items: 'string', value: merges.map(([left, right]) => `${left} ${right}`) },
      ...rest,
    ],
    ...(notes.length === 0 ? {} : { note: notes.join('; ') }),
  };
}

function specialEntries({ begin, ends: [end, turn] = [] }: SpecialIds): GgufEntry[] {
  const id = (key: string, value: number | undefined): GgufEntry[] => (value === undefined ? [] : [{ key: `tokenizer.ggml.${key}_token_id`, type: 'u32', value }]);
  return [...id('bos', begin), ...id('eos', end), ...id('eot', turn)];
}

/** A file's special ids, as config.json has them. */
export function specialIds(fields: GgufFields): Record<string, unknown> {
  const id = (name: string): number | undefined => fields.number(`tokenizer.ggml.${name}_token_id`);
  return idFields({ begin: id('bos'), ends: [...new Set([id('eos'), id('eot')])].filter((end) => end !== undefined) });
}

/**
 * The tokenizer of a file.
 *
 * @returns a tokenizer, or why there is none
 * @throws {FormatError} if what should be readable is damaged
 */
export function tokenizerOf(fields: GgufFields): Tokenizer | string {
  const kind = fields.string('tokenizer.ggml.model');
  switch (kind) {
    case undefined:
    case 'none':
    case 'no_vocab':
      return 'the file has no tokenizer';
    case 'gpt2':
      return byteBpeOf(fields);
    case 'llama':
    case 't5':
      return spmOf(fields, kind === 'llama' ? 'bpe' : 'unigram');
    case 'bert':
      return bertOf(fields);
    default:
      return `the file's tokenizer is of the kind "${kind}", which is not known here`;
  }
}

/** Tokens and their types. */
function vocabularyOf(fields: GgufFields): { tokens: readonly string[]; types: ArrayLike<number> } {
  const tokens = strings(fields, 'tokenizer.ggml.tokens'), types = fields.value('tokenizer.ggml.token_type');
  if (tokens.length === 0) throw fields.error('"tokenizer.ggml.tokens" is empty');
  return { tokens, types: types === undefined ? new Int32Array(tokens.length).fill(PIECE.normal) : numbers(fields, 'tokenizer.ggml.token_type', tokens.length) };
}

/** Tokens that are matched as a whole. The first of equal ones counts. */
function addedOf(tokens: readonly string[], types: ArrayLike<number>): AddedToken[] {
  const seen = new Set<string>();
  return tokens.flatMap((content, id): AddedToken[] => {
    const type = types[id]!;
    if ((type !== PIECE.control && type !== PIECE.userDefined) || content === '' || seen.has(content)) return [];
    seen.add(content);
    return [{ id, content, special: type === PIECE.control }];
  });
}

function byteBpeOf(fields: GgufFields): Tokenizer | string {
  const pre = fields.string('tokenizer.ggml.pre') ?? 'gpt-2', known = Object.hasOwn(PRE_CUTS, pre) ? PRE_CUTS[pre] : undefined;
  if (known === undefined) return `the file cuts text as "${pre}" does, which is not known here`;
  const own = fields.string(PATTERN_KEY), pattern = own === undefined ? known.pattern : SPLIT_PATTERNS.find((name) => name === own);
  if (own !== undefined && pattern === undefined) throw fields.error(`"${PATTERN_KEY}" is ${JSON.stringify(own)}, which is none of ${SPLIT_PATTERNS.join(', ')}`);
  const cut: ByteCut = pattern === undefined ? regexCut(known.regexes!) : namedCut(pattern);
  const { tokens, types } = vocabularyOf(fields), added = addedOf(tokens, types);
  const used = tokens.map((token, id) => (types[id] === PIECE.unused ? undefined : token));
  while (used.length > 0 && used.at(-1) === undefined) used.pop();
  const reserved = new Set(added.filter(({ special }) => special).map(({ id }) => id));
  const model = new ByteBpe({ tokens: used, merges: mergesOf(fields, used), reserved, ignoreMerges: known.ignoreMerges, pattern: cut });
  return new Tokenizer({ model, added, template: templateOf(fields, false) });
}

/** SentencePiece's BPE (`llama`) or Unigram (`t5`). */
function spmOf(fields: GgufFields, kind: 'bpe' | 'unigram'): Tokenizer {
  const { tokens, types } = vocabularyOf(fields), flag = (key: string, absent: boolean): boolean => (fields.value(key) ?? absent) === true;
  const charsmap = fields.value('tokenizer.ggml.precompiled_charsmap');
  try {
    return spmTokenizer({
      kind,
      pieces: tokens,
      scores: numbers(fields, 'tokenizer.ggml.scores', tokens.length),
      types,
      byteFallback: kind === 'bpe' || flag(BYTES_KEY, false),
      addDummyPrefix: flag('tokenizer.ggml.add_space_prefix', true),
      removeExtraWhitespaces: flag('tokenizer.ggml.remove_extra_whitespaces', false),
      charsmap: charsmap instanceof Uint8Array ? charsmap : charsmap instanceof Int8Array ? new Uint8Array(charsmap.buffer) : undefined,
      cutsFirst: !flag(WITHIN_KEY, false),
      template: templateOf(fields, kind === 'bpe', kind === 'unigram'),
    });
  } catch (cause) {
    if (cause instanceof RangeError) throw fields.error(`"tokenizer.ggml.precompiled_charsmap" ${cause.message}`);
    throw cause;
  }
}

/** BERT's WordPiece, whose tokens llama.cpp spells with a sign before words, not before what is inside of them. */
function bertOf(fields: GgufFields): Tokenizer {
  const { tokens, types } = vocabularyOf(fields), id = (name: string): number | undefined => fields.number(`tokenizer.ggml.${name}_token_id`);
  const unknown = id('unknown') ?? tokens.indexOf('[UNK]'), added = addedOf(tokens, types);
  if (tokens[unknown] === undefined) throw fields.error('its vocabulary has no token for the unknown');
  const isWhole = (at: number): boolean => types[at] !== PIECE.normal || /^\[.*\]$/.test(tokens[at]!);
  const spelled = tokens.map((token, at) => (isWhole(at) ? token : token.startsWith('\u2581') ? token.slice(1) : `##${token}`));
  const begin = id('cls') ?? id('bos'), end = id('seperator') ?? id('eos'); // the key is spelled so
  const lowercase = fields.value('tokenizer.ggml.normalizer.lowercase') !== false, stripAccents = (fields.value('tokenizer.ggml.normalizer.strip_accents') ?? lowercase) === true;
  return bertTokenizer({ tokens: spelled, unknown, added, lowercase, stripAccents, template: { prefix: begin === undefined ? [] : [begin], suffix: end === undefined ? [] : [end] } });
}

/** @param begins and ends: what holds where the file does not say */
function templateOf(fields: GgufFields, begins: boolean, ends = false): { prefix: number[]; suffix: number[] } {
  const side = (flag: string, id: string, absent: boolean): number[] => {
    const token = fields.number(`tokenizer.ggml.${id}_token_id`);
    return (fields.value(`tokenizer.ggml.${flag}`) ?? absent) === true && token !== undefined ? [token] : [];
  };
  return { prefix: side('add_bos_token', 'bos', begins), suffix: side('add_eos_token', 'eos', ends) };
}

function numbers(fields: GgufFields, key: string, length: number): ArrayLike<number> {
  const value = fields.value(key);
  if (!ArrayBuffer.isView(value) || value instanceof BigInt64Array || value instanceof BigUint64Array) throw fields.error(`"${key}" should be a list of numbers`);
  const list = value as unknown as ArrayLike<number>;
  if (list.length !== length) throw fields.error(`it has ${length} tokens, but "${key}" has ${list.length} items`);
  return list;
}

function strings(fields: GgufFields, key: string): readonly string[] {
  const value = fields.value(key);
  if (Array.isArray(value) && value.every((item) => typeof item === 'string')) return value as readonly string[];
  throw fields.error(`"${key}" should be a list of strings`);
}

/** Pairs and what they become. */
function mergesOf(fields: GgufFields, tokens: readonly (string | undefined)[]): Int32Array {
  const ids = new Map(tokens.map((token, id) => [token, id])), merges = strings(fields, 'tokenizer.ggml.merges'), out = new Int32Array(3 * merges.length);
  merges.forEach((merge, i) => {
    const blank = merge.indexOf(' ', 1), left = merge.slice(0, blank), right = merge.slice(blank + 1); // blanks are Ġ in tokens
    [left, right, left + right].forEach((token, place) => {
      const id = blank < 0 ? undefined : ids.get(token);
      if (id === undefined) throw fields.error(`merge ${i}, ${JSON.stringify(merge)}, is not made of the vocabulary's tokens`);
      out[3 * i + place] = id;
    });
  });
  return out;
}
