// A model in one's own program, without a server: the package's front door. Layer: serve.

import { NativeExecutor } from '../backends/native/index.ts';
import type { Executor } from '../backends/executor.ts';
import { BackendError } from '../base/errors.ts';
import type { EngineOptions } from '../engine/index.ts';
import type { ChatMessage, Tokenizer } from '../tokenizer/index.ts';
import { answer } from './answer.ts';
import { faultOf } from './fault.ts';
import { collect, type AnswerEvent, type AnswerForm, type ChatJob, type Choice, type Choosing, type TextJob, type Tool, type ToolChoice, type Usage } from './job.ts';
import { modelFolder, openLocal } from './open-model.ts';
import { prepareJob } from './prepare.ts';
import { serveModel, type ModelFacts, type ServedModel } from './served-model.ts';

export interface OpenOptions {
  /** Threads that compute; the physical cores by default. */
  readonly threads?: number;
  /** Most tokens of prompt and answer; the model's own, but at most 2048. */
  readonly contextLength?: number;
  /** Answers at once, 8; more wait. */
  readonly parallel?: number;
  readonly executor?: Executor;
  readonly engine?: Partial<EngineOptions>;
}

/** How an answer is made; what is left out is the model's own. */
export interface AnswerOptions extends Choosing {
  readonly signal?: AbortSignal | undefined;
  readonly form?: AnswerForm | undefined;
}

export interface ChatOptions extends AnswerOptions {
  readonly tools?: readonly Tool[] | undefined;
  readonly toolChoice?: ToolChoice | undefined;
  /** For the chat template, such as `enable_thinking`. */
  readonly variables?: Readonly<Record<string, unknown>> | undefined;
}

/** A piece of an answer as it comes. */
export type ChatPart = AnswerEvent;

/** An answer, whole. */
export interface WholeAnswer extends Choice {
  readonly usage: Usage;
}

/** A model that is open. Close it when you are done. */
export class LocalModel {
  readonly #model: ServedModel;

  constructor(model: ServedModel) {
    this.#model = model;
  }

  get name(): string {
    return this.#model.name;
  }

  get facts(): ModelFacts {
    return this.#model.facts;
  }

  get tokenizer(): Tokenizer | undefined {
    return this.#model.tokenizer;
  }

  /**
   * Answers a conversation, piece by piece: text, reasoning, calls of tools, the end of each choice, usage.
   *
   * @throws {RequestFault} naming what is wrong with the request
   * @throws {InterruptedError} when `signal` aborts
   */
  async *chat(messages: readonly ChatMessage[], options: ChatOptions = {}): AsyncGenerator<ChatPart, void> {
    const { signal, form, tools = [], toolChoice = 'auto', variables, ...choosing } = options;
    const job: ChatJob = { kind: 'chat', model: this.name, stream: true, messages, tools, toolChoice, parallelCalls: true, form: form ?? { kind: 'text' }, choosing, variables, promptField: 'messages' };
    yield* this.#answer(job, signal);
  }

  /** Answers a conversation at once. */
  async reply(messages: readonly ChatMessage[], options: ChatOptions = {}): Promise<WholeAnswer> {
    return whole(this.chat(messages, options));
  }

  /** Continues a text, or fills the gap between it and `suffix`. */
  async complete(prompt: string | readonly number[], options: AnswerOptions & { readonly suffix?: string } = {}): Promise<WholeAnswer> {
    const { signal, form, suffix, ...choosing } = options;
    const job: TextJob = { kind: 'text', model: this.name, stream: false, prompts: [prompt], suffix, echo: false, allowSpecial: false, form: form ?? { kind: 'text' }, choosing, promptField: 'prompt' };
    return whole(this.#answer(job, signal));
  }

  /** Vectors of texts: means of hidden states, of length 1. */
  async embed(texts: readonly string[], options: { readonly signal?: AbortSignal } = {}): Promise<Float32Array[]> {
    const { tokenizer, embed, facts } = this.#model;
    if (tokenizer === undefined || embed === undefined) throw new BackendError(`Cannot make vectors with "${this.name}": it has no tokenizer.`, { help: 'Open a model folder with a tokenizer.json.' });
    const vectors = await embed(texts.map((text) => [...tokenizer.encode(text)].slice(0, facts.contextLength)), options.signal);
    return vectors.map((vector) => {
      const norm = Math.hypot(...vector) || 1;
      return vector.map((x) => x / norm);
    });
  }

  /** Stops what is running and frees the memory. */
  close(): Promise<void> {
    return this.#model.close();
  }

  async *#answer(job: ChatJob | TextJob, signal: AbortSignal = new AbortController().signal): AsyncGenerator<AnswerEvent, void> {
    let prepared;
    try {
      prepared = await prepareJob(job, this.#model);
    } catch (error) {
      throw faultOf(error, job.promptField);
    }
    yield* answer(this.#model, prepared, signal);
  }
}

async function whole(events: AsyncIterable<AnswerEvent>): Promise<WholeAnswer> {
  const { choices: [choice], usage } = await collect(events);
  return { ...choice!, usage };
}

/**
 * Opens a model folder, a run's folder or a GGUF file.
 *
 * @throws {StorageError | FormatError} if a file is missing or damaged
 * @throws {BackendError} if the native core is not built
 * @example
 * const model = await open('models/chat');
 * for await (const part of model.chat([{ role: 'user', content: 'Hello' }])) if (part.kind === 'text') process.stdout.write(part.text);
 * await model.close();
 */
export async function open(path: string, options: OpenOptions = {}): Promise<LocalModel> {
  const opened = openLocal(modelFolder(path)), { threads, contextLength, parallel = 8 } = options;
  try {
    const executor = options.executor ?? NativeExecutor.open({ threads });
    return new LocalModel(serveModel(opened, { name: path, executor, engine: { maxSeqs: parallel, ...(contextLength === undefined ? {} : { maxLength: contextLength }), ...options.engine } }));
  } catch (error) {
    opened.close();
    throw error;
  }
}

export { InterruptedError } from '../base/errors.ts';
export { RequestFault } from './fault.ts';
export type { ChatMessage } from '../tokenizer/index.ts';
export type { AnswerForm, Choosing, Tool, ToolCall, ToolChoice, Usage } from './job.ts';
