// Generation: many requests over one decoder. Layer: engine. A step is schedule, run, postprocess.

import { CapacityError, ConfigError, InterruptedError } from '../base/errors.ts';
import type { Executor, TypedArray } from '../backends/executor.ts';
import type { State } from '../core/index.ts';
import type { Model } from '../models/index.ts';
import type { Tokenizer } from '../tokenizer/index.ts';
import { BlockPool, chainStart } from './block-pool.ts';
import { Decoder, type NewToken } from './decoder.ts';
import { Generation } from './generation.ts';
import { argmax, logSumExp, type Alternative } from './likelihood.ts';
import { PartQueue } from './part-queue.ts';
import type { EngineStats, GenerateOptions, Part, Usage } from './request.ts';
import { Sampler, SamplerMemory, samplingSchema } from './sampler.ts';
import { Scheduler, type Piece } from './scheduler.ts';
import { Scoring, type PositionLogits } from './scoring.ts';
import { Sequence } from './sequence.ts';
import type { Drafter } from './drafter.ts';
import { NgramDrafter } from './ngram-drafter.ts';
import { MAX_DRAFT, Speculation } from './speculation.ts';
import { StopMatcher } from './stop-matcher.ts';

export interface EngineOptions {
  readonly executor: Executor;
  /** A parameter's values in its dtype; `loadModel(path).readStored` is one such function. */
  readonly read: (state: State) => TypedArray;
  /** Without one, text is always empty: ids go in and come out. */
  readonly tokenizer?: Tokenizer;
  /** Tokens that end a text (`eos_token_id`). */
  readonly stopIds?: readonly number[];
  /** Most tokens of one run, 256: a longer prompt comes in pieces, so that answers go on beside it. */
  readonly maxTokens?: number;
  /** Most sequences at once, 8. */
  readonly maxSeqs?: number;
  /** Most tokens of a sequence, prompt included; the model's own limit, but at most 2048. */
  readonly maxLength?: number;
  /** Positions of one block of the cache, 16. Prompts share whole blocks. */
  readonly blockSize?: number;
  /** Positions of the cache, shared by all; room for maxSeqs of maxLength. With less, requests wait and give way. */
  readonly cacheTokens?: number;
  /** Parts that a slow reader may leave lying, 256; then its request waits for it. */
  readonly maxUnread?: number;
  /**
   * Guesses tokens, which the model checks many at once; the answers are the same. `ngram`, the default, takes what followed
   * the last words before, where that pays; `always` does not ask whether it does; a drafter of one's own, such as a smaller
   * model, is closed with the engine.
   */
  readonly speculation?: 'off' | 'ngram' | 'always' | Drafter;
  readonly compute?: 'f32' | 'bf16';
  /** What keys and values are kept in, f32; bf16 takes half the memory. */
  readonly cacheDtype?: 'f32' | 'bf16';
}

export class Engine {
  readonly #decoder: Decoder;
  readonly #pool: BlockPool;
  readonly #scheduler: Scheduler;
  readonly #speculation: Speculation | undefined;
  readonly #tokenizer: Tokenizer | undefined;
  readonly #stopIds: ReadonlySet<number>;
  readonly #maxUnread: number;
  readonly #memory: SamplerMemory;
  readonly #mask: Uint32Array;
  readonly #counts = { promptTokens: 0, cachedTokens: 0, completionTokens: 0, steps: 0 };
  #order = 0;
  #loop: Promise<void> | undefined;
  #closed = false;
  /** Most tokens of a sequence. */
  readonly maxLength: number;

  constructor(model: Model, options: EngineOptions) {
    const { maxTokens = 256, maxSeqs = 8, maxLength = Math.min(2048, model.dims.maxPositions), blockSize: size = 16, speculation = 'ngram' } = options;
    const blocks = Math.ceil((options.cacheTokens ?? maxSeqs * Math.ceil(maxLength / size) * size) / size);
    // A table row holds whole blocks, the last one's end beyond maxLength too.
    const tableLength = Math.min(Math.ceil(maxLength / size) * size, model.dims.maxPositions);
    const maxRows = speculation === 'off' ? maxSeqs : Math.max(maxSeqs, Math.min(maxTokens, (1 + MAX_DRAFT) * maxSeqs, 64));
    this.#decoder = new Decoder(model, { ...options, maxTokens, maxSeqs, maxRows, maxLength: tableLength, slots: blocks * size });
    this.maxLength = Math.min(maxLength, blocks * size);
    this.#pool = new BlockPool(blocks, size);
    this.#scheduler = new Scheduler({ pool: this.#pool, maxTokens, maxRows, maxSeqs, place: (row, first, owned) => this.#place(row, first, owned) });
    this.#speculation = speculation === 'off' ? undefined : new Speculation(typeof speculation === 'string' ? new NgramDrafter() : speculation, speculation === 'always');
    this.#tokenizer = options.tokenizer;
    this.#stopIds = new Set(options.stopIds ?? []);
    this.#maxUnread = options.maxUnread ?? 256;
    this.#memory = new SamplerMemory(this.#decoder.vocabSize);
    this.#mask = new Uint32Array(Math.ceil(this.#decoder.vocabSize / 32));
  }

