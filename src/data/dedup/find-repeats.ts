// Which of a long list of hashes were there before: a table in memory, in as many passes as the memory bound asks for.
// Layer: data (pure). Each pass looks at the hashes of one class, so that a list of any length fits; the list is read anew
// for each pass, in its order, which is cheaper than sorting it: 16 bytes of reading instead of log(n) comparisons a hash.

/** Four words a hash. */
export const HASH_WORDS = 4;
/** Bytes of a slot: the hash and the number of its first record. */
const SLOT_BYTES = 4 * (HASH_WORDS + 1);
/** Fullness at which linear probing still needs about two looks (Knuth, volume 3, 6.4: (1 + 1/(1-a))/2). */
const LOAD = 0.6;

/** A record whose hash was there before, and the first that had it. */
export type Repeat = { readonly record: number; readonly first: number };

/**
 * Finds all repeats, in the order of records.
 *
 * @param count how many records there are, below 2^32 - 1
 * @param read gives all hashes from the beginning, [4·n] a chunk
 * @param memory bytes that the table may take
 */
export function* findRepeats(count: number, read: () => Iterable<Uint32Array>, memory: number): Generator<Repeat> {
  const most = 2 ** Math.max(4, Math.floor(Math.log2(memory / SLOT_BYTES))), wanted = 2 ** Math.max(4, Math.ceil(Math.log2((count + 1) / LOAD)));
  const slots = Math.min(most, wanted), passes = Math.max(1, Math.ceil(count / (slots * LOAD)));
  if (passes === 1) {
    yield* onePass(new RepeatTable(slots), read, 0, 1);
    return;
  }
  // Each pass finds its repeats in order; merged they are in order again.
  const found: Repeat[][] = [], table = new RepeatTable(slots);
  for (let pass = 0; pass < passes; pass++) {
    table.clear();
    found.push([...onePass(table, read, pass, passes)]);
  }
  const at = found.map(() => 0);
  for (;;) {
    let least = -1;
    for (const [i, list] of found.entries()) {
      if (at[i]! < list.length && (least < 0 || list[at[i]!]!.record < found[least]![at[least]!]!.record)) least = i;
    }
    if (least < 0) return;
    yield found[least]![at[least]!++]!;
  }
}

function* onePass(table: RepeatTable, read: () => Iterable<Uint32Array>, pass: number, passes: number): Generator<Repeat> {
  let record = 0;
  for (const chunk of read()) {
    for (let at = 0; at < chunk.length; at += HASH_WORDS, record++) {
      if (passes > 1 && chunk[at + 3]! % passes !== pass) continue;
      const first = table.add(chunk, at, record);
      if (first !== record) yield { record, first };
    }
  }
}

/** Open addressing. A class whose hashes are more than fit, against all odds, grows the table. */
class RepeatTable {
  #keys: Uint32Array;
  /** Record number + 1; 0 is an empty slot. */
  #records: Uint32Array;
  #used = 0;

  constructor(slots: number) {
    this.#keys = new Uint32Array(slots * HASH_WORDS);
    this.#records = new Uint32Array(slots);
  }

  clear(): void {
    this.#records.fill(0);
    this.#used = 0;
  }

  /** @returns the first record of this hash, `record` itself if it is new */
  add(words: Uint32Array, at: number, record: number): number {
    if (this.#used >= this.#records.length * 0.9) this.#grow();
    const mask = this.#records.length - 1, keys = this.#keys, records = this.#records;
    const a = words[at]!, b = words[at + 1]!, c = words[at + 2]!, d = words[at + 3]!;
    for (let slot = a & mask;; slot = (slot + 1) & mask) {
      const key = slot * HASH_WORDS;
      if (records[slot] === 0) {
        keys[key] = a;
        keys[key + 1] = b;
        keys[key + 2] = c;
        keys[key + 3] = d;
        records[slot] = record + 1;
        this.#used++;
        return record;
      }
      if (keys[key] === a && keys[key + 1] === b && keys[key + 2] === c && keys[key + 3] === d) return records[slot]! - 1;
    }
  }

  #grow(): void {
    const keys = this.#keys, records = this.#records;
    this.#keys = new Uint32Array(2 * keys.length);
    this.#records = new Uint32Array(2 * records.length);
    this.#used = 0;
    for (const [slot, record] of records.entries()) if (record > 0) this.add(keys, slot * HASH_WORDS, record - 1);
  }
}
