// Vocabularies, merges and added tokens of a tokenizer.json. Layer: tokenizer (pure).

import type { JsonNode } from '../base/checked-json.ts';
import type { AddedToken } from './added-tokens.ts';

/** Tokens by id and ids by token. */
export interface Vocabulary {
  readonly tokens: (string | undefined)[];
  readonly ids: ReadonlyMap<string, number>;
}

/** An object of tokens and ids. @throws {FormatError} if two tokens share an id */
export function readVocabulary(vocab: JsonNode): Vocabulary {
  const ids = new Map<string, number>(), tokens: (string | undefined)[] = [];
  for (const [token, value] of Object.entries(vocab.object())) { // its own keys, "__proto__" among them
    const id = vocab.field(token).id();
    if (tokens[id] !== undefined) throw vocab.error(`gives the id ${id} to two tokens, ${JSON.stringify(tokens[id])} and ${JSON.stringify(token)}`);
    ids.set(token, value as number);
    tokens[id] = token;
  }
  for (let id = 0; id < tokens.length; id++) tokens[id] ??= undefined; // no holes: forEach must see every id
  return { tokens, ids };
}

/** A list of tokens with scores, their places being their ids. @throws {FormatError} if a token is there twice */
export function readScores(vocab: JsonNode): Vocabulary & { scores: Float64Array } {
  const items = vocab.items(), ids = new Map<string, number>(), scores = new Float64Array(items.length);
  const tokens = items.map((item, id) => {
    const [token, score, more] = item.items();
    if (token === undefined || typeof score?.value !== 'number' || !Number.isFinite(score.value) || more !== undefined) throw item.error(`should be a token and its score, but is ${JSON.stringify(item.value).slice(0, 60)}`);
    if (!ids.has(token.string())) ids.set(token.string(), id);
    scores[id] = score.value;
    return token.string();
  });
  return { tokens, ids, scores };
}

/** Merges as pairs, or (before tokenizers 0.20) as one string with a blank between. */
export function readMerges(node: JsonNode, ids: ReadonlyMap<string, number>): Int32Array {
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

/** @throws {FormatError} if they contradict each other or the vocabulary */
export function readAddedTokens(node: JsonNode, { tokens, ids }: Vocabulary): AddedToken[] {
  if (node.isNull) return [];
  const contents = new Set<string>(), places = new Map<number, string>();
  return node.items().map((item) => {
    const content = item.field('content').string(), id = item.field('id').id();
    if (content === '') throw item.field('content').error('is empty');
    if (contents.has(content)) throw item.error(`repeats the token ${JSON.stringify(content)}`);
    if (places.has(id)) throw item.error(`gives the id ${id} to ${JSON.stringify(content)}, but ${JSON.stringify(places.get(id))} has it`);
    if (ids.has(content) ? ids.get(content) !== id : tokens[id] !== undefined) {
      throw item.error(`gives the id ${id} to ${JSON.stringify(content)}, but the vocabulary says otherwise`);
    }
    contents.add(content);
    places.set(id, content);
    const flag = (name: string): boolean => item.field(name).boolean(false), special = flag('special');
    return {
      id,
      content,
      special,
      singleWord: flag('single_word'),
      lstrip: flag('lstrip'),
      rstrip: flag('rstrip'),
      normalized: item.field('normalized').boolean(!special),
    };
  });
}

/** The id of the token that a field names; nothing for null. @throws {FormatError} if the vocabulary lacks it */
export function readTokenId(node: JsonNode, ids: ReadonlyMap<string, number>): number | undefined {
  if (node.isNull) return undefined;
  const id = ids.get(node.string());
  if (id === undefined) throw node.error(`is ${JSON.stringify(node.value)}, which the vocabulary lacks`);
  return id;
}
