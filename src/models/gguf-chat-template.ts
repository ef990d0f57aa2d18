// Chat templates in GGUF files. Layer: models (pure).
// See https://github.com/ggml-org/ggml/blob/master/docs/gguf.md, `tokenizer.chat_template`.

import type { ChatTemplateSource } from '../tokenizer/chat-template-source.ts';
import type { GgufFields } from './gguf-fields.ts';

/** The templates of a file, with the texts of the special tokens that they call by name; undefined if it has none. */
export function ggufChatTemplates(fields: GgufFields): ChatTemplateSource | undefined {
  const templates = new Map<string, string>(), tokens = fields.value('tokenizer.ggml.tokens');
  for (const key of fields.header.metadata.keys()) {
    const name = /^tokenizer\.chat_template(?:\.(.+))?$/.exec(key);
    if (name !== null) templates.set(name[1] ?? 'default', fields.string(key)!);
  }
  if (templates.size === 0) return undefined;
  const texts = ['bos', 'eos', 'unk', 'pad'].flatMap((name): [string, string][] => {
    const id = fields.number(`tokenizer.ggml.${name === 'unk' ? 'unknown' : name === 'pad' ? 'padding' : name}_token_id`);
    const text = id === undefined || !Array.isArray(tokens) ? undefined : tokens[id] as unknown;
    return typeof text === 'string' ? [[`${name}_token`, text]] : [];
  });
  return { path: fields.path, templates, variables: Object.fromEntries(texts) };
}
