// Models by name, for requests: which names there are, and what a client is told of the rest. Layer: serve.
// Names come from whoever starts the server; a name in a request is looked up here and is never a path.

import { CapacityError } from '../base/errors.ts';
import { ModelPool, type Lease } from '../engine/index.ts';
import { RequestFault } from './fault.ts';
import type { ServedModel } from './served-model.ts';

/** A model that may be asked for. */
export interface ModelEntry {
  readonly name: string;
  /** Seconds since 1970 of the weights' file. */
  readonly createdSeconds: number;
  readonly bytes: number;
  load(): Promise<ServedModel>;
}

export interface RegistryOptions {
  /** Bytes of weights that may be open together. */
  readonly memoryBytes?: number | undefined;
}

export class ModelRegistry {
  readonly #entries = new Map<string, ModelEntry>();
  readonly #pool: ModelPool<ServedModel>;

  /**
   * @param entries the first one answers requests that name no model
   * @throws {CapacityError} if one alone is more than the memory
   */
  constructor(entries: readonly ModelEntry[], { memoryBytes = Infinity }: RegistryOptions = {}) {
    this.#pool = new ModelPool(memoryBytes);
    for (const entry of entries) {
      this.#entries.set(entry.name, entry);
      this.#pool.register(entry.name, { bytes: entry.bytes, open: () => entry.load(), close: (model) => model.close() });
    }
  }

  get entries(): ModelEntry[] {
    return [...this.#entries.values()];
  }

  /** Names of the models that are open, or on their way. */
  get loadedNames(): string[] {
    return this.#pool.list().filter(({ state }) => state !== 'closed').map(({ name }) => name);
  }

  /** A model that is open, to be looked at only. */
  peek(name: string): ServedModel | undefined {
    return this.#pool.peek(this.entry(name).name);
  }

  /** @throws {RequestFault} unknown-model */
  entry(name: string): ModelEntry {
    const [first] = this.#entries.values();
    // Ollama's clients write a tag behind each name; ":latest" is the one that says nothing.
    const entry = name === '' ? first : this.#entries.get(name) ?? this.#entries.get(name.replace(/:latest$/, ''));
    if (entry === undefined) throw new RequestFault('unknown-model', `Cannot find the model ${JSON.stringify(name.slice(0, 80))}: this server has ${[...this.#entries.keys()].join(', ')}.`, { field: 'model' });
    return entry;
  }

  /**
   * A model for one request; give it back.
   *
   * @throws {RequestFault} unknown-model, or busy if those in use leave no room for it
   */
  async acquire(name: string): Promise<Lease<ServedModel>> {
    const entry = this.entry(name);
    try {
      return await this.#pool.acquire(entry.name);
    } catch (cause) {
      if (!(cause instanceof CapacityError)) throw cause;
      throw new RequestFault('busy', `Cannot open "${entry.name}" now: the models in use leave no room for it. Ask again later.`, { field: 'model', retryAfterSeconds: 5, cause });
    }
  }

  /** Opens a model anew; streams of the old one go on until they end. */
  reload(name: string): Promise<void> {
    return this.#pool.reload(this.entry(name).name);
  }

  /** Closes a model once its requests have ended. @returns whether it was open */
  async unload(name: string): Promise<boolean> {
    return this.#pool.unload(this.entry(name).name);
  }

  /** Closes all, whoever uses them. */
  close(): Promise<void> {
    return this.#pool.close();
  }
}
