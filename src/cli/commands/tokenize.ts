// athanor tokenize. Layer: cli.

import { ConfigError } from '../../base/errors.ts';
import type { Tokenizer } from '../../tokenizer/index.ts';
import type { Command, Io } from '../command.ts';
import { MODEL_ARGUMENT, openTokenizer, parseIds } from '../open-model.ts';

export const tokenize: Command = {
  name: 'tokenize',
  about: [
    'Reads text from standard input and prints its token ids; with --decode it reads ids (as printed, one text a line) and',
    'prints the text. The text comes back as it was, to the byte.',
  ].join('\n'),
  arguments: [{ name: 'MODEL', about: `${MODEL_ARGUMENT.about}, or a tokenizer.json` }],
  options: {
    decode: { kind: 'flag', about: 'from ids to text' },
    special: { kind: 'flag', about: 'let the text name special tokens, such as <|endoftext|>' },
  },
  examples: ['echo -n "to be or not to be" | athanor tokenize runs/first --json', 'athanor tokenize runs/first < book.txt | athanor tokenize runs/first --decode'],
  async run(args, io) {
    const tokenizer = await openTokenizer(args.words[0]!, io), input = await readAll(io);
    if (args.has('decode')) return decode(tokenizer, input.toString('utf8'), io);
    let text: string;
    try {
      text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(input);
    } catch {
      throw new ConfigError('Cannot tokenize standard input: it is not UTF-8. Convert it first (iconv -t utf-8).');
    }
    const ids = [...tokenizer.encode(text, { addSpecialTokens: false, ...(args.has('special') ? { allowedSpecial: 'all' as const } : {}) })];
    io.result({ ids }, ids.join(' '));
  },
};

function decode(tokenizer: Tokenizer, input: string, io: Io): void {
  for (const [i, line] of input.split('\n').entries()) {
    if (line.trim() === '') continue;
    const text = tokenizer.decode(readIds(line, i + 1));
    if (io.json) io.result({ text }, text);
    else io.write(text);
  }
}

/** `{"ids": [1, 2]}`, `[1, 2]`, or `1 2`. */
function readIds(line: string, number: number): number[] {
  if (!/^\s*[[{]/.test(line)) return parseIds(line, 'decode');
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch (cause) {
    throw new ConfigError(`Cannot decode line ${number} of standard input: it is neither ids nor JSON.`, { cause });
  }
  const ids = Array.isArray(value) ? value : (value as { ids?: unknown } | null)?.ids;
  if (!Array.isArray(ids)) throw new ConfigError(`Cannot decode line ${number} of standard input: it has no "ids".`);
  return parseIds(ids.join(' '), 'decode');
}

async function readAll(io: Io): Promise<Buffer> {
  const parts: Buffer[] = [];
  for await (const part of io.input()) parts.push(part);
  return Buffer.concat(parts);
}
