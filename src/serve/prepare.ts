// From a job to what the engine is asked: prompts as ids, options, and how the answer is read. Layer: serve.

import { randomInt } from 'node:crypto';
import type { GenerateOptions } from '../engine/index.ts';
import type { AnswerParserOptions } from './answer-parts.ts';
import type { MakeConstraint } from './constraint.ts';
import { RequestFault } from './fault.ts';
import { fillInPrompt } from './fill-in.ts';
import type { ChatJob, Choosing, TextJob } from './job.ts';
import type { ServedModel } from './served-model.ts';

/** A job, ready for the engine. */
export interface PreparedJob {
  readonly prompts: readonly (readonly number[])[];
  readonly n: number;
  readonly seed: number;
  readonly options: GenerateOptions;
  /** One for each choice: it has a state. */
  readonly makeConstraint: MakeConstraint | undefined;
  readonly reading: AnswerParserOptions;
  /** Texts that answers begin with, where the client wants its prompt back. */
  readonly echo: readonly string[];
}

/** Answers to one request, of all prompts. */
const MAX_CHOICES = 128;

/** @throws {RequestFault} naming the field that this model cannot do */
export async function prepareJob(job: ChatJob | TextJob, model: ServedModel): Promise<PreparedJob> {
  return job.kind === 'chat' ? prepareChat(job, model) : prepareText(job, model);
}

async function prepareChat(job: ChatJob, model: ServedModel): Promise<PreparedJob> {
  if (model.template === undefined) {
    throw new RequestFault('invalid', `Cannot chat with "${model.name}": it has no chat template, so it only continues texts (/v1/completions). Serve a model with a chat_template.jinja.`, { field: 'model' });
  }
  if (job.messages.length === 0) throw new RequestFault('invalid', `Cannot answer "${job.promptField}": there is no message.`, { field: job.promptField });
  const tools = job.toolChoice === 'none' ? [] : job.tools, forced = forcedTools(job);
  const { ids, text } = await model.template.render({
    messages: job.messages,
    ...(tools.length === 0 ? {} : { tools: tools.map((tool) => ({ type: 'function', function: { description: '', parameters: { type: 'object', properties: {} }, ...tool } })) }),
    addGenerationPrompt: job.prefill !== true,
    ...(job.variables === undefined ? {} : { variables: job.variables }),
  });
  const prompt = job.prefill === true ? withoutTurnEnd(ids, model) : ids;
  const makeConstraint = forced === undefined ? model.constraints.make(job.form) : model.constraints.make({ kind: 'schema', schema: callsSchema(forced, job.parallelCalls) }, 'tools');
  return {
    prompts: [prompt],
    ...optionsOf(job.choosing, model, [prompt], job.promptField),
    makeConstraint,
    reading: { tools, startsInReasoning: /<think>\s*$/.test(text), onlyCalls: forced !== undefined },
    echo: [],
  };
}

/** An answer that the client began is gone on with: the end that the template wrote behind it goes. */
function withoutTurnEnd(ids: readonly number[], model: ServedModel): readonly number[] {
  const at = ids.findLastIndex((id) => model.stopIds.includes(id));
  return at > 0 && at >= ids.length - 3 ? ids.slice(0, at) : ids;
}

/** Tools of which one must be called. @throws {RequestFault} if the one that is named is not there */
function forcedTools({ toolChoice, tools }: ChatJob): readonly { name: string; parameters?: unknown }[] | undefined {
  if (toolChoice === 'auto' || toolChoice === 'none') return undefined;
  if (tools.length === 0) throw new RequestFault('invalid', 'Cannot use "tool_choice": there are no "tools" to choose from.', { field: 'tool_choice' });
  if (toolChoice === 'required') return tools;
  const found = tools.filter(({ name }) => name === toolChoice.name);
  if (found.length === 0) throw new RequestFault('invalid', `Cannot use "tool_choice": no tool is named ${JSON.stringify(toolChoice.name.slice(0, 80))}.`, { field: 'tool_choice' });
  return found;
}

/** What an answer of nothing but calls looks like. */
function callsSchema(tools: readonly { name: string; parameters?: unknown }[], many: boolean): unknown {
  const calls = tools.map(({ name, parameters }) => ({
    type: 'object',
    properties: { name: { const: name }, arguments: parameters ?? { type: 'object' } },
    required: ['name', 'arguments'],
    additionalProperties: false,
  }));
  const one = calls.length === 1 ? calls[0] : { anyOf: calls };
  return many ? { type: 'array', items: one, minItems: 1, maxItems: 8 } : one;
}

async function prepareText(job: TextJob, model: ServedModel): Promise<PreparedJob> {
  const fill = job.suffix === undefined || job.suffix === '' ? undefined : job.prompts.map((prompt) => {
    if (typeof prompt !== 'string') throw new RequestFault('invalid', 'Cannot use "suffix" with a prompt of token ids: give the prompt as text.', { field: 'suffix' });
    return fillInPrompt(textTokenizer(model, job.promptField), { prefix: prompt, suffix: job.suffix! });
  });
  const prompts = fill?.map(({ ids }) => ids) ?? job.prompts.map((prompt) => promptIds(prompt, job, model));
  const extra = fill?.[0]?.stopIds ?? [], choosing = extra.length === 0 ? job.choosing : { ...job.choosing, stopIds: [...job.choosing.stopIds ?? [], ...extra] };
  return {
    prompts,
    ...optionsOf(choosing, model, prompts, job.promptField),
    makeConstraint: model.constraints.make(job.form),
    reading: { tools: [], plain: true },
    echo: job.echo ? job.prompts.map((prompt) => (typeof prompt === 'string' ? prompt : model.tokenizer?.decode(prompt) ?? '')) : [],
  };
}

function promptIds(prompt: string | readonly number[], job: TextJob, model: ServedModel): readonly number[] {
  if (typeof prompt !== 'string') return prompt;
  const ids = [...textTokenizer(model, job.promptField).encode(prompt, job.allowSpecial ? { allowedSpecial: 'all' } : {})];
  if (ids.length > 0) return ids;
  if (model.beginId === undefined) throw new RequestFault('invalid', `Cannot continue an empty "${job.promptField}": this model has no token that begins a text.`, { field: job.promptField });
  return [model.beginId];
}

function textTokenizer(model: ServedModel, field: string) {
  if (model.tokenizer === undefined) throw new RequestFault('invalid', `Cannot read text: "${model.name}" has no tokenizer. Give token ids.`, { field });
  return model.tokenizer;
}

function optionsOf(choosing: Choosing, model: ServedModel, prompts: readonly (readonly number[])[], field: string): Pick<PreparedJob, 'n' | 'seed' | 'options'> {
  const { n = 1, seed = randomInt(2 ** 47), maxTokens, ...rest } = choosing, { contextLength } = model.facts;
  if (n * prompts.length > MAX_CHOICES) throw new RequestFault('invalid', `Cannot use "n" ${n} with ${prompts.length} prompts: at most ${MAX_CHOICES} choices are made for one request.`, { field: 'n' });
  const longest = Math.max(...prompts.map(({ length }) => length)), room = contextLength - longest;
  if (room < 1) throw new RequestFault('too-long', `Cannot take a prompt of ${longest} tokens: with "${model.name}" prompt and answer have at most ${contextLength}. Shorten it.`, { field });
  const given = Object.fromEntries(Object.entries(rest).filter(([, value]) => value !== undefined));
  return { n, seed, options: { ...given, maxTokens: Math.min(maxTokens ?? room, room) } };
}
