// All model families, by the `model_type` of their config.json. Layer: models.

import type { Family } from './family.ts';
import gpt2 from './gpt2.ts';
import llama from './llama.ts';
import mistral from './mistral.ts';
import phi3 from './phi3.ts';
import qwen2 from './qwen2.ts';
import qwen3 from './qwen3.ts';
import smollm3 from './smollm3.ts';

export const FAMILIES: Readonly<Record<string, Family>> = {
  gpt2,
  llama,
  mistral,
  phi3,
  qwen2,
  qwen3,
  smollm3,
};
