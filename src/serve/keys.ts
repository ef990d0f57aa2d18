// API keys: who may ask for what, and how much. Layer: serve (pure but for hashing).
// A key is 256 random bits, so that a plain hash of it says nothing: no slow hash is needed against guessing.

import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import { z } from 'zod';
import { checked } from './body.ts';
import { RequestFault } from './fault.ts';

const SCOPES = ['inference', 'admin', 'metrics', 'special-tokens'] as const;

/** What a key allows. */
export type Scope = typeof SCOPES[number];

const keySchema = z.strictObject({
  name: z.string().min(1).max(100),
  sha256: z.string().regex(/^[0-9a-f]{64}$/, 'should be a SHA-256 in 64 hexadecimal digits'),
  scopes: z.array(z.enum(SCOPES)).default(['inference']),
  requestsPerMinute: z.int().min(1).optional(),
  tokensPerMinute: z.int().min(1).optional(),
  tokensPerDay: z.int().min(1).optional(),
  expires: z.iso.datetime().optional(),
});

const keyFileSchema = z.strictObject({ keys: z.array(keySchema).max(100_000) });

/** A key as its file has it: its hash, never itself. */
export type KeyRecord = z.infer<typeof keySchema>;

/** Whoever shows a key. */
export interface KeyHolder {
  readonly name: string;
  readonly scopes: ReadonlySet<Scope>;
  /** @throws {RequestFault} limited, with when to ask again */
  admit(): void;
  /** Tokens that an answer took. */
  spend(tokens: number): void;
}

/** A new key, to be shown once. */
export function makeKey(name: string, more: Partial<Omit<KeyRecord, 'name' | 'sha256'>> = {}): { key: string; record: KeyRecord } {
  const key = `ath-${randomBytes(32).toString('base64url')}`;
  return { key, record: { name, sha256: hashOf(key).toString('hex'), scopes: ['inference'], ...more } };
}

const hashOf = (key: string): Buffer => createHash('sha256').update(key).digest();

/** All keys of a server. */
export class KeyRing {
  readonly #holders: readonly { hash: Buffer; holder: Holder }[];

  constructor(records: readonly KeyRecord[] = [], now: () => number = Date.now) {
    this.#holders = records.map((record) => ({ hash: Buffer.from(record.sha256, 'hex'), holder: new Holder(record, now) }));
  }

  /** Whether nobody needs a key. */
  get isEmpty(): boolean {
    return this.#holders.length === 0;
  }

  /** @throws {RequestFault} unauthorised */
  holderOf(key: string | undefined): KeyHolder {
    if (key === undefined || key === '') throw new RequestFault('unauthorised', 'Cannot answer without an API key: send "Authorization: Bearer KEY" or "x-api-key: KEY".');
    const hash = hashOf(key);
    let found: Holder | undefined;
    for (const { hash: known, holder } of this.#holders) if (timingSafeEqual(known, hash)) found = holder;
    if (found === undefined || found.isExpired) throw new RequestFault('unauthorised', 'Cannot answer: this API key is not known here, or has expired.');
    return found;
  }
}

/** Keys of a file's text. @throws {RequestFault} naming what is wrong */
export const keysOf = (value: unknown): KeyRecord[] => checked(keyFileSchema, value).keys;

/** What is left of a budget in a window that slides: full again bit by bit. */
class Bucket {
  readonly #size: number;
  readonly #perMs: number;
  readonly #now: () => number;
  #level: number;
  #at: number;

  constructor(size: number, windowMs: number, now: () => number) {
    [this.#size, this.#perMs, this.#now, this.#level, this.#at] = [size, size / windowMs, now, size, now()];
  }

  /** Seconds until `amount` is there; 0 if it is. */
  wait(amount: number): number {
    const now = this.#now();
    this.#level = Math.min(this.#size, this.#level + (now - this.#at) * this.#perMs);
    this.#at = now;
    return this.#level >= amount ? 0 : Math.ceil((amount - this.#level) / this.#perMs / 1000);
  }

  take(amount: number): void {
    this.wait(amount);
    this.#level -= amount; // below zero: what is owed is waited for
  }
}

const MINUTE_MS = 60_000, DAY_MS = 86_400_000;

class Holder implements KeyHolder {
  readonly name: string;
  readonly scopes: ReadonlySet<Scope>;
  readonly #expires: number;
  readonly #now: () => number;
  readonly #requests: Bucket | undefined;
  readonly #tokens: readonly { bucket: Bucket; about: string }[];

  constructor(record: KeyRecord, now: () => number) {
    this.name = record.name;
    this.scopes = new Set(record.scopes);
    this.#now = now;
    this.#expires = record.expires === undefined ? Infinity : Date.parse(record.expires);
    this.#requests = record.requestsPerMinute === undefined ? undefined : new Bucket(record.requestsPerMinute, MINUTE_MS, now);
    this.#tokens = [
      ...(record.tokensPerMinute === undefined ? [] : [{ bucket: new Bucket(record.tokensPerMinute, MINUTE_MS, now), about: `${record.tokensPerMinute} tokens a minute` }]),
      ...(record.tokensPerDay === undefined ? [] : [{ bucket: new Bucket(record.tokensPerDay, DAY_MS, now), about: `${record.tokensPerDay} tokens a day` }]),
    ];
  }

  get isExpired(): boolean {
    return this.#now() >= this.#expires;
  }

  admit(): void {
    const wait = this.#requests?.wait(1) ?? 0;
    if (wait > 0) throw new RequestFault('limited', 'Cannot answer now: this key has used up its requests a minute.', { retryAfterSeconds: wait });
    for (const { bucket, about } of this.#tokens) {
      const seconds = bucket.wait(1);
      if (seconds > 0) throw new RequestFault('limited', `Cannot answer now: this key has used up its ${about}.`, { retryAfterSeconds: seconds });
    }
    this.#requests?.take(1);
  }

  spend(tokens: number): void {
    for (const { bucket } of this.#tokens) bucket.take(tokens);
  }
}
