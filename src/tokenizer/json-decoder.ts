// The section `decoder` of a tokenizer.json. Layer: tokenizer (pure).

import type { JsonNode } from '../base/checked-json.ts';
import { byteFallbackDecoder, byteLevelDecoder, decoderChain, eachToken, metaspaceDecoder, stripStep, wordPieceDecoder, type Decoder, type DecoderStep } from './decoders.ts';
import { MAX_NESTING, readPattern } from './json-normalizer.ts';
import { PREPEND_SCHEMES } from './pre-tokenizers.ts';

/** @throws {FormatError} if it asks for what is not supported; never ignores it */
export function readDecoder(node: JsonNode): Decoder | undefined {
  return node.isNull ? undefined : decoderChain(readSteps(node, 0));
}

const unchanged: Decoder = eachToken((token) => token);

/** More repetitions would only cost time. */
const MAX_STRIPPED = 1000;

function readSteps(node: JsonNode, depth: number): DecoderStep[] {
  const type = node.field('type').supported('ByteLevel', 'ByteFallback', 'Fuse', 'Strip', 'Replace', 'Metaspace', 'WordPiece', 'Sequence');
  switch (type) {
    case 'ByteLevel':
      return [{ decoder: byteLevelDecoder(), fuses: true }];
    case 'ByteFallback':
      return [{ decoder: byteFallbackDecoder() }];
    case 'Fuse':
      return [{ decoder: unchanged, whole: unchanged, fuses: true }];
    case 'Strip': {
      const content = node.field('content').string(), [start, stop] = ['start', 'stop'].map((name) => node.field(name).id());
      if (content === '') throw node.field('content').error('is empty');
      return [stripStep(content, Math.min(start!, MAX_STRIPPED), Math.min(stop!, MAX_STRIPPED))];
    }
    case 'Replace': {
      const pattern = readPattern(node.field('pattern')), content = node.field('content').string();
      if (pattern === '') return [];
      const change = (token: string): string => {
        if (typeof pattern === 'string') return token.replaceAll(pattern, () => content);
        const found = pattern.matches(token);
        let out = '', at = 0;
        for (let i = 0; i < found.length; i += 2) {
          out += token.slice(at, found[i]) + content;
          at = found[i + 1]!;
        }
        return out + token.slice(at);
      };
      const decoder = eachToken(change);
      return [typeof pattern === 'string' && pattern.length === 1 ? { decoder, whole: decoder } : { decoder }];
    }
    case 'Metaspace': {
      const scheme = node.field('prepend_scheme'), old = node.field('add_prefix_space');
      const hasPrefix = scheme.isNull ? old.boolean(true) : scheme.supported(...PREPEND_SCHEMES) !== 'never';
      return [{ decoder: metaspaceDecoder(node.field('replacement').string(), hasPrefix) }];
    }
    case 'WordPiece':
      return [{ decoder: wordPieceDecoder(node.field('prefix').string(), node.field('cleanup').boolean(true)) }];
    case 'Sequence':
      if (depth >= MAX_NESTING) throw node.error(`nests sequences deeper than ${MAX_NESTING}`);
      return node.field('decoders').items().flatMap((item) => readSteps(item, depth + 1));
    default:
      return type satisfies never;
  }
}
