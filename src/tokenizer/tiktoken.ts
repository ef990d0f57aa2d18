// tiktoken's files: a token a line, its bytes in base64 and its rank. Layer: tokenizer (pure).
// What such a file does not hold comes with it: the pattern that cuts the text, and the special tokens.
// Source: github.com/openai/tiktoken tiktoken/load.py and src/lib.rs.

import { ConfigError, FormatError } from '../base/errors.ts';
import { ByteBpe } from './byte-bpe.ts';
import { namedCut, regexCut } from './byte-cut.ts';
import { byteCharacters } from './byte-level.ts';
import { RegexError } from './regex-syntax.ts';
import { patternOf, SPLIT_PATTERNS, type SplitPattern } from './split-pattern.ts';
import { Tokenizer } from './tokenizer.ts';

/** What a rank file does not say. */
export interface TiktokenOptions {
  /** How text is cut: the name of a pattern, or a regular expression in tiktoken's syntax. */
  readonly pattern: string;
  /** Special tokens and their ids. */
  readonly special?: Readonly<Record<string, number>>;
  /** The file's name, for messages. */
  readonly file?: string;
}

/** Ranks are indices into arrays; see MAX_ID in checked-json.ts. */
const MAX_RANK = 2 ** 24;

/**
 * Reads a rank file.
 *
 * @throws {FormatError} with the line's offset, if it is damaged
 * @throws {ConfigError} if the pattern is not supported, or a special token has the id of an ordinary one
 */
export function parseTiktoken(text: string, options: TiktokenOptions): Tokenizer {
  const tokens = readRanks(text, options.file ?? 'ranks.tiktoken');
  const { merges, ranks } = mergesOf(tokens);
  const added = Object.entries(options.special ?? {}).map(([content, id]) => ({ id, content, special: true }));
  const taken = added.find(({ id }) => tokens[id] !== undefined);
  if (taken !== undefined) throw new ConfigError(`Cannot give the special token "${taken.content}" the id ${taken.id}: the file has a token of that rank.`, { path: 'special' });
  const model = new ByteBpe({ tokens, merges, ranks, ignoreMerges: true, pattern: cutOf(options.pattern) });
  return new Tokenizer({ model, added });
}

function cutOf(pattern: string): SplitPattern | ReturnType<typeof namedCut> {
  const known = SPLIT_PATTERNS.find((name) => name === pattern) ?? patternOf(pattern);
  if (known !== undefined) return namedCut(known);
  try {
    return regexCut([pattern], 'tiktoken');
  } catch (cause) {
    if (!(cause instanceof RegexError)) throw cause;
    throw new ConfigError(`Cannot cut text by ${JSON.stringify(pattern.slice(0, 200))}: it has ${cause.message}. Use one of ${SPLIT_PATTERNS.join(', ')}, or a simpler expression.`, { path: 'pattern', cause });
  }
}

/** Tokens by rank, spelled byte-level. */
function readRanks(text: string, file: string): (string | undefined)[] {
  const tokens: (string | undefined)[] = [], seen = new Set<string>(), characters = byteCharacters();
  let offset = 0;
  for (const line of text.split('\n')) {
    const fail = (state: string): FormatError => new FormatError(`Cannot read "${file}": the line at byte ${offset} ${state}. Get another copy of it.`, { path: file, offset });
    const found = /^([A-Za-z0-9+/]+={0,2}) (\d{1,9})\r?$/.exec(line);
    if (found === null && line.trim() !== '') throw fail(`should be base64 and a rank, but is ${JSON.stringify(line.slice(0, 40))}`);
    if (found !== null) {
      const rank = Number(found[2]);
      let binary: string;
      try {
        binary = atob(found[1]!);
      } catch {
        throw fail('is not base64');
      }
      const token = Array.from(binary, (byte) => characters[byte.charCodeAt(0)]!).join('');
      if (rank >= MAX_RANK) throw fail(`has the rank ${rank}; at most ${MAX_RANK - 1} is supported`);
      if (tokens[rank] !== undefined) throw fail(`gives the rank ${rank} for the second time`);
      if (seen.has(token)) throw fail('repeats a token');
      seen.add(token);
      tokens[rank] = token;
    }
    offset += line.length + 1; // base64 is ASCII
  }
  if (seen.size === 0) throw new FormatError(`Cannot read "${file}": it holds no tokens. Get another copy of it.`, { path: file, offset: 0 });
  for (let id = 0; id < tokens.length; id++) tokens[id] ??= undefined;
  return tokens;
}

/** Two tokens merge if together they are a token, the one of the lowest rank first. */
function mergesOf(tokens: readonly (string | undefined)[]): { merges: Int32Array; ranks: Int32Array } {
  const ids = new Map<string, number>(), merges: number[] = [], ranks: number[] = [];
  tokens.forEach((token, id) => token !== undefined && ids.set(token, id));
  tokens.forEach((token, id) => {
    if (token === undefined) return;
    for (let i = 1; i < token.length; i++) {
      const left = ids.get(token.slice(0, i)), right = left === undefined ? undefined : ids.get(token.slice(i));
      if (right === undefined) continue;
      merges.push(left!, right, id);
      ranks.push(id);
    }
  });
  return { merges: Int32Array.from(merges), ranks: Int32Array.from(ranks) };
}
