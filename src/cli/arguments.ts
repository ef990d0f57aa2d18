// What was given to a command: words, options and recipe keys. Layer: cli.

import { ConfigError } from '../base/errors.ts';

/** A recipe key and the text that it is set to. */
export type Override = readonly [path: string, value: string];

/** What was given to a command. */
export class Arguments {
  readonly words: readonly string[];
  readonly overrides: readonly Override[];
  readonly #options: ReadonlyMap<string, readonly string[]>;

  constructor(words: readonly string[], options: ReadonlyMap<string, readonly string[]>, overrides: readonly Override[]) {
    this.words = words;
    this.overrides = overrides;
    this.#options = options;
  }

  has(name: string): boolean {
    return this.#options.has(name);
  }

  text(name: string): string | undefined {
    return this.#options.get(name)?.at(-1);
  }

  texts(name: string): readonly string[] {
    return this.#options.get(name) ?? [];
  }

  /** @throws {ConfigError} if the option is there and is no number */
  number(name: string): number | undefined {
    const text = this.text(name);
    if (text === undefined) return undefined;
    const value = Number(text);
    if (text.trim() === '' || !Number.isFinite(value)) throw new ConfigError(`Cannot use --${name} "${text}": it must be a number.`, { path: name });
    return value;
  }
}
