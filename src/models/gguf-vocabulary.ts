// Tokenizers of pieces as llama.cpp has them: SentencePiece's BPE (`llama`), Unigram (`t5`), WordPiece (`bert`).
// Layer: models (pure). See https://github.com/ggml-org/llama.cpp, src/llama-vocab.cpp and conversion/base.py.

import { Pipeline } from '../tokenizer/pipeline.ts';
import { PIECE } from '../tokenizer/spm-vocabulary.ts';
import type { Tokenizer } from '../tokenizer/tokenizer.ts';
import type { GgufEntry } from './gguf-write.ts';

/** What llama.cpp is told of a vocabulary, and what it will do otherwise. */
export interface Vocabulary {
  readonly entries: readonly GgufEntry[];
  readonly notes: readonly string[];
}

/** A step of a tokenizer.json. */
type Step = Readonly<Record<string, unknown>>;

/** The sections of a tokenizer.json, its sequences as lists. */
interface Sections {
  readonly normalizers: readonly Step[];
  readonly preTokenizers: readonly Step[];
  readonly model: Step;
}

/** The sign for a blank. */
const SIGN = '\u2581';

/**
 * Metadata of a tokenizer that joins pieces, without ids that config.json has too; or why llama.cpp has no such.
 *
 * @param vocabSize rows of the embedding: ids beyond the tokenizer's are filled in
 */
export function pieceEntries(tokenizer: Tokenizer, vocabSize: number): Vocabulary | string {
  if (!(tokenizer.model instanceof Pipeline)) return `a tokenizer of ${tokenizer.model.kind} is not known to llama.cpp`;
  const text = tokenizer.model.toJson(), list = (section: string, key: string): Step[] => flat(JSON.parse(section) as Step | null, key);
  const sections: Sections = { normalizers: list(text.normalizer, 'normalizers'), preTokenizers: list(text.pre_tokenizer, 'pretokenizers'), model: JSON.parse(text.model) as Step };
  const made = sections.model['type'] === 'WordPiece' ? wordPieces(tokenizer, vocabSize, sections) : sections.model['type'] === 'Unigram' ? unigram(tokenizer, vocabSize, sections) : mergedPieces(tokenizer, vocabSize, sections);
  if (typeof made === 'string' || !tokenizer.added.some(({ lstrip, rstrip, singleWord }) => lstrip || rstrip || singleWord)) return made;
  return { ...made, notes: [...made.notes, 'added tokens take no blanks beside them along there, and stand inside of words too'] };
}

function flat(step: Step | null, key: string): Step[] {
  if (step === null) return [];
  return step['type'] === 'Sequence' ? (step[key] as Step[]).flatMap((part) => flat(part, key)) : [step];
}

/** How blanks are treated, and a table of replacements. */
interface Blanks {
  addSpacePrefix: boolean;
  removeExtraWhitespaces: boolean;
  charsmap: Uint8Array | undefined;
  readonly notes: string[];
}

/** What steps before SentencePiece's models come to; or the one that llama.cpp does not take. */
function blanksOf({ normalizers, preTokenizers }: Sections): Blanks | string {
  const found: Blanks = { addSpacePrefix: false, removeExtraWhitespaces: false, charsmap: undefined, notes: [] };
  for (const step of [...normalizers, ...preTokenizers]) {
    const pattern = JSON.stringify(step['pattern'] ?? null);
    switch (step['type']) {
      case 'Precompiled':
        found.charsmap = Uint8Array.from(atob(step['precompiled_charsmap'] as string), (character) => character.charCodeAt(0));
        break;
      case 'Prepend':
        if (step['prepend'] !== SIGN) return `"${String(step['prepend'])}" before a text`;
        found.addSpacePrefix = true;
        break;
      case 'Metaspace':
        if (step['replacement'] !== SIGN) return `"${String(step['replacement'])}" for blanks`;
        found.addSpacePrefix = step['prepend_scheme'] !== 'never';
        if (step['prepend_scheme'] === 'first') found.notes.push('a blank goes before every part between special tokens there, here only before a text that does not begin with one');
        break;
      case 'Replace':
        if (pattern === '{"Regex":" {2,}"}' && [' ', SIGN].includes(step['content'] as string)) found.removeExtraWhitespaces = true;
        else if (pattern !== '{"String":" "}' || step['content'] !== SIGN) return `the replacement of ${pattern}`;
        break;
      case 'Split': // by blanks, of which a replacement has left none
        if (pattern !== '{"String":" "}' || !normalizers.some(({ content }) => content === SIGN)) return `cuts by ${pattern}`;
        break;
      case 'Strip':
      case 'WhitespaceSplit':
        found.removeExtraWhitespaces = true;
        break;
      default:
        return `the step ${String(step['type'])}`;
    }
  }
  return found;
}

