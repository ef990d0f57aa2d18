// tokenizer.json: the file format of Hugging Face tokenizers, read and written. Layer: tokenizer (pure).
// Only what is understood is read: a part that would change the ids and is not known is an error, never ignored.
// Source: github.com/huggingface/tokenizers 0.23, tokenizers/src/tokenizer/serialization.rs and models.

import { parseJson, type JsonNode } from '../base/checked-json.ts';
import type { AddedToken } from './added-tokens.ts';
import { ByteBpe } from './byte-bpe.ts';
import { Characters } from './characters.ts';
import { readDecoder } from './json-decoder.ts';
import { readNormalizer } from './json-normalizer.ts';
import { readPostProcessor } from './json-post-processor.ts';
import { readByteCut, readPreTokenizer } from './json-pre-tokenizer.ts';
import { readAddedTokens, readMerges, readScores, readTokenId, readVocabulary, type Vocabulary } from './json-vocabulary.ts';
import { MergeBpe } from './merge-bpe.ts';
import type { PieceModel } from './piece-model.ts';
import { Pipeline } from './pipeline.ts';
import type { TokenModel } from './token-model.ts';
import { Tokenizer } from './tokenizer.ts';
import { Unigram } from './unigram.ts';
import { WordPiece } from './word-piece.ts';

/** What a `model` section is read with. */
interface ModelContext {
  readonly vocabulary: Vocabulary;
  /** Special tokens, which text must never give. */
  readonly reserved: ReadonlySet<number>;
}

/**
 * Reads the text of a tokenizer.json.
 *
 * @param file its name, for messages
 * @throws {FormatError} if it is damaged, contradicts itself, or asks for what is not supported
 */
export function parseTokenizer(json: string, file = 'tokenizer.json'): Tokenizer {
  const root = parseJson(json, file), model = root.field('model'), type = modelType(model);
  const scored = type === 'Unigram' ? readScores(model.field('vocab')) : undefined, vocabulary = scored ?? readVocabulary(model.field('vocab'));
  const added = readAddedTokens(root.field('added_tokens'), vocabulary);
  const context = { vocabulary, reserved: new Set(added.filter((token) => token.special).map((token) => token.id)) };
  const framing = readPostProcessor(root.field('post_processor'));
  const whole = (made: TokenModel): Tokenizer => new Tokenizer({ model: made, added, ...framing });
  if (type === 'BPE') return whole(readBpe(root, model, context));
  return whole(pipeline(root, scored === undefined ? readWordPiece(model, context) : readUnigram(model, context, scored.scores)));
}

/** The type; files of before tokenizers 0.8 do not say it. */
function modelType(model: JsonNode): 'BPE' | 'Unigram' | 'WordPiece' {
  if (!model.field('type').isNull) return model.field('type').supported('BPE', 'Unigram', 'WordPiece');
  if (Array.isArray(model.field('vocab').value)) return 'Unigram';
  return model.field('merges').isNull && !model.field('max_input_chars_per_word').isNull ? 'WordPiece' : 'BPE';
}

function pipeline(root: JsonNode, model: PieceModel): Pipeline {
  const section = (name: string): JsonNode => root.field(name), text = (name: string): string => JSON.stringify(section(name).value);
  return new Pipeline({
    normalizer: readNormalizer(section('normalizer')),
    preTokenizer: readPreTokenizer(section('pre_tokenizer')),
    model,
    decoder: readDecoder(section('decoder')),
    sections: { normalizer: text('normalizer'), pre_tokenizer: text('pre_tokenizer'), decoder: text('decoder') },
  });
}