  /**
   * Continues a prompt, token by token.
   *
   * @param prompt text, or ids as they are
   * @throws {ConfigError} for an empty prompt, an id outside the vocabulary, text without a tokenizer, a constraint that cannot
   * be met
   * @throws {CapacityError} if the prompt leaves no room
   * @throws {InterruptedError} when `signal` aborts; the engine goes on with the others
   */
  async *generate(prompt: string | readonly number[], options: GenerateOptions = {}): AsyncGenerator<Part, void> {
    const ids = this.idsOf(prompt), sequence = this.#sequence(ids, options), generation = this.#generation(sequence, options);
    sequence.reader = generation;
    const stop = (): void => this.#finish(sequence, new InterruptedError('Generation was stopped.'));
    options.signal?.addEventListener('abort', stop, { once: true });
    try {
      this.#start(sequence);
      this.#counts.promptTokens += ids.length;
      if (options.signal?.aborted) stop();
      else generation.begin();
      yield* generation.parts.read();
    } finally {
      options.signal?.removeEventListener('abort', stop);
      this.#finish(sequence);
    }
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
  async *logits(ids: readonly number[], from = ids.length - 1): AsyncGenerator<PositionLogits> {
    const sequence = this.#sequence(this.idsOf(ids), {}), rows = new PartQueue<PositionLogits>(2 * this.#decoder.maxRows, () => this.#kick());
    const scoring = new Scoring(sequence, Math.max(0, from), rows, () => this.#finish(sequence));
    sequence.reader = scoring;
    try {
      this.#start(sequence);
      yield* rows.read();
    } finally {
      this.#finish(sequence);
    }
  }

  /** How likely a completion is after a prompt. @returns the sum of its tokens' log-probabilities, and whether greedy decoding gives it */
  async score(prompt: string, completion: string): Promise<{ logprob: number; tokens: number; isGreedy: boolean }> {
    const ids = this.idsOf(prompt + completion), nPrompt = sharedPrefix(this.idsOf(prompt), ids);
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

  stats(): EngineStats {
    const { running, waiting, preemptions } = this.#scheduler, { size: blockSize, total: totalBlocks, available, idle: cachedBlocks } = this.#pool;
    const { draftTokens = 0, acceptedTokens = 0 } = this.#speculation ?? {};
    return { running: running.length, waiting: waiting.length, blockSize, totalBlocks, usedBlocks: totalBlocks - available, cachedBlocks, ...this.#counts, preemptions, draftTokens, acceptedTokens };
  }

  /** Stops what is running and waiting, with an error for each, and forgets the program. */
  async close(): Promise<void> {
    if (this.#closed) return this.#loop;
    this.#closed = true;
    for (const sequence of [...this.#scheduler.running, ...this.#scheduler.waiting]) this.#finish(sequence, new InterruptedError('The engine was closed.'));
    await this.#loop;
    this.#decoder.close();
    await this.#speculation?.close();
  }

  /** @throws {CapacityError} if it can never have room */
  #sequence(ids: number[], { priority = 0, cacheSalt, maxTokens = 128 }: GenerateOptions): Sequence {
    if (ids.length > this.maxLength) {
      throw new CapacityError(`Cannot take ${ids.length} tokens: a sequence has at most ${this.maxLength}. Shorten the prompt, or open the engine with a larger maxLength.`, { need: ids.length, have: this.maxLength });
    }
    return new Sequence({ ids, priority, chain: chainStart(cacheSalt), limit: Math.min(ids.length + maxTokens, this.maxLength), clock: this.#scheduler.clock, order: this.#order++ });
  }

  #generation(sequence: Sequence, options: GenerateOptions): Generation {
    const { maxTokens: _maxTokens, stop = [], stopIds = [], logitBias = {}, constraint, logprobs, priority: _priority, cacheSalt: _salt, signal: _signal, ...sampling } = options;
    return new Generation({
      sequence,
      sampler: new Sampler(samplingSchema.parse(sampling), this.#memory, { prompt: sequence.ids, logitBias }),
      constraint,
      stopIds: stopIds.length === 0 ? this.#stopIds : new Set([...this.#stopIds, ...stopIds]),
      stops: new StopMatcher(stop),
      decoder: this.#tokenizer?.decoder({ skipSpecialTokens: true }),
      logprobs,
      parts: new PartQueue<Part>(this.#maxUnread, () => this.#kick()),
      mask: this.#mask,
      onEnd: () => this.#finish(sequence),
    });
  }

  #start(sequence: Sequence): void {
    if (this.#closed) throw new InterruptedError('The engine was closed.');
    this.#scheduler.add(sequence);
    this.#kick();
  }

  /** Ends a sequence, once. */
  #finish(sequence: Sequence, failure?: unknown): void {
    if (sequence.done) return;
    sequence.done = true;
    this.#scheduler.remove(sequence);
    this.#speculation?.forget(sequence);
    this.#counts.cachedTokens += sequence.cachedTokens ?? 0;
    sequence.reader.end(failure);
    this.#kick();
  }

  /** Something may be possible now that was not before. */
  #kick(): void {
    this.#loop ??= this.#drive();
  }

  async #drive(): Promise<void> {
    await Promise.resolve(); // let what was asked for together start together
    try {
      for (;;) {
        await this.#speculation?.propose(this.#scheduler.running);
        const pieces = this.#scheduler.schedule();
        if (pieces.length === 0) break;
        await this.#step(pieces);
      }
    } catch (error) { // a drafter's, or ours: nobody is left waiting
      for (const sequence of [...this.#scheduler.running, ...this.#scheduler.waiting]) this.#finish(sequence, error);
    }
    this.#loop = undefined;
  }

  async #step(pieces: readonly Piece[]): Promise<void> {
    const begin = performance.now();
    this.#counts.steps++;
    try {
      const logits = await this.#decoder.run(pieces.flatMap((piece) => this.#tokensOf(piece)));
      const seconds = (performance.now() - begin) / 1000, before = this.#counts.completionTokens;
      this.#postprocess(pieces, logits);
      this.#speculation?.record(pieces, this.#counts.completionTokens - before, seconds);
    } catch (error) {
      for (const { sequence } of pieces) this.#finish(sequence, error);
    }
  }

  #tokensOf({ sequence: { ids, row }, start, count, draft, from }: Piece): NewToken[] {
    return Array.from({ length: count + draft.length }, (_, i) => ({
      id: i < count ? ids[start + i]! : draft[i - count]!,
      position: start + i,
      seq: row,
      slot: this.#decoder.slotOf(row, start + i),
      logits: start + i >= from,
    }));
  }

  #postprocess(pieces: readonly Piece[], logits: Float32Array): void {
    const { vocabSize } = this.#decoder;
    let row = 0;
    for (const piece of pieces) {
      const { sequence, start, count, draft } = piece, first = Math.max(start, piece.from), end = start + count + draft.length;
      const rows = Math.max(0, end - first);
      if (!sequence.done) this.#take(piece, first, logits.subarray(row * vocabSize, (row + rows) * vocabSize));
      row += rows;
    }
  }

  /** Gives a sequence its logits, as far as its draft was right. What goes wrong there ends this sequence alone. */
  #take({ sequence, start, count, draft }: Piece, first: number, rows: Float32Array): void {
    const { vocabSize } = this.#decoder, known = start + count, before = sequence.ids.length, isPrompt = sequence.reader instanceof Scoring;
    sequence.computed = known;
    this.#scheduler.register(sequence); // before it may end: others can use what it leaves
    try {
      for (let at = 0; at * vocabSize < rows.length; at++) {
        const position = first + at, isRight = sequence.reader.take(position, rows.subarray(at * vocabSize, (at + 1) * vocabSize), draft[position + 1 - known]);
        if (sequence.done) break;
        if (position >= known - 1 && !isRight) break;
        if (position >= known - 1 && position + 1 < known + draft.length) sequence.computed++;
      }
    } catch (error) {
      this.#finish(sequence, error);
    }
    if (!isPrompt) this.#counts.completionTokens += sequence.ids.length - before;
  }

  /** Tells the decoder where positions lie; positions that the model does not have are left out. */
  #place(row: number, first: number, blocks: readonly number[]): void {
    const { size } = this.#pool, slots = Int32Array.from({ length: Math.min(blocks.length * size, this.#decoder.maxLength - first) }, (_, i) => blocks[Math.floor(i / size)]! * size + (i % size));
    this.#decoder.assign(row, slots, first);
  }
}

/** Tokens that two encodings begin with: where a prompt and its continuation share a token, it counts as continuation. */
function sharedPrefix(prompt: readonly number[], whole: readonly number[]): number {
  let n = 0;
  while (n < prompt.length && n < whole.length - 1 && prompt[n] === whole[n]) n++;
  return Math.max(1, n);
}
