// tokenizer.json: the file format of Hugging Face tokenizers, read and written. Layer: tokenizer (pure).
// Only what is understood is read: a part that would change the ids and is not known is an error, never ignored.
// Source: github.com/huggingface/tokenizers 0.23, tokenizers/src/tokenizer/serialization.rs and models/bpe.

import { ByteBpe } from './byte-bpe.ts';
import { Characters } from './characters.ts';
import { parseJson, type JsonNode } from '../base/checked-json.ts';
import { patternOf, type SplitPattern } from './split-pattern.ts';
import { Tokenizer, type AddedToken } from './tokenizer.ts';

/** Vocabulary and merges of a `model` section. */
interface Vocabulary {
  readonly tokens: (string | undefined)[];
  readonly ids: ReadonlyMap<string, number>;
  readonly merges: Int32Array;
}

/** How the text is cut, as stated in `pre_tokenizer`. */
interface Cut {
  readonly pattern: SplitPattern;
  readonly addPrefixSpace: boolean;
}

/**
 * Reads the text of a tokenizer.json.
 *
 * @param file its name, for messages
 * @throws {FormatError} if it is damaged, contradicts itself, or asks for what is not supported
 */
export function parseTokenizer(json: string, file = 'tokenizer.json'): Tokenizer {
  const root = parseJson(json, file);
  const model = root.field('model');
  if (model.field('type').value !== null) model.field('type').supported('BPE');
  for (const name of ['continuing_subword_prefix', 'end_of_word_suffix']) model.field(name).supported(null, '');
  model.field('dropout').supported(null, 0);
  model.field('byte_fallback').supported(null, false);
  const vocabulary = readVocabulary(model);
  const added = readAddedTokens(root.field('added_tokens'), vocabulary);
  const reserved = new Set(added.filter((token) => token.special).map((token) => token.id));
  const unknown = readUnknown(model.field('unk_token'), vocabulary);
  const normalizer = root.field('normalizer').isNull ? {} : { normalizer: root.field('normalizer').field('type').supported('NFC') };
  const template = readTemplate(root.field('post_processor'));
  const preTokenizer = root.field('pre_tokenizer'), decoder = root.field('decoder');
  const { tokens, merges } = vocabulary;
  if (preTokenizer.isNull && merges.length === 0) {
    decoder.field('type').supported('Fuse');
    if (!root.field('normalizer').isNull) throw root.field('normalizer').error('is not supported for a character vocabulary');
    return new Tokenizer({ model: new Characters(tokens, { reserved, ...unknown }), added, template });
  }
  const cut = readCut(preTokenizer);
  decoder.field('type').supported('ByteLevel');
  const ignoreMerges = model.field('ignore_merges').boolean(false);
  return new Tokenizer({ model: new ByteBpe({ tokens, merges, reserved, ignoreMerges, ...cut, ...unknown, ...normalizer }), added, template });
}

function readVocabulary(model: JsonNode): Vocabulary {
  const vocab = model.field('vocab');
  const ids = new Map<string, number>(), tokens: (string | undefined)[] = [];
  for (const [token, value] of Object.entries(vocab.object())) { // its own keys, "__proto__" among them
    const id = vocab.field(token).id();
    if (tokens[id] !== undefined) throw vocab.error(`gives the id ${id} to two tokens, ${JSON.stringify(tokens[id])} and ${JSON.stringify(token)}`);
    ids.set(token, value as number);
    tokens[id] = token;
  }
  for (let id = 0; id < tokens.length; id++) tokens[id] ??= undefined; // no holes: forEach must see every id
  return { tokens, ids, merges: readMerges(model.field('merges'), ids) };
}

/** Merges as pairs, or (before tokenizers 0.20) as one string with a blank between. */
function readMerges(node: JsonNode, ids: ReadonlyMap<string, number>): Int32Array {
  const items = node.items(), merges = new Int32Array(items.length * 3);
  items.forEach((item, i) => {
    const pair = typeof item.value === 'string' ? item.value.split(' ') : item.items().map((part) => part.string());
    if (pair.length !== 2) throw item.error(`should be two tokens, but is ${JSON.stringify(item.value).slice(0, 60)}`);
    for (const [place, token] of [pair[0]!, pair[1]!, pair[0]! + pair[1]!].entries()) {
      const id = ids.get(token);
      if (id === undefined) {
        throw item.error(`${place < 2 ? 'names' : 'makes'} the token ${JSON.stringify(token)}, which the vocabulary lacks`);
      }
      merges[i * 3 + place] = id;
    }
  });
  return merges;
}

