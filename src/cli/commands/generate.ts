// athanor generate. Layer: cli.

import type { Profile } from '../../backends/profile.ts';
import { ConfigError } from '../../base/errors.ts';
import type { Part } from '../../engine/index.ts';
import { ChatTemplate } from '../../tokenizer/index.ts';
import type { Arguments } from '../arguments.ts';
import { EXECUTOR_OPTIONS, type Command, type Io } from '../command.ts';
import { withExecutor } from '../executors.ts';
import { describeProfile, PROFILE_OPTION, profiled, takeProfile } from '../profile.ts';
import { MODEL_ARGUMENT, openEngine, openModel, parseIds, type OpenModel } from '../open-model.ts';
import { SAMPLING_OPTIONS, samplingOf, wholeNumber } from '../sampling-options.ts';

export const generate: Command = {
  name: 'generate',
  about: [
    'Continues a prompt, printing the text as it comes. A base model continues; one with a chat template answers --message. With',
    '--json the whole answer is one line: {text, ids, logprobs, finishReason}; with --profile too, {…, profile}. The same seed gives the same text.',
  ].join('\n'),
  arguments: [MODEL_ARGUMENT],
  options: {
    prompt: { kind: 'text', value: 'TEXT', about: 'what to continue; - reads standard input' },
    'prompt-ids': { kind: 'text', value: '1,2,3', about: 'the prompt as token ids (a folder without a tokenizer will do)' },
    message: { kind: 'text', value: 'TEXT', about: "what to answer, by the model's chat template; - reads standard input" },
    system: { kind: 'text', value: 'TEXT', about: 'what the model is told before --message' },
    'max-tokens': { kind: 'number', value: 'N', about: 'most new tokens (default: 128)' },
    ...SAMPLING_OPTIONS,
    stop: { kind: 'text', value: 'TEXT', about: 'end before this text; more than once for several', repeatable: true },
    profile: PROFILE_OPTION,
    ...EXECUTOR_OPTIONS,
  },
  examples: [
    'athanor generate runs/first --prompt "import { readFileSync } from" --temperature 0.8',
    'athanor generate runs/first --prompt "Once" --seed 7 --json',
    'athanor generate runs/first --prompt "Once" --profile',
    'athanor generate models/chat --message "What is a monad?" --system "Be brief."',
  ],
  async run(args, io) {
    const open = await openModel(args.words[0]!, io);
    try {
      const options = { maxTokens: wholeNumber(args, 'max-tokens') ?? 128, stop: args.texts('stop'), logprobs: 0, signal: io.signal, ...samplingOf(args) };
      const prompt = await promptOf(args, open, io);
      await withExecutor(args, io, async (opened) => {
        const executor = profiled(args, opened, (_, { tokens = 1 }) => (tokens > 1 ? 'prefill' : 'decode'));
        const engine = openEngine(open, executor, { maxSeqs: 1 });
        try {
          await print(engine.generate(prompt, options), typeof prompt === 'string' ? prompt : '', () => takeProfile(executor), io);
        } finally {
          await engine.close();
        }
      });
    } finally {
      open.close();
    }
  },
};

/** What to continue: text, ids, or a message in the form of the model's chat template, in which text is never a control token. */
async function promptOf(args: Arguments, open: OpenModel, io: Io): Promise<string | readonly number[]> {
  const message = args.text('message'), system = args.text('system');
  if (message === undefined) {
    if (system !== undefined) throw new ConfigError('Cannot use --system without --message: a chat has both.', { path: 'system' });
    return plainPrompt(args, open, io);
  }
  if (args.has('prompt') || args.has('prompt-ids')) throw new ConfigError('Cannot use --message together with --prompt or --prompt-ids: give one of them.', { path: 'message' });
  if (open.chatTemplates === undefined || open.tokenizer === undefined) {
    throw new ConfigError(`Cannot answer --message: "${open.path}" has no ${open.tokenizer === undefined ? 'tokenizer' : 'chat template'}. Give --prompt TEXT instead.`, { path: 'message' });
  }
  const template = new ChatTemplate(open.chatTemplates, open.tokenizer), content = message === '-' ? await readAll(io) : message;
  try {
    return (await template.render({ messages: [...(system === undefined ? [] : [{ role: 'system', content: system }]), { role: 'user', content }] })).ids;
  } finally {
    await template.close();
  }
}

async function plainPrompt(args: Arguments, open: OpenModel, io: Io): Promise<string | number[]> {
  const text = args.text('prompt'), ids = args.text('prompt-ids');
  if (text !== undefined && ids !== undefined) throw new ConfigError('Cannot use --prompt and --prompt-ids together: give one of them.', { path: 'prompt' });
  if (ids !== undefined) return parseIds(ids, 'prompt-ids');
  if (text === undefined || text === '') {
    if (open.beginId !== undefined) return [open.beginId]; // begins a text of its own
    throw new ConfigError('Cannot generate without a prompt: give --prompt TEXT or --prompt-ids 1,2,3 (this model has no token that begins a text).', { path: 'prompt' });
  }
  return text === '-' ? readAll(io) : text;
}

async function readAll(io: Io): Promise<string> {
  const parts: Buffer[] = [];
  for await (const part of io.input()) parts.push(part);
  return Buffer.concat(parts).toString('utf8');
}

async function print(parts: AsyncIterable<Part>, prompt: string, profileOfIt: () => Promise<Profile | undefined>, io: Io): Promise<void> {
  const whole = { text: '', ids: [] as number[], logprobs: [] as number[], finishReason: 'length' as 'stop' | 'length' };
  if (!io.json) io.write(prompt);
  for await (const part of parts) {
    if (!io.json) io.write(part.text);
    whole.text += part.text;
    whole.ids.push(...part.ids);
    whole.logprobs.push(...part.logprobs);
    whole.finishReason = part.finishReason ?? whole.finishReason;
  }
  if (!io.json) io.write('\n');
  const profile = await profileOfIt();
  if (io.json) io.result(profile === undefined ? whole : { ...whole, profile }, whole.text);
  else if (profile !== undefined) io.write(`\n${describeProfile(profile)}\n`);
}
