// Models by name: loaded when they are first asked for, closed when nobody uses them and room is wanted. Layer: serve.
// Names come from whoever starts the server; a name in a request is looked up here and is never a path.

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

/** The use of a model: it stays open until it is given back. */
export interface Lease {
  readonly model: ServedModel;
  release(): void;
}

interface Loaded {
  readonly model: ServedModel;
  users: number;
  /** Out of the registry: closed with its last user. */
  retired: boolean;
}

interface Slot {
  readonly entry: ModelEntry;
  loaded: Promise<Loaded> | undefined;
  /** What `loaded` came to, for whoever only wants to look. */
  ready?: ServedModel;
  /** Order of the last use. */
  used: number;
}

export interface RegistryOptions {
  /** Bytes of weights that may be open together; a single model may be larger. */
  readonly memoryBytes?: number | undefined;
}

export class ModelRegistry {
  readonly #slots = new Map<string, Slot>();
  readonly #memoryBytes: number;
  #clock = 0;

  /** @param entries the first one answers requests that name no model */
  constructor(entries: readonly ModelEntry[], options: RegistryOptions = {}) {
    for (const entry of entries) this.#slots.set(entry.name, { entry, loaded: undefined, used: 0 });
    this.#memoryBytes = options.memoryBytes ?? Infinity;
  }

  get entries(): ModelEntry[] {
    return [...this.#slots.values()].map(({ entry }) => entry);
  }

  /** Names of the models that are open. */
  get loadedNames(): string[] {
    return [...this.#slots.values()].filter(({ loaded }) => loaded !== undefined).map(({ entry }) => entry.name);
  }

  /** A model that is open, to be looked at only. */
  peek(name: string): ServedModel | undefined {
    const slot = this.#slot(name);
    return slot.loaded === undefined ? undefined : slot.ready;
  }

  /** @throws {RequestFault} unknown-model */
  entry(name: string): ModelEntry {
    return this.#slot(name).entry;
  }

  /**
   * A model for one request; give it back.
   *
   * @throws {RequestFault} unknown-model
   */
  async acquire(name: string): Promise<Lease> {
    const slot = this.#slot(name);
    slot.used = ++this.#clock;
    if (slot.loaded === undefined) await this.#makeRoom(slot);
    const loaded = await (slot.loaded ??= this.#load(slot));
    loaded.users++;
    let given = true;
    return {
      model: loaded.model,
      release: () => {
        if (!given) return;
        given = false;
        loaded.users--;
        if (loaded.retired && loaded.users === 0) void loaded.model.close();
      },
    };
  }

  /** Opens a model anew; streams of the old one go on until they end. */
  async reload(name: string): Promise<void> {
    const slot = this.#slot(name), fresh = this.#load(slot);
    await fresh; // a model that cannot be opened leaves the old one in place
    const old = slot.loaded;
    slot.loaded = fresh;
    await retire(old);
  }

  /** Closes a model once its requests have ended. @returns whether it was open */
  async unload(name: string): Promise<boolean> {
    const slot = this.#slot(name), old = slot.loaded;
    slot.loaded = undefined;
    await retire(old);
    return old !== undefined;
  }

  /** Closes all, whoever uses them. */
  async close(): Promise<void> {
    const all = [...this.#slots.values()].map(({ loaded }) => loaded);
    for (const slot of this.#slots.values()) slot.loaded = undefined;
    for (const loaded of all) await loaded?.then(({ model }) => model.close(), () => undefined);
  }

  #slot(name: string): Slot {
    const [first] = this.#slots.values();
    // Ollama's clients write a tag behind each name; ":latest" is the one that says nothing.
    const slot = name === '' ? first : this.#slots.get(name) ?? this.#slots.get(name.replace(/:latest$/, ''));
    if (slot === undefined) throw new RequestFault('unknown-model', `Cannot find the model ${JSON.stringify(name.slice(0, 80))}: this server has ${[...this.#slots.keys()].join(', ')}.`, { field: 'model' });
    return slot;
  }

  #load(slot: Slot): Promise<Loaded> {
    const loading = slot.entry.load().then((model): Loaded => {
      slot.ready = model;
      return { model, users: 0, retired: false };
    });
    loading.catch(() => {
      if (slot.loaded === loading) slot.loaded = undefined; // the next one tries again
    });
    return loading;
  }

  /** Closes models that nobody uses, the longest unused first, until the new one fits. */
  async #makeRoom(wanted: Slot): Promise<void> {
    const open = [...this.#slots.values()].filter((slot) => slot.loaded !== undefined && slot !== wanted).sort((a, b) => a.used - b.used);
    let bytes = wanted.entry.bytes + open.reduce((sum, { entry }) => sum + entry.bytes, 0);
    for (const slot of open) {
      if (bytes <= this.#memoryBytes) return;
      const loaded = await slot.loaded?.catch(() => undefined);
      if (loaded === undefined || loaded.users > 0) continue;
      bytes -= slot.entry.bytes;
      slot.loaded = undefined;
      loaded.retired = true;
      await loaded.model.close();
    }
    if (bytes > this.#memoryBytes && open.some((slot) => slot.loaded !== undefined)) {
      throw new RequestFault('busy', `Cannot open "${wanted.entry.name}" now: the models in use leave no room for it. Ask again later.`, { field: 'model', retryAfterSeconds: 5 });
    }
  }
}

async function retire(old: Promise<Loaded> | undefined): Promise<void> {
  const loaded = await old?.catch(() => undefined);
  if (loaded === undefined || loaded.retired) return;
  loaded.retired = true;
  if (loaded.users === 0) await loaded.model.close();
}
