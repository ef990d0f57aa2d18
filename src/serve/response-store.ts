// Responses that a client may go on from: kept in memory, the oldest forgotten first. Layer: serve (pure).

import type { ChatMessage } from '../tokenizer/index.ts';
import { RequestFault } from './fault.ts';

interface Kept {
  /** Whose it is: nobody else finds it. */
  readonly owner: string | undefined;
  readonly response: object;
  /** The whole conversation up to and with this response, without instructions. */
  readonly messages: readonly ChatMessage[];
  readonly size: number;
}

/** Characters of all that is kept; a conversation of a million tokens has some five million. */
const MAX_SIZE = 64e6;

export class ResponseStore {
  readonly #kept = new Map<string, Kept>();
  readonly #maxSize: number;
  #size = 0;

  constructor(maxSize = MAX_SIZE) {
    this.#maxSize = maxSize;
  }

  keep(id: string, owner: string | undefined, response: object, messages: readonly ChatMessage[]): void {
    const size = JSON.stringify(response).length + JSON.stringify(messages).length;
    this.#kept.set(id, { owner, response, messages, size });
    this.#size += size;
    for (const oldest of this.#kept.keys()) {
      if (this.#size <= this.#maxSize) break;
      this.#forget(oldest);
    }
  }

  /** @throws {RequestFault} unknown-route, if it is not there, was forgotten, or is somebody else's */
  find(id: string, owner: string | undefined, field?: string): Kept {
    const found = this.#kept.get(id);
    if (found === undefined || found.owner !== owner) throw new RequestFault('unknown-route', `Cannot find the response ${JSON.stringify(id.slice(0, 80))}: it was not stored, or is forgotten by now.`, { field });
    return found;
  }

  /** @throws {RequestFault} as `find` */
  delete(id: string, owner: string | undefined): void {
    this.find(id, owner);
    this.#forget(id);
  }

  #forget(id: string): void {
    this.#size -= this.#kept.get(id)!.size;
    this.#kept.delete(id);
  }
}
