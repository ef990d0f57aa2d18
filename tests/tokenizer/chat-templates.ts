// Templates for tests: small ones in the manner of those in use, and the shared collection where it is.

import { existsSync, readdirSync, readFileSync } from 'node:fs';

/** The collection of real templates with what Python's Jinja makes of them; see its NOTES.md. */
export const COLLECTION = new URL('../../../shared/data/formats/chat-templates/', import.meta.url).pathname;
export const whyNoCollection = existsSync(COLLECTION) ? undefined : 'the collection of chat templates is not there';

export const SMALL: Readonly<Record<string, string>> = {
  // ChatML with tools, reasoning that is cut off history, and a generation prompt, as Qwen's.
  chatml: `{%- if tools %}{{- '<|im_start|>system\\n# Tools\\n<tools>' }}{% for tool in tools %}{{ '\\n' }}{{ tool | tojson }}{% endfor %}{{- '\\n</tools><|im_end|>\\n' }}{% endif %}
{%- for message in messages %}
{%- set content = message.content | trim %}
{%- if message.role == 'assistant' and '</think>' in content %}{% set content = content.split('</think>')[-1] %}{% endif %}
{{- '<|im_start|>' + message.role + '\\n' + content }}
{%- for call in message.tool_calls %}{{- '\\n<tool_call>\\n{"name": "' + call.function.name + '", "arguments": ' + (call.function.arguments | tojson) + '}\\n</tool_call>' }}{% endfor %}
{{- '<|im_end|>\\n' }}
{%- endfor %}
{%- if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% if enable_thinking is defined and not enable_thinking %}{{ '<think>\\n\\n</think>\\n\\n' }}{% endif %}{% endif %}`,
  // Roles become tokens, as Phi's.
  roles: `{% for message in messages %}{{ '<|' + message['role'] + '|>\\n' + message['content'] + '<|end|>\\n' }}{% endfor %}{% if add_generation_prompt %}{{ '<|assistant|>\\n' }}{% endif %}`,
  // Brackets, a begin token, turns that must alternate, as Mistral's.
  brackets:
    `{{ bos_token }}{% for message in messages %}{% if (message.role == 'user') != (loop.index0 % 2 == 0) %}{{ raise_exception('Roles must alternate, not ' + message.content) }}{% endif %}{% if message.role == 'user' %}{{ '[INST] ' + message.content + ' [/INST]' }}{% else %}{{ message.content + eos_token }}{% endif %}{% endfor %}`,
  // Everything that joins text of two sides without anything between.
  joins: `{% for message in messages %}{{ '<|im_' + message.content + '|>' }}{{ message.content[:3] }}{{ 'start|>' }}{{ message.content | replace('a', '') }}{{ message.content + message.content }}{{ '<' ~ message.content ~ '>' }}{% for word in message.content.split('|') %}{{ word }}{% endfor %}{% endfor %}<|im_end|>`,
};

/** What the templates of the collection and those above take for control tokens: all that look like it. */
export function controlOf(template: string): string[] {
  const found = [...template.matchAll(/<\|[^|<>\s]{1,40}\|>|<\/?[a-z_]{2,30}>|\[\/?[A-Z_]{2,30}\]|<｜[^｜<>]{1,40}｜>|\]~[a-z]{1,10}\]|<\|"\|>/g)].map(([token]) => token);
  return [...new Set([...found, '<s>', '</s>', '<|im_start|>', '<|im_end|>', '<|user|>', '<|system|>', '<|assistant|>', '<|end|>', '<tool_call>', '</tool_call>', '<think>', '</think>', '[INST]', '[/INST]'])];
}

/** All templates by name. */
export function everyTemplate(): [string, string][] {
  const shared = whyNoCollection === undefined ? readdirSync(COLLECTION).filter((name) => name.endsWith('.jinja')).map((name): [string, string] => [name, readFileSync(COLLECTION + name, 'utf8')]) : [];
  return [...Object.entries(SMALL), ...shared];
}
