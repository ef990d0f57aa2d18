// The help of the whole and of a command. Layer: cli.

import { COMMON_OPTIONS, type ArgumentSpec, type Command } from './command.ts';
import { COMMANDS } from './command-list.ts';
import { table } from './table.ts';

/** What `athanor --help` prints. */
export function overview(): string {
  return [
    'athanor: one toolchain for the whole life of a language model',
    '',
    'Usage: athanor COMMAND [options]',
    '',
    'Commands:',
    table(Object.entries(COMMANDS).map(([name, { summary }]) => [name, summary])),
    '',
    'Begin with:',
    '  athanor quickstart',
    '',
    'Each command explains itself: athanor COMMAND --help. With --json, results are JSON lines on standard output, and',
    'progress and log go to standard error. Exit codes: 0 done, 1 failed, 2 wrong usage or configuration, 130 interrupted',
    'with everything saved.',
    '',
  ].join('\n');
}

const shown = ({ name, optional, repeatable }: ArgumentSpec): string => {
  const word = repeatable === true ? `${name}…` : name;
  return optional === true ? `[${word}]` : word;
};

/** What `athanor COMMAND --help` prints. @param keys recipe keys with what they mean, where the command takes them */
export function commandHelp(command: Command, keys: readonly (readonly [string, string])[] = []): string {
  const options = Object.entries({ ...command.options, ...COMMON_OPTIONS });
  return [
    `Usage: ${['athanor', command.name, ...command.arguments.map(shown), '[options]'].join(' ')}`,
    '',
    command.about,
    '',
    ...(command.arguments.length > 0 ? ['Arguments:', table(command.arguments.map(({ name, about }) => [name, about])), ''] : []),
    'Options:',
    table(options.map(([name, { kind, value, about }]) => [`--${name}${kind === 'flag' ? '' : ` ${value ?? kind.toUpperCase()}`}`, about])),
    '',
    ...(keys.length > 0 ? ['Recipe keys, each an option too:', table(keys.map(([key, about]) => [`--${key}`, about])), ''] : []),
    'Examples:',
    ...command.examples.map((example) => `  ${example}`),
    '',
  ].join('\n');
}
