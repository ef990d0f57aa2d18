#!/usr/bin/env node
// The command line: finds the command, runs it, and turns what happened into an exit code. Layer: cli.
// Only small files are imported here: everything heavy comes with the command that needs it.

import { AthanorError, ConfigError, InterruptedError } from '../base/errors.ts';
import { ProgressLine } from '../base/progress.ts';
import type { Command, Io } from './command.ts';
import { COMMANDS } from './command-list.ts';
import { commandHelp, overview } from './help.ts';
import { parseArguments } from './parse-arguments.ts';

/** Exit codes that scripts rely on. */
const FAILED = 1, WRONG_USAGE = 2, INTERRUPTED = 130;

process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(0); // the reader has seen enough: `athanor … | head`
  throw error;
});

await main(process.argv.slice(2));

async function main(argv: readonly string[]): Promise<void> {
  const progress = { current: new ProgressLine(process.stderr) };
  try {
    const [first] = argv;
    if (first === undefined || first === '--help' || first === '-h' || first === 'help') return void process.stdout.write(overview());
    if (first === '--version') return void process.stdout.write(`${(await import('./version.ts')).version()}\n`);
    const { command, rest } = await findCommand(argv);
    progress.current = new ProgressLine(process.stderr, command.pipeProgressMs);
    await execute(command, rest, progress.current);
  } catch (error) {
    progress.current.clear();
    report(error);
    process.exitCode = codeOf(error);
  }
}

/** The command that the first word or two name. @throws {ConfigError} naming the nearest */
async function findCommand(argv: readonly string[]): Promise<{ command: Command; rest: readonly string[] }> {
  for (const words of [2, 1]) {
    const name = argv.slice(0, words).join(' ');
    if (Object.hasOwn(COMMANDS, name)) return { command: await COMMANDS[name]!.load(), rest: argv.slice(words) };
  }
  const { didYouMean } = await import('./nearest.ts'), names = Object.keys(COMMANDS);
  const inGroup = names.filter((name) => name.startsWith(`${argv[0]} `));
  if (inGroup.length > 0) {
    const [, second] = argv, last = inGroup.map((name) => name.split(' ')[1]!);
    if (second === undefined || second.startsWith('-')) throw new ConfigError(`Cannot run \`athanor ${argv[0]}\`: it is one of ${inGroup.map((name) => `\`athanor ${name}\``).join(', ')}.`);
    throw new ConfigError(`Unknown command "${argv[0]} ${second}"${didYouMean(second, last)} See \`athanor --help\`.`);
  }
  throw new ConfigError(`Unknown command "${argv[0]}"${didYouMean(argv[0]!, [...names, ...names.map((name) => name.split(' ')[0]!)])} See \`athanor --help\`.`);
}

async function execute(command: Command, rest: readonly string[], progress: ProgressLine): Promise<void> {
  const args = parseArguments(command, rest);
  if (args.has('help')) {
    const keys = command.recipe === true ? (await import('./recipe-keys.ts')).describeKeys((await import('./recipe.ts')).recipeSchema) : [];
    return void process.stdout.write(commandHelp(command, keys));
  }
  const controller = new AbortController();
  const stop = (): void => {
    if (controller.signal.aborted) process.exit(INTERRUPTED); // asked twice: at once, and what was saved before counts
    progress.keep('Stopping and saving; once more to stop at once.');
    controller.abort();
  };
  process.on('SIGINT', stop);
  process.on('SIGTERM', stop);
  try {
    await command.run(args, makeIo(args.has('json'), progress, controller.signal));
    progress.clear();
  } finally {
    process.off('SIGINT', stop);
    process.off('SIGTERM', stop);
  }
}

function makeIo(json: boolean, progress: ProgressLine, signal: AbortSignal): Io {
  const write = (text: string): void => {
    if (process.stdout.isTTY) progress.clear();
    process.stdout.write(text);
  };
  return {
    json,
    signal,
    progress,
    write,
    result: (value, text) => write(`${json ? JSON.stringify(value) : text}\n`),
    note: (text) => progress.keep(text),
    input: () => process.stdin,
  };
}

/** One paragraph for what can be helped; a stack for what cannot, or when asked for. */
function report(error: unknown): void {
  const debug = process.env['ATHANOR_DEBUG'] === '1';
  if (error instanceof AthanorError && !debug) {
    const help = 'help' in error ? ` ${String(error.help)}` : '';
    process.stderr.write(`${error instanceof InterruptedError ? '' : 'Error: '}${error.message}${help}\n`);
  } else if (error instanceof Error) {
    process.stderr.write(debug ? `${error.stack}\n` : `Error: ${error.message}. This is a fault of athanor; ATHANOR_DEBUG=1 shows where.\n`);
  } else {
    process.stderr.write(`Error: ${String(error)}\n`);
  }
}

function codeOf(error: unknown): number {
  if (error instanceof InterruptedError) return INTERRUPTED;
  return error instanceof ConfigError ? WRONG_USAGE : FAILED;
}
