// All commands by name; each is loaded only when it is used, so that `athanor --help` answers at once. Layer: cli.

import type { Command } from './command.ts';

export interface CommandEntry {
  readonly summary: string;
  load(): Promise<Command>;
}

export const COMMANDS: Readonly<Record<string, CommandEntry>> = {
  quickstart: { summary: 'make a small model of the text that is here, in four minutes', load: async () => (await import('./commands/quickstart.ts')).quickstart },
  open: { summary: 'say what a model is, what it needs here, and whether it is supported', load: async () => (await import('./commands/open.ts')).open },
  plan: { summary: 'say what a recipe will need and how long it will take, before it runs', load: async () => (await import('./commands/plan.ts')).plan },
  'data build': { summary: 'turn raw files into a clean corpus and token shards', load: async () => (await import('./commands/data-build.ts')).dataBuild },
  'data extract': { summary: 'take the main text out of web pages', load: async () => (await import('./commands/data-extract.ts')).dataExtract },
  'data report': { summary: 'show what a corpus is made of, and what each rule took away', load: async () => (await import('./commands/data-report.ts')).dataReport },
  'data why': { summary: 'walk from a training token or a document back to its file and rules', load: async () => (await import('./commands/data-why.ts')).dataWhy },
  'data undo': { summary: 'build a corpus again without a rule, computing only what changes', load: async () => (await import('./commands/data-undo.ts')).dataUndo },
  'data forget': { summary: 'find and remove documents, and say which shards and models saw them', load: async () => (await import('./commands/data-forget.ts')).dataForget },
  'tokenizer train': { summary: 'learn a vocabulary from text', load: async () => (await import('./commands/tokenizer-train.ts')).tokenizerTrain },
  tokenize: { summary: 'turn text into token ids, and back', load: async () => (await import('./commands/tokenize.ts')).tokenize },
  train: { summary: 'train a model by a recipe, resumable at any moment', load: async () => (await import('./commands/train.ts')).trainCommand },
  generate: { summary: 'continue a text with a model', load: async () => (await import('./commands/generate.ts')).generate },
  chat: { summary: 'talk with a model in the terminal', load: async () => (await import('./commands/chat.ts')).chat },
  serve: { summary: 'serve models to OpenAI, Anthropic and Ollama clients, with a chat page', load: async () => (await import('./commands/serve.ts')).serve },
  logits: { summary: 'print the scores of every next token', load: async () => (await import('./commands/logits.ts')).logits },
  score: { summary: 'say how likely a model finds given completions', load: async () => (await import('./commands/score.ts')).score },
  export: { summary: 'write a model as GGUF or safetensors', load: async () => (await import('./commands/export.ts')).exportCommand },
  bench: { summary: 'measure speed against limits and peers', load: async () => (await import('./commands/bench.ts')).bench },
  info: { summary: 'describe this machine, the versions and the native core', load: async () => (await import('./commands/info.ts')).info },
};
