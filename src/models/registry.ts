// All model families, by the `model_type` of their config.json. Layer: models.

import type { Family } from './family.ts';
import deepseek_v3 from './deepseek_v3.ts';
import gemma2 from './gemma2.ts';
import gemma3_text from './gemma3_text.ts';
import gpt2 from './gpt2.ts';
import llama from './llama.ts';
import mistral from './mistral.ts';
import phi3 from './phi3.ts';
import qwen2 from './qwen2.ts';
import qwen3 from './qwen3.ts';
import qwen3_moe from './qwen3_moe.ts';
import smollm3 from './smollm3.ts';

export const FAMILIES: Readonly<Record<string, Family>> = {
  deepseek_v3,
  gemma2,
  gemma3_text,
  gpt2,
  llama,
  mistral,
  phi3,
  qwen2,
  qwen3,
  qwen3_moe,
  smollm3,
};

/** Models that take more than text, read as the family of their `text_config`. */
export const TEXT_PARTS: Readonly<Record<string, string>> = { gemma3: 'gemma3_text' };
