// Generation: many sequences over one decoder. Layer: engine. A step is schedule, run, postprocess.

import { CapacityError, ConfigError, InterruptedError } from '../base/errors.ts';
import type { Executor, TypedArray } from '../backends/executor.ts';
import type { State } from '../core/index.ts';
import type { Model } from '../models/index.ts';
import type { Tokenizer } from '../tokenizer/index.ts';
import { CacheSlots } from './cache-slots.ts';
import { Decoder, type NewToken } from './decoder.ts';
import type { Constraint } from './constraint.ts';
import { likeliest, logSumExp, argmax, type Alternative } from './likelihood.ts';
import { Sampler, SamplerMemory, samplingSchema, type LogitBias, type Sampling } from './sampler.ts';
import { StopMatcher } from './stop-matcher.ts';

export interface EngineOptions {
  readonly executor: Executor;
  /** A parameter's values in its dtype; `loadModel(path).readStored` is one such function. */
  readonly read: (state: State) => TypedArray;
  /** Without one, text is always empty: ids go in and come out. */
  readonly tokenizer?: Tokenizer;
  /** Tokens that end a text (`eos_token_id`). */
  readonly stopIds?: readonly number[];
  /** Most tokens of one run, 256. */
  readonly maxTokens?: number;
  /** Most sequences at once, 8. */
  readonly maxSeqs?: number;
  /** Most tokens of a sequence, prompt included; the model's own limit, but at most 2048. */
  readonly maxLength?: number;
  readonly compute?: 'f32' | 'bf16';
  /** What keys and values are kept in, f32; bf16 takes half the memory. */
  readonly cacheDtype?: 'f32' | 'bf16';
}

export interface GenerateOptions extends Partial<Sampling> {
  /** Most new tokens, 128. */
  readonly maxTokens?: number;
  /** Texts that end the answer; they are not part of it. */
  readonly stop?: readonly string[];
  /** Tokens that end the answer, besides the model's own. */
  readonly stopIds?: readonly number[];
  /** Added to the logits of some tokens: −100 forbids, in practice, and 100 all but forces. */
  readonly logitBias?: LogitBias;
  /**
   * What the answer must be. It is valid if it ends with `stop`; with `length` it was cut short. The request uses it up: give
   * each its own (`fork`).
   */
  readonly constraint?: Constraint;
  /** Report log-probabilities, with this many alternatives for each token. */
  readonly logprobs?: number;
  readonly signal?: AbortSignal;
}

/** A piece of an answer. Text comes when its characters are whole, so some parts have none. */
export interface Part {
  readonly text: string;
  readonly ids: readonly number[];
  /** Of the ids, under the model's own distribution; empty unless asked for. */
  readonly logprobs: readonly number[];
  readonly alternatives: readonly (readonly Alternative[])[];
  /** On the last part only. `stop`: a stop token or text; `length`: no room was left. */
  readonly finishReason?: 'stop' | 'length';
  /** On the last part only. */
  readonly usage?: Usage;
}

/** Tokens of a request. */
export interface Usage {
  readonly promptTokens: number;
  /** Of the prompt, those whose keys and values were there already. */
  readonly cachedTokens: number;
  readonly completionTokens: number;
}

/** What an engine is doing. */
export interface EngineStats {
  /** Requests with a place in the batch. */
  readonly running: number;
  readonly waiting: number;
  /** Positions of one block of the KV cache. */
  readonly blockSize: number;
  readonly totalBlocks: number;
  /** Blocks that running requests hold. */
  readonly usedBlocks: number;
  /** Blocks that are kept for prompts that begin alike. */
  readonly cachedBlocks: number;
  /** Prompt tokens since the start, and those of them found in the cache. */
  readonly promptTokens: number;
  readonly cachedTokens: number;
  readonly completionTokens: number;
  readonly steps: number;
  /** Requests that gave their blocks back for others, and began again. */
  readonly preemptions: number;
  /** Tokens that speculation proposed, and those of them that were right. */
  readonly draftTokens: number;
  readonly acceptedTokens: number;
}

