// All model families, by the `model_type` of their config.json. Layer: models.

import type { Family } from './family.ts';
import gpt2 from './gpt2.ts';
import llama from './llama.ts';
import mistral from './mistral.ts';
import qwen2 from './qwen2.ts';
import qwen3 from './qwen3.ts';

export const FAMILIES: Readonly<Record<string, Family>> = {
  gpt2,
  llama,
  mistral,
  qwen2,
  qwen3,
};