/** Tokens by id up to `vocabSize`, and their types. @param typeOf those that are no added tokens */
function tokensOf(tokenizer: Tokenizer, vocabSize: number, typeOf: (token: string, id: number) => number): { tokens: string[]; types: number[] } {
  const added = new Map(tokenizer.added.map((token) => [token.id, token])), tokens: string[] = [], types: number[] = [];
  for (let id = 0; id < vocabSize; id++) {
    const token = tokenizer.tokenOf(id), own = token === undefined ? PIECE.unused : typeOf(token, id), plain = added.get(id);
    tokens.push(token ?? `[PAD${id}]`);
    types.push(plain === undefined || own === PIECE.unknown ? own : plain.special ? PIECE.control : PIECE.userDefined);
  }
  return { tokens, types };
}

/** Ours, where llama.cpp has no word for it: user-defined pieces lie within one text; Unigram falls back to bytes. */
export const WITHIN_KEY = 'athanor.tokenizer.user_defined_within', BYTES_KEY = 'athanor.tokenizer.byte_fallback';

function spmEntries(model: string, tokens: readonly string[], types: readonly number[], scores: ArrayLike<number>, blanks: Blanks): GgufEntry[] {
  const unknown = types.indexOf(PIECE.unknown);
  return [
    { key: 'tokenizer.ggml.model', type: 'string', value: model },
    { key: 'tokenizer.ggml.pre', type: 'string', value: 'default' },
    { key: 'tokenizer.ggml.tokens', items: 'string', value: tokens },
    { key: 'tokenizer.ggml.scores', items: 'f32', value: scores },
    { key: 'tokenizer.ggml.token_type', items: 'i32', value: types },
    ...(unknown < 0 ? [] : [{ key: 'tokenizer.ggml.unknown_token_id', type: 'u32', value: unknown } as const]),
    { key: 'tokenizer.ggml.add_space_prefix', type: 'bool', value: blanks.addSpacePrefix },
    { key: 'tokenizer.ggml.remove_extra_whitespaces', type: 'bool', value: blanks.removeExtraWhitespaces },
    ...(blanks.charsmap === undefined ? [] : [{ key: 'tokenizer.ggml.precompiled_charsmap', items: 'u8', value: blanks.charsmap } as const]),
  ];
}

const flag = (key: string, value: boolean): GgufEntry[] => (value ? [{ key, type: 'bool', value }] : []);

const BYTE = /^<0x[0-9A-F]{2}>$/;

/** SentencePiece's BPE, whose merges llama.cpp finds by scores. */
function mergedPieces(tokenizer: Tokenizer, vocabSize: number, sections: Sections): Vocabulary | string {
  const blanks = blanksOf(sections), { model } = sections, { tokens: own, wholes = [] } = (tokenizer.model as Pipeline).model;
  if (typeof blanks === 'string') return `llama.cpp has no ${blanks} with SentencePiece's BPE`;
  if (model['byte_fallback'] !== true || own.filter((token) => token !== undefined && BYTE.test(token)).length !== 256) return 'llama.cpp ends where such a vocabulary has no token for each byte';
  const { notes } = blanks, whole = new Set(wholes.map(({ id }) => id));
  const { tokens, types } = tokensOf(tokenizer, vocabSize, (token, id) => (token === model['unk_token'] ? PIECE.unknown : BYTE.test(token) ? PIECE.byte : whole.has(id) ? PIECE.userDefined : PIECE.normal));
  const { scores, isExact } = scoresOf(tokens, types, model['merges'] as [string, string][]);
  if (!isExact) notes.push('its merges do not follow from scores, which is all that llama.cpp has: some words come out otherwise there');
  if (model['ignore_merges'] === true) notes.push('llama.cpp takes no word whole that merges do not make');
  if (blanks.charsmap !== undefined) notes.push('llama.cpp does not replace characters before this kind of vocabulary');
  if (blanks.removeExtraWhitespaces) notes.push('llama.cpp leaves blanks in a row as they are');
  if (wholes.length > 0) notes.push('user-defined pieces cut the text there, and what follows one gets a blank');
  return { entries: [...spmEntries('llama', tokens, types, scores, blanks), ...flag(WITHIN_KEY, wholes.length > 0)], notes };
}

