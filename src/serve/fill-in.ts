// Fill-in-the-middle prompts: text before and behind a gap, in the tokens that a model was trained with. Layer: serve (pure).
// See Bavarian et al. 2022, arXiv 2207.14255; the words are those of the tokenizers of Qwen2.5-Coder and CodeGemma,
// StarCoder and Granite, DeepSeek-Coder, CodeLlama and Codestral.

import type { Tokenizer } from '../tokenizer/index.ts';
import { RequestFault } from './fault.ts';

interface FillInForm {
  /** Token words and the two texts, in order. */
  readonly order: readonly string[];
  /** Words that end what fills the gap. */
  readonly ends: readonly string[];
}

const FORMS: readonly FillInForm[] = [
  { order: ['<|fim_prefix|>', 'prefix', '<|fim_suffix|>', 'suffix', '<|fim_middle|>'], ends: ['<|endoftext|>', '<|fim_pad|>', '<|file_sep|>', '<|repo_name|>', '<|file_separator|>', '<|fim_prefix|>', '<|fim_suffix|>', '<|fim_middle|>'] },
  { order: ['<fim_prefix>', 'prefix', '<fim_suffix>', 'suffix', '<fim_middle>'], ends: ['<|endoftext|>', '<file_sep>', '<fim_pad>'] },
  { order: ['<fim-prefix>', 'prefix', '<fim-suffix>', 'suffix', '<fim-middle>'], ends: ['<|endoftext|>'] },
  { order: ['<｜fim▁begin｜>', 'prefix', '<｜fim▁hole｜>', 'suffix', '<｜fim▁end｜>'], ends: ['<｜end▁of▁sentence｜>'] },
  { order: ['▁<PRE>', 'prefix', '▁<SUF>', 'suffix', '▁<MID>'], ends: ['▁<EOT>'] },
  { order: ['<PRE>', 'prefix', '<SUF>', 'suffix', '<MID>'], ends: ['<EOT>'] },
  { order: ['[SUFFIX]', 'suffix', '[PREFIX]', 'prefix'], ends: [] },
];

const isText = (word: string): boolean => word === 'prefix' || word === 'suffix';

const formFor = (tokenizer: Tokenizer): FillInForm | undefined => FORMS.find(({ order }) => order.every((word) => isText(word) || tokenizer.idOf(word) !== undefined));

/** Whether a tokenizer has tokens for gaps. */
export const canFillIn = (tokenizer: Tokenizer): boolean => formFor(tokenizer) !== undefined;

/**
 * The ids of a prompt with a gap.
 *
 * @throws {RequestFault} invalid, if the tokenizer has no tokens for that
 */
export function fillInPrompt(tokenizer: Tokenizer, texts: { readonly prefix: string; readonly suffix: string }): { ids: number[]; stopIds: number[] } {
  const form = formFor(tokenizer);
  if (form === undefined) throw new RequestFault('invalid', 'Cannot use "suffix": this model has no fill-in-the-middle tokens. Leave it out, or serve a model that was trained to fill gaps.', { field: 'suffix' });
  const ids = [...tokenizer.template.prefix];
  for (const word of form.order) ids.push(...(isText(word) ? tokenizer.encode(texts[word as 'prefix' | 'suffix'], { addSpecialTokens: false }) : [tokenizer.idOf(word)!]));
  return { ids, stopIds: form.ends.flatMap((word) => tokenizer.idOf(word) ?? []) };
}
