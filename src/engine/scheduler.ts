// Who runs in the next step, and in which blocks. Layer: engine.
// - Running answers first, so that a long prompt delays nobody; then pieces of prompts within the budget of tokens.
// - The order is priority, then when a request would be through if it were alone.
// - A sequence takes blocks as it grows. Where none is left, the last in order gives back what it holds and begins again
//   later (preemption): what it had computed is often still there then, and its tokens are the same in any case.
// - A prompt that begins like one that is on its way waits for its blocks instead of computing them too.

import type { BlockPool } from './block-pool.ts';
import { insert, type Sequence } from './sequence.ts';

/** Tokens that a sequence runs in a step: the next of its ids, and after the last one its draft. */
export interface Piece {
  readonly sequence: Sequence;
  readonly start: number;
  /** New tokens without the draft. */
  readonly count: number;
  readonly draft: readonly number[];
  /** First position whose logits are wanted; all after it are. */
  readonly from: number;
}

export interface SchedulerOptions {
  readonly pool: BlockPool;
  readonly maxTokens: number;
  readonly maxRows: number;
  readonly maxSeqs: number;
  /** Tells the decoder where a sequence's positions [first, …) lie. */
  readonly place: (row: number, first: number, blocks: readonly number[]) => void;
}

/** Waiting requests that are looked at in a step. */
const LOOK_AHEAD = 64;

export class Scheduler {
  readonly running: Sequence[] = [];
  readonly waiting: Sequence[] = [];
  /** Tokens scheduled so far. */
  clock = 0;
  preemptions = 0;
  readonly #options: SchedulerOptions;
  readonly #pool: BlockPool;
  readonly #rows: number[];
  readonly #pieces = new Map<Sequence, Piece>();
  #tokens = 0;
  #logits = 0;

  constructor(options: SchedulerOptions) {
    this.#options = options;
    this.#pool = options.pool;
    this.#rows = Array.from({ length: options.maxSeqs }, (_, i) => options.maxSeqs - 1 - i);
  }

  add(sequence: Sequence): void {
    insert(this.waiting, sequence);
  }

  /** Takes a sequence out, wherever it is. */
  remove(sequence: Sequence): void {
    if (sequence.row >= 0) this.#leave(sequence);
    else remove(this.waiting, sequence);
  }

  /** What to run now; nothing if nobody can. */
  schedule(): Piece[] {
    const { maxTokens, maxRows } = this.#options;
    this.#tokens = maxTokens;
    this.#logits = maxRows;
    this.#pieces.clear();
    this.#runAll((sequence) => sequence.pending <= 1);
    this.#admit();
    this.#runAll((sequence) => !this.#pieces.has(sequence));
    const pieces = [...this.#pieces.values()];
    for (const { count } of pieces) this.clock += count;
    return pieces;
  }

  /** Lets others find the blocks that a sequence has filled. */
  register(sequence: Sequence): void {
    const { size } = this.#pool;
    for (; (sequence.registered + 1) * size <= sequence.computed; sequence.registered++) {
      sequence.chain = this.#pool.register(sequence.blocks[sequence.registered]!, sequence.chain, sequence.ids, sequence.registered * size);
    }
  }

  #runAll(which: (sequence: Sequence) => boolean): void {
    for (const sequence of [...this.running]) if (sequence.row >= 0 && which(sequence) && !sequence.reader.isStalled) this.#run(sequence);
  }

  #run(sequence: Sequence): void {
    const { reader, computed: start } = sequence;
    let count = Math.min(this.#tokens, sequence.pending);
    if (start + count > reader.from) count = Math.min(count, Math.max(0, reader.from - start) + this.#logits);
    if (count <= 0 || !this.#grow(sequence, start + count)) return;
    const ends = start + count === sequence.ids.length, draft = ends ? this.#draftOf(sequence, count) : [];
    this.#pieces.set(sequence, { sequence, start, count, draft, from: reader.from });
    this.#tokens -= count + draft.length;
    this.#logits -= Math.max(0, start + count - Math.max(start, reader.from)) + draft.length;
  }

  /** What of a draft has room: nobody gives anything back for a guess. */
  #draftOf(sequence: Sequence, count: number): readonly number[] {
    const { draft } = sequence;
    if (draft.length === 0) return draft;
    let most = Math.min(draft.length, sequence.limit - sequence.ids.length - 1, this.#tokens - count - this.running.length, this.#logits - this.running.length);
    while (most > 0 && this.#lacking(sequence, sequence.computed + count + most) > 0) {
      if (!this.#extend(sequence)) most = sequence.blocks.length * this.#pool.size - sequence.computed - count;
    }
    return draft.slice(0, Math.max(0, most));
  }

  #lacking(sequence: Sequence, length: number): number {
    return Math.ceil(length / this.#pool.size) - sequence.blocks.length;
  }

  /** Blocks for so many positions, taken from those who come last if need be. @returns false if it is the last itself, and gave way */
  #grow(sequence: Sequence, length: number): boolean {
    while (this.#lacking(sequence, length) > 0) {
      if (this.#extend(sequence)) continue;
      const victim = this.#victim();
      this.#preempt(victim);
      if (victim === sequence) return false;
    }
    return true;
  }

  #extend(sequence: Sequence): boolean {
    const block = this.#pool.take();
    if (block === undefined) return false;
    this.#options.place(sequence.row, sequence.blocks.length * this.#pool.size, [block]);
    sequence.blocks.push(block);
    return true;
  }

  /** Who gives way: one whose reader is slow, else the last in order. */
  #victim(): Sequence {
    return this.running.findLast((sequence) => sequence.reader.isStalled) ?? this.running.at(-1)!;
  }

  #preempt(sequence: Sequence): void {
    this.preemptions++;
    this.#leave(sequence);
    insert(this.waiting, sequence);
  }