function readAddedTokens(node: JsonNode, { tokens, ids }: Vocabulary): AddedToken[] {
  if (node.isNull) return [];
  const contents = new Set<string>(), places = new Map<number, string>();
  return node.items().map((item) => {
    const content = item.field('content').string(), id = item.field('id').id();
    for (const flag of ['single_word', 'lstrip', 'rstrip']) item.field(flag).supported(false, null);
    if (content === '') throw item.field('content').error('is empty');
    if (contents.has(content)) throw item.error(`repeats the token ${JSON.stringify(content)}`);
    if (places.has(id)) throw item.error(`gives the id ${id} to ${JSON.stringify(content)}, but ${JSON.stringify(places.get(id))} has it`);
    if (ids.has(content) ? ids.get(content) !== id : tokens[id] !== undefined) {
      throw item.error(`gives the id ${id} to ${JSON.stringify(content)}, but the vocabulary says otherwise`);
    }
    contents.add(content);
    places.set(id, content);
    return { id, content, special: item.field('special').boolean(false) };
  });
}

function readUnknown(node: JsonNode, { ids }: Vocabulary): { unknown?: number } {
  if (node.isNull) return {};
  const unknown = ids.get(node.string());
  if (unknown === undefined) throw node.error(`is ${JSON.stringify(node.value)}, which the vocabulary lacks`);
  return { unknown };
}

/** ByteLevel with GPT-2's pattern of its own, or a Split by a known pattern before ByteLevel without. */
function readCut(node: JsonNode): Cut {
  if (node.isNull) throw node.error('is null, which is only supported for a vocabulary without merges');
  if (node.field('type').supported('ByteLevel', 'Sequence') === 'ByteLevel') {
    const addPrefixSpace = node.field('add_prefix_space').boolean(true);
    if (!node.field('use_regex').boolean(true)) throw node.field('use_regex').error('is false, which is only supported behind a Split');
    return { pattern: 'gpt2', addPrefixSpace };
  }
  const [split, byteLevel, more] = node.field('pretokenizers').items();
  if (split === undefined || byteLevel === undefined || more !== undefined) {
    throw node.field('pretokenizers').error('should be a Split and a ByteLevel');
  }
  split.field('type').supported('Split');
  byteLevel.field('type').supported('ByteLevel');
  byteLevel.field('add_prefix_space').supported(false);
  byteLevel.field('use_regex').supported(false);
  // Every supported pattern matches all of a text, so that keeping the matches is the same as isolating them.
  if (split.field('invert').boolean(false)) split.field('behavior').supported('Removed', 'Isolated');
  else split.field('behavior').supported('Isolated');
  const regex = split.field('pattern').field('Regex').string(), pattern = patternOf(regex);
  if (pattern === undefined) throw split.field('pattern').error(`is ${JSON.stringify(regex)}, which is not supported; supported are those of GPT-2, GPT-4 (cl100k), Llama 3 and Qwen 2`);
  return { pattern, addPrefixSpace: false };
}

/** The ids that frame a single text; ByteLevel here only concerns offsets. */
function readTemplate(node: JsonNode): { prefix: number[]; suffix: number[] } {
  const template = { prefix: [] as number[], suffix: [] as number[] };
  if (node.isNull) return template;
  const type = node.field('type').supported('ByteLevel', 'TemplateProcessing', 'Sequence');
  if (type === 'Sequence') {
    const parts = node.field('processors').items().map(readTemplate).filter(({ prefix, suffix }) => prefix.length + suffix.length > 0);
    if (parts.length > 1) throw node.error('holds two templates, which is not supported');
    return parts[0] ?? template;
  }
  if (type === 'ByteLevel') return template;
  let side = template.prefix;
  for (const item of node.field('single').items()) {
    if (!item.field('Sequence').isNull) side = template.suffix;
    else {
      const name = item.field('SpecialToken').field('id').string();
      side.push(...node.field('special_tokens').field(name).field('ids').items().map((id) => id.id()));
    }
  }
  return template;
}

/** The text of a tokenizer.json. `parseTokenizer` gives back a tokenizer that does the same. */
export function formatTokenizer(tokenizer: Tokenizer): string {
  const added = tokenizer.added.map(({ id, content, special }) => (
    { id, content, single_word: false, lstrip: false, rstrip: false, normalized: !special, special }
  ));
  const sections = tokenizer.model.toJson();
  return `{"version":"1.0","truncation":null,"padding":null,"added_tokens":${JSON.stringify(added)},`
    + `"normalizer":${sections.normalizer},"pre_tokenizer":${sections.pre_tokenizer},`
    + `"post_processor":${JSON.stringify(templateJson(tokenizer))},"decoder":${sections.decoder},"model":${sections.model}}\n`;
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
