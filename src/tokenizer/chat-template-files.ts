// Chat templates in a model folder. Layer: tokenizer (file access).

import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { parseJson } from '../base/checked-json.ts';
import { storageError } from '../base/durable.ts';
import { FormatError } from '../base/errors.ts';
import { MAX_TEMPLATE_CHARACTERS, specialTexts, templatesOf, type ChatTemplateSource } from './chat-template-source.ts';

const TEMPLATE_FILE = 'chat_template.jinja', TOKENIZER_CONFIG_FILE = 'tokenizer_config.json';

/** A tokenizer_config.json lists added tokens too; the largest in use has some megabytes. */
const MAX_CONFIG_BYTES = 64 * 2 ** 20;

/**
 * The chat templates of a model folder: chat_template.jinja before what tokenizer_config.json says.
 *
 * @returns undefined if it has none
 * @throws {FormatError | StorageError} if a file is damaged or cannot be read
 */
export function loadChatTemplates(folder: string): ChatTemplateSource | undefined {
  const configPath = join(folder, TOKENIZER_CONFIG_FILE), json = readText(configPath, MAX_CONFIG_BYTES), config = json === undefined ? undefined : parseJson(json, configPath);
  const templates = config === undefined ? new Map<string, string>() : templatesOf(config), variables = config === undefined ? {} : specialTexts(config);
  const path = join(folder, TEMPLATE_FILE), own = readText(path, MAX_TEMPLATE_CHARACTERS);
  if (own !== undefined) return { path, templates: new Map([...templates, ['default', own]]), variables };
  return templates.size === 0 ? undefined : { path: configPath, templates, variables };
}

function readText(path: string, maxBytes: number): string | undefined {
  try {
    const there = statSync(path, { throwIfNoEntry: false });
    if (there === undefined) return undefined;
    if (!there.isFile()) throw new FormatError(`Cannot read "${path}": it is not a plain file.`, { path });
    if (there.size > maxBytes) throw new FormatError(`Cannot read "${path}": it has ${there.size} bytes, and more than ${maxBytes} are not read. Get another copy of it.`, { path, offset: maxBytes });
    return new TextDecoder('utf-8', { fatal: true }).decode(readFileSync(path));
  } catch (cause) {
    if (cause instanceof TypeError) throw new FormatError(`Cannot read "${path}": it is not UTF-8. Get another copy of it.`, { path, cause });
    throw storageError('read', path, cause);
  }
}