  /** Gives back a sequence's row and blocks, the last ones first, so that beginnings stay longest. */
  #leave(sequence: Sequence): void {
    remove(this.running, sequence);
    const piece = this.#pieces.get(sequence);
    if (piece && this.#pieces.delete(sequence)) this.#tokens += piece.count + piece.draft.length;
    this.#rows.push(sequence.row);
    sequence.row = -1;
    for (const block of sequence.blocks.reverse()) this.#pool.release(block);
    sequence.blocks.length = 0;
    sequence.computed = 0;
    sequence.registered = 0;
    sequence.chain = sequence.start;
    sequence.draft = [];
  }

  #admit(): void {
    for (const sequence of this.waiting.slice(0, LOOK_AHEAD)) {
      if (sequence.reader.isStalled) continue;
      const found = this.#find(sequence);
      if (this.#isOnItsWay(sequence, found.length)) continue;
      if (!this.#makeRoom(sequence, found)) return; // in order: a large request is not passed for ever
      this.#enter(sequence, found);
    }
  }

  /** Blocks that begin as a sequence does; its last token is always run, for its logits. */
  #find({ ids, start, reader }: Sequence): number[] {
    const found: number[] = [], { size } = this.#pool, most = Math.min(ids.length - 1, reader.from);
    for (let chain = start; (found.length + 1) * size <= most;) {
      const block = this.#pool.find(chain, ids, found.length * size);
      if (block === undefined) break;
      found.push(block);
      chain = this.#pool.chainOf(block);
    }
    return found;
  }

  /** Whether somebody is computing blocks that this one can have. */
  #isOnItsWay(sequence: Sequence, found: number): boolean {
    const { size } = this.#pool, most = Math.floor(Math.min(sequence.ids.length - 1, sequence.reader.from) / size);
    return this.running.some((other) => {
      if (other.start !== sequence.start || other.reader.isStalled || other.pending <= 1) return false;
      let shared = 0;
      const end = Math.min(most * size, other.ids.length);
      while (shared < end && other.ids[shared] === sequence.ids[shared]) shared++;
      const blocks = Math.floor(shared / size);
      return blocks > found && other.computed < blocks * size;
    });
  }

  /** A row, and blocks for it and all that run, one more each, so that nobody gives way at once; slow readers give way. */
  #makeRoom(sequence: Sequence, found: readonly number[]): boolean {
    for (;;) {
      const kept = found.filter((block) => this.#pool.isIdle(block)).length;
      let need = this.#lacking(sequence, sequence.ids.length) + 1 - found.length;
      for (const other of this.running) need += Math.max(0, this.#lacking(other, other.ids.length) + 1);
      if (this.#rows.length > 0 && (this.running.length === 0 || need <= this.#pool.available - kept)) return true;
      const slow = this.running.findLast((other) => other.reader.isStalled);
      if (slow === undefined) return false;
      this.#preempt(slow);
    }
  }

  #enter(sequence: Sequence, found: readonly number[]): void {
    remove(this.waiting, sequence);
    insert(this.running, sequence);
    sequence.row = this.#rows.pop()!;
    for (const block of found) this.#pool.hold(block);
    sequence.blocks.push(...found);
    sequence.registered = found.length;
    sequence.computed = found.length * this.#pool.size;
    sequence.cachedTokens ??= sequence.computed;
    if (found.length > 0) sequence.chain = this.#pool.chainOf(found.at(-1)!);
    this.#options.place(sequence.row, 0, found);
  }
}

function remove(sequences: Sequence[], sequence: Sequence): void {
  const at = sequences.indexOf(sequence);
  if (at >= 0) sequences.splice(at, 1);
}