/** A request on its way. */
interface Sequence {
  readonly ids: number[];
  readonly nPrompt: number;
  readonly slots: Int32Array;
  readonly seq: number;
  readonly sampler: Sampler;
  readonly stopIds: ReadonlySet<number>;
  readonly constraint: Constraint | undefined;
  readonly limit: number;
  readonly nAlternatives: number | undefined;
  readonly stops: StopMatcher;
  readonly push: (id: number) => string;
  readonly flush: () => string;
  readonly parts: Part[];
  /** Tokens whose keys and values are in the cache. */
  computed: number;
  done: boolean;
  failure: unknown;
  wake: () => void;
}

export class Engine {
  readonly #decoder: Decoder;
  readonly #slots: CacheSlots;
  readonly #tokenizer: Tokenizer | undefined;
  readonly #stopIds: ReadonlySet<number>;
  readonly #memory: SamplerMemory;
  readonly #mask: Uint32Array;
  readonly #counts = { promptTokens: 0, cachedTokens: 0, completionTokens: 0, steps: 0, preemptions: 0, draftTokens: 0, acceptedTokens: 0 };
  readonly #freeSeqs: number[];
  readonly #running: Sequence[] = [];
  readonly #waiting: (() => void)[] = [];
  #loop: Promise<void> | undefined;
  #closed = false;

  constructor(model: Model, options: EngineOptions) {
    const { maxTokens = 256, maxSeqs = 8, maxLength = Math.min(2048, model.dims.maxPositions) } = options;
    const slots = maxSeqs * maxLength;
    this.#decoder = new Decoder(model, { ...options, maxTokens, maxSeqs, maxLength, slots });
    this.#slots = new CacheSlots(slots);
    this.#tokenizer = options.tokenizer;
    this.#stopIds = new Set(options.stopIds ?? []);
    this.#memory = new SamplerMemory(this.#decoder.vocabSize);
    this.#mask = new Uint32Array(Math.ceil(this.#decoder.vocabSize / 32));
    this.#freeSeqs = Array.from({ length: maxSeqs }, (_, i) => maxSeqs - 1 - i);
  }

  /**
   * Continues a prompt, token by token.
   *
   * @param prompt text, or ids as they are
   * @throws {ConfigError} for an empty prompt, an id outside the vocabulary, text without a tokenizer
   * @throws {CapacityError} if the prompt leaves no room
   * @throws {InterruptedError} when `signal` aborts; the engine goes on with the others
   */
  async *generate(prompt: string | readonly number[], options: GenerateOptions = {}): AsyncGenerator<Part, void> {
    const sequence = await this.#admit(this.idsOf(prompt), options);
    const stop = (): void => this.#finish(sequence, new InterruptedError('Generation was stopped.'));
    options.signal?.addEventListener('abort', stop, { once: true });
    try {
      if (options.signal?.aborted) stop();
      this.#loop ??= this.#drive();
      while (sequence.parts.length > 0 || !sequence.done) {
        if (sequence.parts.length > 0) yield sequence.parts.shift()!;
        else await new Promise<void>((resolve) => {
            sequence.wake = resolve;
          });
      }
      if (sequence.failure !== undefined) throw sequence.failure;
    } finally {
      options.signal?.removeEventListener('abort', stop);
      this.#finish(sequence);
    }
  }

