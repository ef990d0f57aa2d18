// BERT's tokenizer out of a vocabulary: its normalizer, its cuts, WordPiece. Layer: tokenizer (pure).

import type { AddedToken } from './added-tokens.ts';
import { wordPieceDecoder } from './decoders.ts';
import { bertNormalizer } from './normalizers.ts';
import { Pipeline } from './pipeline.ts';
import { bertPreTokenizer } from './pre-tokenizers.ts';
import { Tokenizer, type Template } from './tokenizer.ts';
import { WordPiece } from './word-piece.ts';

/** A vocabulary whose tokens inside of words begin with `##`. */
export interface BertFields {
  readonly tokens: readonly string[];
  readonly unknown: number;
  readonly added: readonly AddedToken[];
  readonly template: Template;
  /** Both by default. */
  readonly lowercase?: boolean;
  readonly stripAccents?: boolean;
}

/** BERT's steps around a vocabulary. */
export function bertTokenizer({ tokens, unknown, added, template, lowercase = true, stripAccents = true }: BertFields): Tokenizer {
  const reserved = new Set(added.filter(({ special }) => special).map(({ id }) => id));
  const model = new Pipeline({
    normalizer: bertNormalizer({ cleanText: true, handleChineseChars: true, stripAccents, lowercase }),
    preTokenizer: bertPreTokenizer(),
    model: new WordPiece({ tokens, unknown, prefix: '##', longestWord: 100, reserved }),
    decoder: wordPieceDecoder('##', true),
    sections: {
      normalizer: JSON.stringify({ type: 'BertNormalizer', clean_text: true, handle_chinese_chars: true, strip_accents: stripAccents, lowercase }),
      pre_tokenizer: JSON.stringify({ type: 'BertPreTokenizer' }),
      decoder: JSON.stringify({ type: 'WordPiece', prefix: '##', cleanup: true }),
    },
  });
  return new Tokenizer({ model, added, template });
}
