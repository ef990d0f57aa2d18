// What a command is: words that it takes, what its help teaches, and what it does. Layer: cli.

import type { ProgressLine } from '../base/progress.ts';
import type { Arguments } from './arguments.ts';

/** One option, without its dashes. */
export interface OptionSpec {
  readonly kind: 'flag' | 'text' | 'number';
  /** What stands for the value in the help, such as TEXT. */
  readonly value?: string;
  readonly about: string;
  /** May stand more than once. */
  readonly repeatable?: boolean;
}

/** One word that stands alone. */
export interface ArgumentSpec {
  readonly name: string;
  readonly about: string;
  readonly optional?: boolean;
  readonly repeatable?: boolean;
}

export interface Command {
  readonly name: string;
  /** What it does, where its results go: full sentences. */
  readonly about: string;
  readonly arguments: readonly ArgumentSpec[];
  readonly options: Readonly<Record<string, OptionSpec>>;
  readonly examples: readonly string[];
  /** Whether recipe keys are options too: `--train.steps 500`. */
  readonly recipe?: boolean;
  /** Milliseconds between progress lines where there is no terminal; silence by default. */
  readonly pipeProgressMs?: number;
  run(args: Arguments, io: Io): Promise<void>;
}

/** What a command talks through. */
export interface Io {
  /** Whether results are JSON lines. */
  readonly json: boolean;
  /** Aborted by Ctrl-C. */
  readonly signal: AbortSignal;
  /** The present, on standard error. */
  readonly progress: ProgressLine;
  /** Standard output as it is. */
  write(text: string): void;
  /** One result on standard output: its JSON, or the text for people. */
  result(value: unknown, text: string): void;
  /** One line of log, on standard error. */
  note(text: string): void;
  /** Standard input to its end. */
  input(): AsyncIterable<Buffer>;
}

/** Options that every command has. */
export const COMMON_OPTIONS: Readonly<Record<string, OptionSpec>> = {
  json: { kind: 'flag', about: 'print results as JSON lines on standard output' },
  help: { kind: 'flag', about: 'print this help' },
};

/** Options of commands that compute. */
export const EXECUTOR_OPTIONS: Readonly<Record<string, OptionSpec>> = {
  threads: { kind: 'number', value: 'N', about: 'threads that compute (default: the physical cores)' },
  backend: { kind: 'text', value: 'NAME', about: 'native or reference (default: native where it is built)' },
};
