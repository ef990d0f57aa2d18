// The sampler's own fields as options of commands. Layer: cli.

import { ConfigError } from '../base/errors.ts';
import { samplingSchema, type Sampling } from '../engine/index.ts';
import type { Arguments } from './arguments.ts';
import type { OptionSpec } from './command.ts';

const kebab = (name: string): string => name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);

/** The sampler's own fields as options. */
export const SAMPLING_OPTIONS: Readonly<Record<string, OptionSpec>> = Object.fromEntries(Object.entries(samplingSchema.shape).map(([name, schema]) => [
  kebab(name),
  { kind: 'number', value: 'N', about: `${schema.description ?? ''} (default: ${String(schema.parse(undefined))})` },
]));

/** @throws {ConfigError} if the option is there and is no whole number */
export function wholeNumber(args: Arguments, name: string): number | undefined {
  const value = args.number(name);
  if (value !== undefined && (!Number.isSafeInteger(value) || value < 0)) throw new ConfigError(`Cannot use --${name} ${value}: it must be a whole number, 0 or more.`, { path: name });
  return value;
}

/** Sampling as the options say. @throws {ConfigError} naming the option that is out of range */
export function samplingOf(args: Arguments): Sampling {
  const given = Object.fromEntries(Object.keys(samplingSchema.shape).flatMap((name) => {
    const value = args.number(kebab(name));
    return value === undefined ? [] : [[name, value]];
  }));
  const result = samplingSchema.safeParse(given);
  if (result.success) return result.data;
  const [issue] = result.error.issues, name = String(issue!.path[0]);
  throw new ConfigError(`Cannot use --${kebab(name)} ${String(given[name])}: ${issue!.message.replace(/^Invalid input: /, '').replace(/^Too (small|big): /, '')}.`, { path: kebab(name) });
}
