// Where a model's chat templates come from: what tokenizer_config.json and GGUF files say of them. Layer: tokenizer (pure).
// See https://huggingface.co/docs/transformers/chat_templating: one template, or a list of named ones.

import type { JsonNode } from '../base/checked-json.ts';

/** Templates longer than this are refused: the longest in use has 20 kB. */
export const MAX_TEMPLATE_CHARACTERS = 2 ** 20;

/** A model's templates and what they may call by name. */
export interface ChatTemplateSource {
  /** The file that says so, for messages. */
  readonly path: string;
  /** Texts by name; the one without a name is `default`. */
  readonly templates: ReadonlyMap<string, string>;
  /** Texts of `bos_token`, `eos_token` and their like. */
  readonly variables: Readonly<Record<string, string>>;
}

/**
 * The `chat_template` of a tokenizer_config.json.
 *
 * @throws {FormatError} if it is neither a text, nor a list of {name, template}
 */
export function templatesOf(config: JsonNode): Map<string, string> {
  const node = config.field('chat_template'), templates = new Map<string, string>();
  if (node.isNull) return templates;
  const add = (name: string, text: JsonNode): void => {
    if (text.string().length > MAX_TEMPLATE_CHARACTERS) throw text.error(`has ${text.string().length} characters; at most ${MAX_TEMPLATE_CHARACTERS} are read`);
    templates.set(name, text.string());
  };
  if (typeof node.value === 'string') add('default', node);
  else for (const item of node.items()) add(item.field('name').string(), item.field('template'));
  return templates;
}

/** Special tokens that templates call by name: texts, or objects with a `content`, in the same file. */
export function specialTexts(config: JsonNode): Record<string, string> {
  const found: [string, string][] = [];
  for (const name of Object.keys(config.object())) {
    if (!/^[a-z_]+_token$/.test(name)) continue;
    const value = config.field(name), text = typeof value.value === 'object' && value.value !== null ? value.field('content').value : value.value;
    if (typeof text === 'string') found.push([name, text]);
  }
  return Object.fromEntries(found);
}