/** A token's score: the earlier its merges come, the higher. Exact if the merges are all that scores would find, in their order. */
function scoresOf(tokens: readonly string[], types: readonly number[], merges: readonly (readonly [string, string])[]): { scores: Float32Array; isExact: boolean } {
  const isPlain = (id: number): boolean => types[id] === PIECE.normal || types[id] === PIECE.userDefined;
  const ids = new Map(tokens.flatMap((token, id) => (isPlain(id) ? [[token, id] as const] : []))), scores = new Float32Array(tokens.length).fill(-1e6), seen = new Map<number, number>();
  let isExact = true, before = -1;
  merges.forEach(([left, right]) => {
    const id = ids.get(left + right);
    if (id === undefined) return;
    if (!seen.has(id)) scores[id] = -seen.size;
    else if (before !== id) isExact = false;
    seen.set(id, (seen.get(id) ?? 0) + 1);
    before = id;
  });
  for (const [token, id] of ids) {
    let ways = 0;
    for (let i = 1; i < token.length; i++) { if (ids.has(token.slice(0, i)) && ids.has(token.slice(i))) ways++; }
    if (ways !== (seen.get(id) ?? 0) && types[id] === PIECE.normal) isExact = false;
  }
  return { scores, isExact };
}

function unigram(tokenizer: Tokenizer, vocabSize: number, sections: Sections): Vocabulary | string {
  const blanks = blanksOf(sections), { model } = sections, vocab = model['vocab'] as [string, number][];
  if (typeof blanks === 'string') return `llama.cpp has no ${blanks} before Unigram`;
  const { notes } = blanks, hasBytes = model['byte_fallback'] === true;
  const { tokens, types } = tokensOf(tokenizer, vocabSize, (token, id) => (id === model['unk_id'] ? PIECE.unknown : hasBytes && BYTE.test(token) ? PIECE.byte : PIECE.normal));
  if (hasBytes) notes.push('llama.cpp has one token for what Unigram does not know, not its bytes');
  if (sections.preTokenizers.some(({ split }) => split !== false) && tokens.some((token, id) => types[id] === PIECE.normal && token.indexOf(SIGN, 1) > 0 && !/^\u2581+$/.test(token))) notes.push('tokens with a blank inside are used there');
  return { entries: [...spmEntries('t5', tokens, types, Float32Array.from(tokens, (_, id) => vocab[id]?.[1] ?? -1e6), blanks), ...flag(BYTES_KEY, hasBytes)], notes };
}

/** BERT's, with a sign before words instead of one before what is inside of them. */
function wordPieces(tokenizer: Tokenizer, vocabSize: number, { normalizers: [first, ...more], preTokenizers, model }: Sections): Vocabulary | string {
  const isKnown = first?.['type'] === 'BertNormalizer' && more.length === 0 && first['clean_text'] !== false && first['handle_chinese_chars'] !== false && preTokenizers.length === 1 && preTokenizers[0]!['type'] === 'BertPreTokenizer';
  if (!isKnown || model['continuing_subword_prefix'] !== '##') return 'llama.cpp has WordPiece only behind the steps of BERT';
  const lowercase = first['lowercase'] !== false, stripAccents = (first['strip_accents'] as boolean | null | undefined) ?? lowercase;
  const { tokens, types } = tokensOf(tokenizer, vocabSize, (token) => (token === model['unk_token'] ? PIECE.unknown : PIECE.normal));
  const spelled = tokens.map((token, id) => (types[id] !== PIECE.normal || /^\[.*\]$/.test(token) ? token : token.startsWith('##') ? token.slice(2) : SIGN + token));
  const unknown = types.indexOf(PIECE.unknown), { prefix, suffix } = tokenizer.template;
  // Without one of these llama.cpp takes those of BERT's own vocabulary, which may be none of this one's.
  const ids = { seperator: suffix[0] ?? tokenizer.idOf('[SEP]'), cls: prefix[0] ?? tokenizer.idOf('[CLS]'), padding: tokenizer.idOf('[PAD]'), mask: tokenizer.idOf('[MASK]'), unknown };
  return {
    entries: [
      { key: 'tokenizer.ggml.model', type: 'string', value: 'bert' },
      { key: 'tokenizer.ggml.pre', type: 'string', value: 'default' },
      { key: 'tokenizer.ggml.tokens', items: 'string', value: spelled },
      { key: 'tokenizer.ggml.token_type', items: 'i32', value: types },
      ...Object.entries(ids).map(([name, id]) => ({ key: `tokenizer.ggml.${name}_token_id`, type: 'u32', value: id ?? unknown }) as const),
      { key: 'tokenizer.ggml.normalizer.lowercase', type: 'bool', value: lowercase },
      { key: 'tokenizer.ggml.normalizer.strip_accents', type: 'bool', value: stripAccents },
    ],
    notes: prefix.length > 0 && suffix.length > 0 ? [] : ['llama.cpp puts a token before and one behind every text of such a vocabulary'],
  };
}
