// The KV cache in blocks, shared by prompts that begin alike. Layer: engine.
// Blocks of a fixed number of positions with reference counts (Kwon et al. 2023, arXiv 2309.06180). A full block is named by
// its tokens and the block before it, exactly, not by a hash: two texts never meet. Full blocks are never written again, so
// sharing needs no copies. A block that nobody holds stays until its memory is needed, the longest unused first.

/** What a chain of blocks begins with. Different ones never share: another user's prompts are not there to be timed. */
export function chainStart(salt = ''): string {
  return `${JSON.stringify(salt)}:`;
}

export class BlockPool {
  readonly size: number;
  readonly total: number;
  readonly #references: Int32Array;
  readonly #free: number[];
  /** Blocks by chain and tokens, and what each block is found by. */
  readonly #named = new Map<string, number>();
  readonly #names: (string | undefined)[];
  /** The chain that goes on after a block: a number of its own for each registration, so that none can be mistaken. */
  readonly #chains: string[];
  #registrations = 0;
  /** Named blocks that nobody holds, the longest unused first. */
  readonly #idle = new Set<number>();

  /** @param size positions of a block */
  constructor(total: number, size: number) {
    this.size = size;
    this.total = total;
    this.#references = new Int32Array(total);
    this.#free = Array.from({ length: total }, (_, i) => total - 1 - i); // taken from the end: lowest first
    this.#names = new Array<string | undefined>(total);
    this.#chains = new Array<string>(total).fill('');
  }

  /** Blocks that can be taken: empty ones and those kept for nobody in particular. */
  get available(): number {
    return this.#free.length + this.#idle.size;
  }

  /** Blocks that are kept for prompts that begin alike, and held by none. */
  get idle(): number {
    return this.#idle.size;
  }

  /** A block of one's own, or undefined while others hold all. */
  take(): number | undefined {
    const block = this.#free.pop() ?? this.#evict();
    if (block !== undefined) this.#references[block] = 1;
    return block;
  }

  /** Gives up one's hold on a block. */
  release(block: number): void {
    if (--this.#references[block]! > 0) return;
    if (this.#names[block] === undefined) this.#free.push(block);
    else this.#idle.add(block);
  }

  /** The block with these tokens after this chain, if there is one; `hold` takes it. */
  find(chain: string, ids: readonly number[], start: number): number | undefined {
    return this.#named.get(this.#name(chain, ids, start));
  }

  isIdle(block: number): boolean {
    return this.#idle.has(block);
  }

  hold(block: number): void {
    if (this.#references[block]!++ === 0) this.#idle.delete(block);
  }

  /** The chain after a block that has a name. */
  chainOf(block: number): string {
    return this.#chains[block]!;
  }

  /** Lets others find a full block. @returns the chain after it, another's where one with these tokens was there before */
  register(block: number, chain: string, ids: readonly number[], start: number): string {
    const name = this.#name(chain, ids, start), other = this.#named.get(name);
    if (other !== undefined) return this.#chains[other]!;
    this.#named.set(name, block);
    this.#names[block] = name;
    return (this.#chains[block] = `${++this.#registrations}:`);
  }

  #name(chain: string, ids: readonly number[], start: number): string {
    let name = chain;
    for (let i = start; i < start + this.size; i++) name += `${ids[i]!},`;
    return name;
  }

  #evict(): number | undefined {
    for (const block of this.#idle) {
      this.#idle.delete(block);
      this.#named.delete(this.#names[block]!);
      this.#names[block] = undefined;
      return block;
    }
    return undefined;
  }
}
