// Tokenizers in GGUF files: byte-level BPE as llama.cpp spells it. Layer: models (pure).
// See https://github.com/ggml-org/llama.cpp, src/llama-vocab.cpp (`tokenizer.ggml.*`, the regular expressions behind `pre`).

import { ConfigError } from '../base/errors.ts';
import { ByteBpe } from '../tokenizer/byte-bpe.ts';
import type { SplitPattern } from '../tokenizer/split-pattern.ts';
import { Tokenizer, type AddedToken } from '../tokenizer/tokenizer.ts';
import type { GgufFields } from './gguf-families.ts';
import type { GgufEntry } from './gguf-write.ts';
import { idFields, type SpecialIds } from './special-ids.ts';

/** What `tokenizer.ggml.token_type` says of a token. */
const NORMAL = 1, CONTROL = 3, USER_DEFINED = 4, UNUSED = 5;

/** How a text is cut, and whether a piece that is a token is taken as it is. */
interface Cut {
  readonly pattern: SplitPattern;
  readonly ignoreMerges: boolean;
}

/** Names of `tokenizer.ggml.pre` whose regular expressions match one of our patterns. */
const PRE: Readonly<Record<string, Cut>> = {
  'gpt-2': { pattern: 'gpt2', ignoreMerges: false },
  'llama-bpe': { pattern: 'cl100k', ignoreMerges: true },
  'smaug-bpe': { pattern: 'cl100k', ignoreMerges: false },
  qwen2: { pattern: 'cl100k-digits1', ignoreMerges: false },
};

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
 * Without a tokenizer, or with one that is no byte-level BPE, the file has none: its readers take ids.
 *
 * @param vocabSize rows of the embedding
 * @throws {ConfigError} if the tokenizer has more ids than the model
 */
export function tokenizerEntries(tokenizer: Tokenizer | undefined, vocabSize: number, special: SpecialIds): TokenizerEntries {
  const ids = specialEntries(special), none: GgufEntry[] = [{ key: 'tokenizer.ggml.model', type: 'string', value: 'none' }, ...ids];
  if (tokenizer === undefined) return { entries: none };
  const { model } = tokenizer;
  if (!(model instanceof ByteBpe)) return { entries: none, note: 'the tokenizer is no byte-level BPE, which is all that is written: readers of this file need token ids' };
  if (tokenizer.vocabSize > vocabSize) throw new ConfigError(`Cannot write the tokenizer: it has ${tokenizer.vocabSize} ids, but the model's embedding only ${vocabSize} rows.`);
  const sections = model.toJson(), { merges, ignore_merges: ignoreMerges } = JSON.parse(sections.model) as BpeModel;
  const added = new Map(tokenizer.added.map((token) => [token.id, token]));
  const tokens = Array.from({ length: vocabSize }, (_, id) => tokenizer.tokenOf(id));
  const types = tokens.map((token, id) => (added.has(id) ? (added.get(id)!.special ? CONTROL : USER_DEFINED) : token === undefined ? UNUSED : NORMAL));
  const known = Object.entries(PRE).find(([, cut]) => cut.pattern === model.cut.pattern && cut.ignoreMerges === ignoreMerges);
  const { prefix, suffix } = tokenizer.template, notes: string[] = [];
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
      ...ids,
      ...(prefix.length > 0 && special.begin === undefined ? [{ key: 'tokenizer.ggml.bos_token_id', type: 'u32', value: prefix[0]! } as const] : []),
      { key: 'tokenizer.ggml.add_bos_token', type: 'bool', value: prefix.length > 0 },
      { key: 'tokenizer.ggml.add_eos_token', type: 'bool', value: suffix.length > 0 },
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
  if (kind === undefined || kind === 'none' || kind === 'no_vocab') return 'the file has no tokenizer';
  if (kind !== 'gpt2') return `the file's tokenizer is of the kind "${kind}", and only byte-level BPE ("gpt2") is read yet`;
  const pre = fields.string('tokenizer.ggml.pre') ?? 'gpt-2', own = fields.string(PATTERN_KEY), cut = Object.hasOwn(PRE, pre) ? PRE[pre]! : undefined;
  if (cut === undefined) return `the file cuts text as "${pre}" does, which is not known here`;
  const tokens = strings(fields, 'tokenizer.ggml.tokens'), types = fields.value('tokenizer.ggml.token_type') as ArrayLike<number> | undefined;
  if (types !== undefined && types.length !== tokens.length) throw fields.error(`it has ${tokens.length} tokens, but types for ${types.length}`);
  const typeOf = (id: number): number => Number(types?.[id] ?? NORMAL);
  const added = tokens.flatMap((content, id): AddedToken[] => ([CONTROL, USER_DEFINED].includes(typeOf(id)) ? [{ id, content, special: typeOf(id) === CONTROL }] : []));
  const used = tokens.map((token, id) => (typeOf(id) === UNUSED ? undefined : token));
  while (used.length > 0 && used.at(-1) === undefined) used.pop();
  const model = new ByteBpe({
    tokens: used,
    merges: mergesOf(fields, used),
    reserved: new Set(added.filter(({ special }) => special).map(({ id }) => id)),
    ignoreMerges: cut.ignoreMerges,
    pattern: (own ?? cut.pattern) as SplitPattern,
  });
  return new Tokenizer({ model, added, template: templateOf(fields) });
}

function templateOf(fields: GgufFields): { prefix: number[]; suffix: number[] } {
  const side = (flag: string, id: string): number[] => {
    const token = fields.number(`tokenizer.ggml.${id}_token_id`);
    return fields.value(`tokenizer.ggml.${flag}`) === true && token !== undefined ? [token] : [];
  };
  return { prefix: side('add_bos_token', 'bos'), suffix: side('add_eos_token', 'eos') };
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
