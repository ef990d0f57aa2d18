// Several models at once: loaded when they are asked for, kept while there is memory, the longest unused closed first. Layer:
// engine. Names are those that were registered and nothing else: a name never becomes a path. What a model is, an engine over
// one or a merged adapter, is the caller's affair.

import { CapacityError, ConfigError, InterruptedError } from '../base/errors.ts';

/** How a model is opened. */
export interface ModelSource<T> {
  /** Bytes that it will hold: checked against the budget before it is opened. */
  readonly bytes: number;
  open(): Promise<T>;
  close(model: T): Promise<void>;
}

/** A model in use. It is not closed before `release`, which may be called more than once. */
export interface Lease<T> {
  readonly model: T;
  release(): void;
}

export interface PoolEntry {
  readonly name: string;
  readonly bytes: number;
  readonly state: 'closed' | 'loading' | 'loaded';
  /** Leases out. */
  readonly users: number;
}

/** A model that is open or on its way. After a reload there are two of a name: the old one until its last user is done. */
interface Copy<T> {
  readonly source: ModelSource<T>;
  readonly opening: Promise<T>;
  /** What `opening` came to. */
  loaded: T | undefined;
  users: number;
  /** No new users; closed when the last one goes. */
  isRetired: boolean;
}

export class ModelPool<T> {
  readonly #budget: number;
  readonly #sources = new Map<string, ModelSource<T>>();
  /** Copies that new users get, the longest unused first. */
  readonly #copies = new Map<string, Copy<T>>();
  readonly #retired = new Set<Copy<T>>();
  readonly #closing = new Set<Promise<void>>();
  #closed = false;

  /** @param budgetBytes of all models that are open */
  constructor(budgetBytes: number) {
    this.#budget = budgetBytes;
  }

  /** Bytes of what is open, on its way, or not yet let go by its users. */
  get usedBytes(): number {
    return [...this.#copies.values(), ...this.#retired].reduce((sum, { source }) => sum + source.bytes, 0);
  }

  /**
   * Makes a model known; it is opened when somebody asks for it. A name that is known gets a new source: who uses the old one
   * keeps it to the end, and the next user gets the new one.
   *
   * @throws {CapacityError} if it alone is more than the budget
   */
  register(name: string, source: ModelSource<T>): void {
    if (source.bytes > this.#budget) throw new CapacityError(`Cannot serve "${name}": it takes ${source.bytes} bytes, and all models together may take ${this.#budget}. Raise the budget, or quantise the model.`, { need: source.bytes, have: this.#budget });
    this.#retire(name);
    this.#sources.set(name, source);
  }

  /** Makes a model unknown; its users keep it to the end. @returns whether it was known */
  unregister(name: string): boolean {
    this.#retire(name);
    return this.#sources.delete(name);
  }

  /**
   * Opens a model anew: who uses the old one keeps it to the end. One that cannot be opened leaves the old one in place. For a
   * while both are in memory, over the budget if need be.
   *
   * @throws {ConfigError} if the name is not known
   * @throws whatever opening it throws
   */
  async reload(name: string): Promise<void> {
    const copy = this.#copyOf(this.#sourceOf(name));
    await copy.opening;
    if (this.#closed) {
      this.#retired.add(copy);
      this.#close(copy);
      throw new InterruptedError('The models were closed.');
    }
    this.#retire(name);
    this.#copies.set(name, copy);
  }

  /** Closes a model once its users are done. @returns whether it was open, or on its way */
  unload(name: string): boolean {
    const isOpen = this.#copies.has(name);
    this.#retire(name);
    return isOpen;
  }

  /** A model that is open, to be looked at only. */
  peek(name: string): T | undefined {
    return this.#copies.get(name)?.loaded;
  }

  list(): PoolEntry[] {
    return [...this.#sources].map(([name, { bytes }]) => {
      const copy = this.#copies.get(name);
      return { name, bytes, state: !copy ? 'closed' : copy.loaded === undefined ? 'loading' : 'loaded', users: copy?.users ?? 0 };
    });
  }

  /**
   * A model, opened if it is not. Requests of one moment share one opening.
   *
   * @throws {ConfigError} if the name is not known
   * @throws {CapacityError} if those in use leave no room
   * @throws whatever opening it throws; the next request tries again
   */
  async acquire(name: string): Promise<Lease<T>> {
    const source = this.#sourceOf(name), copy = this.#copies.get(name) ?? this.#open(name, source);
    this.#copies.delete(name); // to the end of the order
    this.#copies.set(name, copy);
    copy.users++;
    let held = true;
    const release = (): void => {
      if (!held) return;
      held = false;
      copy.users--;
      if (copy.isRetired && copy.users === 0) this.#close(copy);
    };
    try {
      const model = await copy.opening;
      if (this.#closed) throw new InterruptedError('The models were closed.');
      return { model, release };
    } catch (error) {
      release();
      throw error;
    }
  }

  /** Closes all models, waiting for those being opened; leases that are still out are void. */
  async close(): Promise<void> {
    this.#closed = true;
    for (const name of [...this.#copies.keys()]) this.#retire(name);
    for (const copy of [...this.#retired]) this.#close(copy);
    await Promise.all(this.#closing);
  }

  #sourceOf(name: string): ModelSource<T> {
    if (this.#closed) throw new InterruptedError('The models were closed.');
    const source = this.#sources.get(name);
    if (!source) throw new ConfigError(`Cannot use the model "${name}": it is not served. Known: ${[...this.#sources.keys()].map((known) => `"${known}"`).join(', ') || 'none'}.`, { path: 'model' });
    return source;
  }

  #open(name: string, source: ModelSource<T>): Copy<T> {
    this.#makeRoom(name, source.bytes);
    const copy = this.#copyOf(source);
    copy.opening.catch(() => { // whoever asked for it is told; the next one tries again
      if (this.#copies.get(name) === copy) this.#copies.delete(name);
      this.#retired.delete(copy);
    });
    return copy;
  }

  #copyOf(source: ModelSource<T>): Copy<T> {
    const cleared = Promise.all(this.#closing); // their memory first
    const opening = cleared.then(() => source.open()).then((model) => (copy.loaded = model));
    const copy: Copy<T> = { source, opening, loaded: undefined, users: 0, isRetired: false };
    return copy;
  }

  /** Closes what nobody uses, the longest unused first, until there is room. */
  #makeRoom(name: string, need: number): void {
    const free = [...this.#copies.values()].reduce((sum, { users, source }) => sum + (users === 0 ? source.bytes : 0), this.#budget - this.usedBytes);
    if (need > free) throw new CapacityError(`Cannot open "${name}" now: it takes ${need} bytes, and models in use leave ${Math.max(0, free)} of ${this.#budget}. Try again when they are done, or raise the budget.`, { need, have: Math.max(0, free) });
    for (const [other, { users }] of this.#copies) {
      if (this.#budget - this.usedBytes >= need) return;
      if (users === 0) this.#retire(other);
    }
  }

  /** New users get another copy; this one is closed as soon as nobody uses it. */
  #retire(name: string): void {
    const copy = this.#copies.get(name);
    if (!copy) return;
    this.#copies.delete(name);
    copy.isRetired = true;
    this.#retired.add(copy);
    if (copy.users === 0) this.#close(copy);
  }

  #close(copy: Copy<T>): void {
    if (!this.#retired.delete(copy)) return;
    const closing: Promise<void> = copy.opening.then((model) => copy.source.close(model)).catch(() => {}).finally(() => this.#closing.delete(closing)); // a model that fails to open or close is gone all the same
    this.#closing.add(closing);
  }
}
