// Peers in JavaScript: tokenizers from npm, in this process. They are no dependencies: `npm install --no-save NAME` in the
// checkout brings them, or ATHANOR_PEERS names a folder whose node_modules has them.

import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { repeated, type Contender } from './contender.ts';
import { PeerError } from './peer-error.ts';
import { checkout } from './places.ts';

type Encode = (text: string) => ArrayLike<number>;

/** Measures an encoder on texts, one after the other. */
export function encoderContender(name: string, texts: readonly string[], open: () => Encode): Contender {
  const megabytes = texts.reduce((sum, text) => sum + Buffer.byteLength(text), 0) / 1e6;
  let encode: Encode | undefined;
  const once = (): number => {
    const begin = performance.now();
    for (const text of texts) encode!(text);
    return (1000 * megabytes) / (performance.now() - begin);
  };
  return {
    name,
    async start() {
      encode = open();
      encode(texts[0]!);
      return {};
    },
    async measure(seconds) {
      return { values: await repeated(seconds, once), facts: {} };
    },
    close: async () => {},
  };
}

/** @huggingface/tokenizers on the same tokenizer.json. */
export function huggingFaceEncoder(tokenizerFile: string): Encode {
  const { Tokenizer } = load('@huggingface/tokenizers') as { Tokenizer: new(json: unknown, config: unknown) => { encode(text: string, options: unknown): { ids: number[] } } };
  const tokenizer = new Tokenizer(JSON.parse(readFileSync(tokenizerFile, 'utf8')), {});
  return (text) => tokenizer.encode(text, { add_special_tokens: false }).ids;
}

/** gpt-tokenizer on its own vocabulary of 100,000, which it cannot exchange. */
export function gptEncoder(): Encode {
  const { encode } = load('gpt-tokenizer/encoding/cl100k_base') as { encode: (text: string, options: unknown) => number[] };
  return (text) => encode(text, { allowedSpecial: new Set(), disallowedSpecial: new Set() });
}

/** Where peers are looked for: `createRequire` of a file that need not be there. */
export function peerRequire(): NodeJS.Require {
  return createRequire(join(process.env['ATHANOR_PEERS'] ?? checkout(), 'from.js'));
}

function load(name: string): unknown {
  try {
    return peerRequire()(name); // CommonJS, which both have; import() would find the other form only from their own folder
  } catch (error) {
    throw new PeerError(name.split('/encoding')[0]!, `it is not installed (${(error as Error).message.split('\n')[0]})`);
  }
}
