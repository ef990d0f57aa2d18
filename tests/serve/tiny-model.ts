// A model of some thousand weights with a chat template, tools and fill-in tokens, in a folder as any other.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Executor } from '../../src/backends/executor.ts';
import { NativeExecutor } from '../../src/backends/native/index.ts';
import { ReferenceExecutor } from '../../src/backends/reference/index.ts';
import type { State } from '../../src/core/index.ts';
import { createModel, FAMILIES, initialise, saveModel } from '../../src/models/index.ts';
import { saveTokenizer, trainBpe } from '../../src/tokenizer/index.ts';

export const SPECIAL = ['<|endoftext|>', '<|im_start|>', '<|im_end|>', '<|fim_prefix|>', '<|fim_suffix|>', '<|fim_middle|>', '[TOOL_CALLS]'];

/** ChatML with tools, as Qwen writes it, made short. */
export const TEMPLATE = `{%- if tools %}<|im_start|>system
Tools: {% for tool in tools %}{{ tool | tojson }}{% endfor %}<|im_end|>
{% endif %}{%- for message in messages %}<|im_start|>{{ message.role }}
{{ message.content }}{% if message.tool_calls %}{% for call in message.tool_calls %}<tool_call>{{ call.function | tojson }}</tool_call>{% endfor %}{% endif %}<|im_end|>
{% endfor %}{%- if add_generation_prompt %}<|im_start|>assistant
{% if enable_thinking %}<think>
{% endif %}{% endif %}`;

const TEXT = ['The miller went down to the harbour before the sun was up. 春天的早晨，山里的老人在灯下读书。', 'function add(a, b) { return a + b; } {"name": "get_weather", "arguments": {"city": "Paris"}}'];

/** Writes the folder. @param more of its configuration */
export async function writeTinyModel(folder: string, more: Record<string, unknown> = {}): Promise<string> {
  const tokenizer = await trainBpe(TEXT, { vocabSize: 300 + SPECIAL.length, specialTokens: SPECIAL }), family = FAMILIES['llama']!;
  const model = createModel(family, { ...family.tiny, vocab_size: tokenizer.vocabSize, max_position_embeddings: 512, ...more } as typeof family.tiny);
  // Weights large enough that greedy text is not one token for ever; the end of a text is as likely as any token.
  const read = (state: State): Float32Array => initialise({ ...state, init: state.init.kind === 'normal' ? { kind: 'normal', std: 0.3 } : state.init }, 5);
  saveModel(folder, model, read, { eos_token_id: tokenizer.specialTokens.get('<|endoftext|>') });
  saveTokenizer(tokenizer, folder);
  writeFileSync(join(folder, 'chat_template.jinja'), TEMPLATE);
  return folder;
}

const folders: string[] = [];

/** A folder that `removeFolders` removes. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'athanor-serve-'));
  folders.push(folder);
  return folder;
}

export function removeFolders(): void {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
}

/** The native core where it was built; the same tests hold for the reference. */
export function anyExecutor(): Executor {
  try {
    return NativeExecutor.open({ threads: 1 });
  } catch {
    return new ReferenceExecutor();
  }
}
