// One answer: from logits to tokens, text and the reason for its end. Layer: engine.

import { ConfigError } from '../base/errors.ts';
import type { TokenDecoder } from '../tokenizer/index.ts';
import type { Constraint } from './constraint.ts';
import { likeliest, logSumExp, type Alternative } from './likelihood.ts';
import type { PartQueue } from './part-queue.ts';
import type { Part } from './request.ts';
import type { Sampler } from './sampler.ts';
import type { Reader, Sequence } from './sequence.ts';
import type { StopMatcher } from './stop-matcher.ts';

export interface GenerationOptions {
  readonly sequence: Sequence;
  readonly sampler: Sampler;
  readonly constraint: Constraint | undefined;
  readonly stopIds: ReadonlySet<number>;
  readonly stops: StopMatcher;
  /** Undefined: text is always empty. */
  readonly decoder: TokenDecoder | undefined;
  readonly logprobs: number | undefined;
  readonly parts: PartQueue<Part>;
  /** A bit for each token; the engine's, used by one after the other. */
  readonly mask: Uint32Array;
  /** Called once, when the answer has come to its end. */
  readonly onEnd: (generation: Generation) => void;
}

type Reason = 'stop' | 'length';

export class Generation implements Reader {
  readonly parts: PartQueue<Part>;
  readonly #o: GenerationOptions;
  readonly #nPrompt: number;

  constructor(options: GenerationOptions) {
    this.#o = options;
    this.parts = options.parts;
    this.#nPrompt = options.sequence.ids.length;
  }

  get isStalled(): boolean {
    return this.parts.isFull;
  }

  get from(): number {
    return this.#o.sequence.ids.length - 1;
  }

  /** Ends at once what needs no token, or has no room for one. */
  begin(): void {
    const { constraint, sequence } = this.#o;
    if (constraint?.mustEnd === true) this.#emit('', 'stop');
    else if (this.#nPrompt >= sequence.limit) this.#emit('', 'length');
  }

  take(_position: number, logits: Float32Array, next: number | undefined): boolean {
    const { sequence, sampler, stopIds, constraint, stops, decoder } = this.#o, id = this.#choose(logits);
    if (stopIds.has(id)) {
      this.#emit('', 'stop');
      return false;
    }
    sequence.ids.push(id);
    sampler.accept(id);
    const { text, stopped } = stops.push(decoder?.push(id) ?? ''), full = sequence.ids.length >= sequence.limit;
    // A stop text cuts what a constraint has not seen the end of: such an answer counts as cut short.
    const ends = constraint ? constraint.mustEnd : stopped;
    this.#emit(text, ends ? 'stop' : full || stopped ? 'length' : undefined, id, logits, stopped);
    return id === next && !sequence.done;
  }

  end(failure?: unknown): void {
    this.parts.end(failure);
  }

  /** The next token; where a constraint allows none, it cannot be met. */
  #choose(logits: Float32Array): number {
    const { sampler, constraint, stopIds, sequence, mask } = this.#o, position = sequence.ids.length - this.#nPrompt;
    if (!constraint) return sampler.choose(logits, position);
    constraint.fillMask(mask);
    for (const id of stopIds) {
      if (constraint.canEnd) mask[id >> 5]! |= 1 << (id & 31);
      else mask[id >> 5]! &= ~(1 << (id & 31));
    }
    if (mask.every((word) => word === 0)) throw new ConfigError('Cannot go on: the constraint allows no token here, and no end. It cannot be met with this vocabulary.', { path: 'constraint' });
    const id = sampler.choose(logits, position, mask);
    if (!stopIds.has(id) && !constraint.accept(id)) throw new ConfigError(`Cannot go on: the constraint refuses the token ${id}, which its own mask allows.`, { path: 'constraint' });
    return id;
  }

  /** Hands over a part; with a reason it is the last one, and what the decoder and the stop matcher held back comes with it. */
  #emit(shown: string, finishReason?: Reason, id?: number, logits?: Float32Array, cut = false): void {
    const { decoder, stops, sequence } = this.#o;
    let text = shown;
    if (finishReason && !cut) {
      const last = stops.push(decoder?.flush() ?? '');
      text += last.text + (last.stopped ? '' : stops.flush());
    }
    this.parts.push({
      text,
      ids: id === undefined ? [] : [id],
      ...this.#likelihood(id, logits),
      ...(finishReason ? { finishReason, usage: { promptTokens: this.#nPrompt, cachedTokens: sequence.cachedTokens ?? 0, completionTokens: sequence.ids.length - this.#nPrompt } } : {}),
    });
    if (!finishReason) return;
    this.parts.end();
    this.#o.onEnd(this);
  }

  #likelihood(id: number | undefined, logits: Float32Array | undefined): { logprobs: number[]; alternatives: Alternative[][] } {
    const { logprobs: n } = this.#o;
    if (n === undefined || id === undefined || !logits) return { logprobs: [], alternatives: [] };
    const lse = logSumExp(logits);
    return { logprobs: [logits[id]! - lse], alternatives: [n > 0 ? likeliest(logits, n, lse) : []] };
  }
}