  stats(): EngineStats {
    const total = this.#decoder.maxSeqs * this.#decoder.maxLength;
    return { running: this.#running.length, waiting: this.#waiting.length, blockSize: 1, totalBlocks: total, usedBlocks: total - this.#slots.free, cachedBlocks: 0, ...this.#counts };
  }

  /** The whole answer at once. */
  async complete(prompt: string | readonly number[], options: GenerateOptions = {}): Promise<Required<Part>> {
    const whole = { text: '', ids: [] as number[], logprobs: [] as number[], alternatives: [] as (readonly Alternative[])[], finishReason: 'length' as 'stop' | 'length', usage: { promptTokens: 0, cachedTokens: 0, completionTokens: 0 } as Usage };
    for await (const part of this.generate(prompt, options)) {
      whole.text += part.text;
      whole.ids.push(...part.ids);
      whole.logprobs.push(...part.logprobs);
      whole.alternatives.push(...part.alternatives);
      if (part.finishReason) whole.finishReason = part.finishReason;
      if (part.usage) whole.usage = part.usage;
    }
    return whole;
  }

  /**
   * Logits after each token from position `from` on, as [position, logits] in order.
   *
   * @throws {CapacityError} if there are more ids than a sequence has positions
   */
  async *logits(ids: readonly number[], from = ids.length - 1): AsyncGenerator<readonly [position: number, logits: Float32Array]> {
    const { seq, slots } = await this.#room(this.idsOf(ids), ids.length);
    try {
      for (let start = 0; start < ids.length;) {
        const end = Math.min(ids.length, start + (start < from ? this.#decoder.maxTokens : Math.min(this.#decoder.maxTokens, this.#decoder.maxSeqs)), start < from ? from : Infinity);
        const rows = await this.#decoder.run(ids.slice(start, end).map((id, i): NewToken => ({
          id,
          position: start + i,
          seq,
          slot: slots[start + i]!,
          logits: start + i >= from,
        })));
        for (let i = Math.max(start, from); i < end; i++) {
          const row = i - Math.max(start, from);
          yield [i, rows.subarray(row * this.#decoder.vocabSize, (row + 1) * this.#decoder.vocabSize)];
        }
        start = end;
      }
    } finally {
      this.#release(seq, slots);
    }
  }

  /** How likely a completion is after a prompt. @returns the sum of its tokens' log-probabilities, and whether greedy decoding gives it */
  async score(prompt: string, completion: string): Promise<{ logprob: number; tokens: number; isGreedy: boolean }> {
    const ids = this.idsOf(prompt + completion), nPrompt = this.#sharedPrefix(this.idsOf(prompt), ids);
    let logprob = 0, isGreedy = true;
    for await (const [position, logits] of this.logits(ids, nPrompt - 1)) {
      const next = ids[position + 1];
      if (next === undefined) break;
      logprob += logits[next]! - logSumExp(logits);
      isGreedy &&= argmax(logits) === next;
    }
    return { logprob, tokens: ids.length - nPrompt, isGreedy };
  }

  /** Checked ids of a prompt. */
  idsOf(prompt: string | readonly number[]): number[] {
    if (typeof prompt === 'string' && !this.#tokenizer) throw new ConfigError('Cannot read text: this model has no tokenizer. Give ids instead (--prompt-ids 1,2,3).');
    const ids = typeof prompt === 'string' ? [...this.#tokenizer!.encode(prompt)] : [...prompt];
    const wrong = ids.find((id) => !Number.isInteger(id) || id < 0 || id >= this.#decoder.vocabSize);
    if (wrong !== undefined) throw new ConfigError(`Cannot use the id ${wrong}: the vocabulary has ids 0 to ${this.#decoder.vocabSize - 1}.`);
    if (ids.length === 0) throw new ConfigError('Cannot continue an empty prompt: give at least one token.');
    return ids;
  }

  /** Stops what is running, with an error for each, and forgets the program. */
  async close(): Promise<void> {
    this.#closed = true;
    for (const sequence of [...this.#running]) this.#finish(sequence, new InterruptedError('The engine was closed.'));
    await this.#loop;
    this.#decoder.close();
  }

  /** Tokens that two encodings begin with: where a prompt and its continuation share a token, it counts as continuation. */
  #sharedPrefix(prompt: readonly number[], whole: readonly number[]): number {
    let n = 0;
    while (n < prompt.length && n < whole.length - 1 && prompt[n] === whole[n]) n++;
    return Math.max(1, n);
  }

  /** A row of the table and cache rows, when they are free. */
  async #room(ids: readonly number[], length: number): Promise<{ seq: number; slots: Int32Array }> {
    if (ids.length > this.#decoder.maxLength) {
      throw new CapacityError(`Cannot take ${ids.length} tokens: a sequence has at most ${this.#decoder.maxLength}. Shorten the prompt, or open the engine with a larger maxLength.`, { need: ids.length, have: this.#decoder.maxLength });
    }
    for (;;) {
      if (this.#closed) throw new InterruptedError('The engine was closed.');
      const slots = this.#freeSeqs.length > 0 ? this.#slots.take(Math.min(length, this.#decoder.maxLength)) : undefined;
      if (slots !== undefined) {
        const seq = this.#freeSeqs.pop()!;
        this.#decoder.assign(seq, slots);
        return { seq, slots };
      }
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
  }

  #release(seq: number, slots: Int32Array): void {
    this.#freeSeqs.push(seq);
    this.#slots.giveBack(slots);
    for (const retry of this.#waiting.splice(0)) retry();
  }

  async #admit(ids: number[], options: GenerateOptions): Promise<Sequence> {
    const { maxTokens = 128, stop = [], stopIds = [], logitBias = {}, constraint, logprobs, signal: _signal, ...sampling } = options;
    const sampler = new Sampler(samplingSchema.parse(sampling), this.#memory, { prompt: ids, logitBias });
    const room = await this.#room(ids, ids.length + maxTokens);
    if (this.#closed) {
      this.#release(room.seq, room.slots);
      throw new InterruptedError('The engine was closed.');
    }
    const decoder = this.#tokenizer?.decoder({ skipSpecialTokens: true });
    const sequence: Sequence = {
      ...room,
      ids,
      nPrompt: ids.length,
      sampler,
      stopIds: stopIds.length === 0 ? this.#stopIds : new Set([...this.#stopIds, ...stopIds]),
      constraint,
      limit: Math.min(ids.length + maxTokens, this.#decoder.maxLength),
      nAlternatives: logprobs,
      stops: new StopMatcher(stop),
      push: (id) => decoder?.push(id) ?? '',
      flush: () => decoder?.flush() ?? '',
      parts: [],
      computed: 0,
      done: false,
      failure: undefined,
      wake: () => {},
    };
    this.#running.push(sequence);
    this.#counts.promptTokens += ids.length;
    if (ids.length >= sequence.limit || constraint?.mustEnd === true) this.#emit(sequence, undefined, constraint?.mustEnd === true ? 'stop' : 'length');
    return sequence;
  }

  async #drive(): Promise<void> {
    await Promise.resolve(); // let what was asked for together start together
    while (this.#running.length > 0) {
      const batch = this.#schedule();
      this.#counts.steps++;
      try {
        this.#postprocess(batch, await this.#decoder.run(batch.flatMap(({ tokens }) => tokens)));
      } catch (error) {
        for (const { sequence } of batch) this.#finish(sequence, error);
      }
    }
    this.#loop = undefined;
  }

  /** Everyone's next tokens: single ones first, so that a long prompt delays nobody, then pieces of prompts. */
  #schedule(): { sequence: Sequence; tokens: NewToken[] }[] {
    let room = this.#decoder.maxTokens;
    const pending = (s: Sequence): number => s.ids.length - s.computed;
    return [...this.#running].sort((a, b) => Number(pending(a) > 1) - Number(pending(b) > 1)).flatMap((sequence) => {
      const n = Math.min(room, pending(sequence)), start = sequence.computed;
      room -= n;
      const tokens = sequence.ids.slice(start, start + n).map((id, i): NewToken => ({
        id,
        position: start + i,
        seq: sequence.seq,
        slot: sequence.slots[start + i]!,
        logits: start + i === sequence.ids.length - 1,
      }));
      return n > 0 ? [{ sequence, tokens }] : [];
    });
  }

  #postprocess(batch: readonly { sequence: Sequence; tokens: readonly NewToken[] }[], logits: Float32Array): void {
    let row = 0;
    for (const { sequence, tokens } of batch) {
      sequence.computed += tokens.length;
      if (tokens.at(-1)?.logits !== true) continue;
      const mine = logits.subarray(row * this.#decoder.vocabSize, ++row * this.#decoder.vocabSize);
      if (sequence.done) continue;
      try {
        const id = this.#choose(sequence, mine);
        if (sequence.stopIds.has(id)) this.#emit(sequence, undefined, 'stop');
        else this.#accept(sequence, id, mine);
      } catch (error) {
        this.#finish(sequence, error);
      }
    }
  }

  /** The next token; where a constraint allows none, the answer ends or has failed. */
  #choose({ sampler, constraint, stopIds, ids, nPrompt }: Sequence, logits: Float32Array): number {
    if (!constraint) return sampler.choose(logits, ids.length - nPrompt);
    constraint.fillMask(this.#mask);
    for (const id of stopIds) {
      if (constraint.canEnd) this.#mask[id >> 5]! |= 1 << (id & 31);
      else this.#mask[id >> 5]! &= ~(1 << (id & 31));
    }
    if (this.#mask.every((word) => word === 0)) throw new ConfigError('Cannot go on: the constraint allows no token here, and no end. It cannot be met with this vocabulary.', { path: 'constraint' });
    const id = sampler.choose(logits, ids.length - nPrompt, this.#mask);
    if (!stopIds.has(id) && !constraint.accept(id)) throw new ConfigError(`Cannot go on: the constraint refuses the token ${id}, which its own mask allows.`, { path: 'constraint' });
    return id;
  }

  #accept(sequence: Sequence, id: number, logits: Float32Array): void {
    sequence.ids.push(id);
    sequence.sampler.accept(id);
    this.#counts.completionTokens++;
    const n = sequence.nAlternatives;
    const chosen = n === undefined ? { id } : { id, logprob: logits[id]! - logSumExp(logits), alternatives: n > 0 ? likeliest(logits, n) : [] };
    const { text, stopped } = sequence.stops.push(sequence.push(id));
    const full = sequence.ids.length >= sequence.limit;
    const ends = sequence.constraint ? sequence.constraint.mustEnd : stopped;
    this.#emit(sequence, { ...chosen, text }, ends ? 'stop' : full || stopped ? 'length' : undefined, stopped);
  }

  /** Queues a part; with a reason it is the last one, and what the decoder and the stop matcher held back comes with it. */
  #emit(sequence: Sequence, token: { id: number; text: string; logprob?: number; alternatives?: Alternative[] } | undefined, finishReason?: 'stop' | 'length', cut = false): void {
    let text = token?.text ?? '';
    if (finishReason && !cut) {
      const last = sequence.stops.push(sequence.flush());
      text += last.text + (last.stopped ? '' : sequence.stops.flush());
    }
    sequence.parts.push({
      text,
      ids: token ? [token.id] : [],
      logprobs: token?.logprob === undefined ? [] : [token.logprob],
      alternatives: token?.alternatives ? [token.alternatives] : [],
      ...(finishReason ? { finishReason, usage: { promptTokens: sequence.nPrompt, cachedTokens: 0, completionTokens: sequence.ids.length - sequence.nPrompt } } : {}),
    });
    if (finishReason) this.#finish(sequence);
    sequence.wake();
  }

  /** Ends a sequence, once. */
  #finish(sequence: Sequence, failure?: unknown): void {
    if (sequence.done) return;
    sequence.done = true;
    sequence.failure = failure;
    this.#running.splice(this.#running.indexOf(sequence), 1);
    this.#release(sequence.seq, sequence.slots);
    sequence.wake();
  }
}