/** BPE by the fastest class that can do what the file asks for. */
function readBpe(root: JsonNode, model: JsonNode, { vocabulary, reserved }: ModelContext): TokenModel {
  for (const name of ['continuing_subword_prefix', 'end_of_word_suffix']) model.field(name).supported(null, '');
  model.field('dropout').supported(null, 0);
  const { tokens, ids } = vocabulary, merges = readMerges(model.field('merges'), ids), unknown = readTokenId(model.field('unk_token'), ids);
  const byteFallback = model.field('byte_fallback').boolean(false), ignoreMerges = model.field('ignore_merges').boolean(false);
  const optional = unknown === undefined ? {} : { unknown }, normalizer = root.field('normalizer'), decoder = root.field('decoder').isNull ? null : root.field('decoder').field('type').value;
  const form = normalizer.isNull ? {} : normalizer.field('type').value === 'NFC' ? { normalizer: 'NFC' as const } : undefined;
  const isPlain = !byteFallback && form !== undefined;
  if (isPlain && root.field('pre_tokenizer').isNull && merges.length === 0 && normalizer.isNull && decoder === 'Fuse') return new Characters(tokens, { reserved, ...optional });
  const cut = isPlain && decoder === 'ByteLevel' ? readByteCut(root.field('pre_tokenizer')) : undefined;
  if (cut !== undefined) return new ByteBpe({ tokens, merges, reserved, ignoreMerges, pattern: cut, addPrefixSpace: cut.addPrefixSpace, ...optional, ...form });
  return pipeline(root, new MergeBpe({ tokens, merges, reserved, unknown, byteFallback, ignoreMerges, fuseUnknown: model.field('fuse_unk').boolean(false) }));
}

function readUnigram(model: JsonNode, { vocabulary: { tokens }, reserved }: ModelContext, scores: Float64Array): Unigram {
  const unknown = model.field('unk_id').isNull ? undefined : model.field('unk_id').id();
  if (unknown !== undefined && unknown >= tokens.length) throw model.field('unk_id').error(`is ${unknown}, but the vocabulary has ${tokens.length} tokens`);
  return new Unigram({ tokens, scores, unknown, reserved, byteFallback: model.field('byte_fallback').boolean(false) });
}

function readWordPiece(model: JsonNode, { vocabulary: { tokens, ids }, reserved }: ModelContext): WordPiece {
  const unknown = readTokenId(model.field('unk_token'), ids), longest = model.field('max_input_chars_per_word'), prefix = model.field('continuing_subword_prefix');
  if (unknown === undefined) throw model.field('unk_token').error('is missing, which WordPiece needs');
  return new WordPiece({ tokens, unknown, reserved, prefix: prefix.isNull ? '##' : prefix.string(), longestWord: longest.isNull ? 100 : longest.id() });
}

/** The text of a tokenizer.json. `parseTokenizer` gives back a tokenizer that does the same. */
export function formatTokenizer(tokenizer: Tokenizer): string {
  const sections = tokenizer.model.toJson();
  return `{"version":"1.0","truncation":null,"padding":null,"added_tokens":${JSON.stringify(tokenizer.added.map(addedJson))},`
    + `"normalizer":${sections.normalizer},"pre_tokenizer":${sections.pre_tokenizer},`
    + `"post_processor":${tokenizer.template.json ?? JSON.stringify(templateJson(tokenizer))},"decoder":${sections.decoder},"model":${sections.model}}\n`;
}

function addedJson({ id, content, special, singleWord = false, lstrip = false, rstrip = false, normalized = false }: AddedToken): unknown {
  return { id, content, single_word: singleWord, lstrip, rstrip, normalized, special };
}

function templateJson(tokenizer: Tokenizer): unknown {
  const { prefix, suffix } = tokenizer.template;
  if (prefix.length + suffix.length === 0) return null;
  const piece = (id: number): unknown => ({ SpecialToken: { id: tokenizer.tokenOf(id), type_id: 0 } });
  const sequence = (id: 'A' | 'B', typeId: number): unknown => ({ Sequence: { id, type_id: typeId } });
  const special = Object.fromEntries([...prefix, ...suffix].map((id) => {
    const token = tokenizer.tokenOf(id);
    return [token, { id: token, ids: [id], tokens: [token] }];
  }));
  return {
    type: 'TemplateProcessing',
    single: [...prefix.map(piece), sequence('A', 0), ...suffix.map(piece)],
    pair: [...prefix.map(piece), sequence('A', 0), sequence('B', 1), ...suffix.map(piece)],
    special_tokens: special,
  };
}
