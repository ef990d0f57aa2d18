// Pairs of numbers, sorted and each once, in bounded memory: runs on disk are merged. Layer: data (file access).

import { closeSync } from 'node:fs';
import { join } from 'node:path';
import { writeDurable } from '../../base/durable.ts';
import { openToRead, readInto } from '../../base/read-file.ts';

const LEAST = 2 ** 12;

/** Collects pairs (major, minor) of 32-bit numbers. */
export class SortedPairs {
  readonly #dir: string;
  readonly #most: number;
  #pairs: BigUint64Array;
  /** The same memory: minor, then major (little-endian). */
  #words: Uint32Array;
  #length = 0;
  readonly #runs: string[] = [];

  /** @param memory bytes to hold; more goes to files in `dir` */
  constructor(dir: string, memory: number) {
    this.#dir = dir;
    this.#most = Math.max(LEAST, Math.floor(memory / 8));
    this.#pairs = new BigUint64Array(LEAST);
    this.#words = new Uint32Array(this.#pairs.buffer);
  }

  add(major: number, minor: number): void {
    if (this.#length === this.#pairs.length) this.#room();
    this.#words[2 * this.#length] = minor;
    this.#words[2 * this.#length++ + 1] = major;
  }

  /** All pairs in order, by major then minor. */
  *sorted(): Generator<readonly [major: number, minor: number]> {
    this.#compact();
    if (this.#runs.length === 0) {
      for (let i = 0; i < this.#length; i++) yield [this.#words[2 * i + 1]!, this.#words[2 * i]!];
      return;
    }
    this.#spill();
    const runs = this.#runs.map((path) => new Run(path, Math.max(LEAST, Math.floor(this.#most / this.#runs.length))));
    try {
      let last = -1n;
      for (;;) {
        let least: Run | undefined;
        for (const run of runs) if (run.head !== undefined && (least === undefined || run.head < least.head!)) least = run;
        if (least === undefined) return;
        const pair = least.head!;
        least.advance();
        if (pair !== last) yield [Number(pair >> 32n), Number(pair & 0xffffffffn)];
        last = pair;
      }
    } finally {
      for (const run of runs) run.close();
    }
  }

  #room(): void {
    if (this.#length < this.#most) {
      const larger = new BigUint64Array(Math.min(this.#most, 2 * this.#pairs.length));
      larger.set(this.#pairs);
      this.#pairs = larger;
      this.#words = new Uint32Array(larger.buffer);
      return;
    }
    this.#compact();
    if (this.#length > this.#most / 2) this.#spill();
  }

  #compact(): void {
    const own = this.#pairs.subarray(0, this.#length).sort();
    let kept = 0;
    for (let i = 0; i < own.length; i++) if (i === 0 || own[i] !== own[kept - 1]) own[kept++] = own[i]!;
    this.#length = kept;
  }

  #spill(): void {
    if (this.#length === 0) return;
    const path = join(this.#dir, `pairs-${this.#runs.length}`);
    writeDurable(path, new Uint8Array(this.#pairs.buffer, 0, 8 * this.#length), false);
    this.#runs.push(path);
    this.#length = 0;
  }
}

/** A sorted file, read a block at a time. */
class Run {
  readonly #path: string;
  readonly #fd: number;
  readonly #block: BigUint64Array;
  #held = 0;
  #at = 0;

  constructor(path: string, block: number) {
    this.#path = path;
    this.#block = new BigUint64Array(block);
    this.#fd = openToRead('read the working file', path);
    this.#fill();
  }

  get head(): bigint | undefined {
    return this.#at < this.#held ? this.#block[this.#at] : undefined;
  }

  advance(): void {
    if (++this.#at >= this.#held) this.#fill();
  }

  close(): void {
    closeSync(this.#fd);
  }

  #fill(): void {
    this.#held = Math.floor(readInto(this.#fd, new Uint8Array(this.#block.buffer), null, 'read the working file', this.#path) / 8);
    this.#at = 0;
  }
}
