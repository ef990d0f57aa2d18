// From words of a command line to options. Layer: cli. A parser of our own rather than node:util's or a package's, because
// recipe keys are options (`--train.steps 500`) and every slip gets a suggestion.

import { ConfigError } from '../base/errors.ts';
import { Arguments, type Override } from './arguments.ts';
import { COMMON_OPTIONS, type Command, type OptionSpec } from './command.ts';
import { didYouMean } from './nearest.ts';

/**
 * Reads the words after a command's name.
 *
 * @throws {ConfigError} for an unknown option (naming the nearest), a missing value, too few or too many words
 */
export function parseArguments(command: Command, argv: readonly string[]): Arguments {
  const known: Readonly<Record<string, OptionSpec>> = { ...COMMON_OPTIONS, ...command.options };
  const options = new Map<string, string[]>(), words: string[] = [], overrides: Override[] = [];
  for (let i = 0; i < argv.length; i++) {
    const word = argv[i]!;
    if (word === '--') {
      words.push(...argv.slice(i + 1));
      break;
    }
    if (word === '-h') {
      options.set('help', ['true']);
    } else if (!word.startsWith('--')) {
      words.push(word);
    } else {
      const equals = word.indexOf('='), name = equals < 0 ? word.slice(2) : word.slice(2, equals);
      const given = equals < 0 ? undefined : word.slice(equals + 1), spec = Object.hasOwn(known, name) ? known[name] : undefined;
      const isKey = command.recipe === true && spec === undefined && (name.includes('.') || RECIPE_WORDS.includes(name));
      if (spec === undefined && !isKey) throw unknownOption(name, known, command);
      if (spec?.kind === 'flag') {
        if (given !== undefined && given !== 'true') throw new ConfigError(`Cannot use "${word}": --${name} takes no value.`, { path: name });
        options.set(name, ['true']);
        continue;
      }
      const next = argv[i + 1], takesNext = given === undefined && next !== undefined && (spec !== undefined || !next.startsWith('--'));
      if (given === undefined && !takesNext && spec !== undefined) throw new ConfigError(`Cannot use --${name}: its value ${spec.value ?? ''} is missing.`, { path: name });
      const value = given ?? (takesNext ? next! : 'true'); // a recipe key alone means true
      if (takesNext) i++;
      if (isKey) overrides.push([name, value]);
      else options.set(name, spec?.repeatable === true ? [...(options.get(name) ?? []), value] : [value]);
    }
  }
  const args = new Arguments(words, options, overrides);
  if (!args.has('help')) checkWords(command, words);
  return args;
}

/** Recipe sections that are set whole. */
const RECIPE_WORDS = ['seed', 'model'];

function unknownOption(name: string, known: Readonly<Record<string, OptionSpec>>, command: Command): ConfigError {
  const names = [...Object.keys(known), ...(command.recipe === true ? RECIPE_WORDS : [])];
  return new ConfigError(`Unknown option "${name}"${didYouMean(name, names)} See \`athanor ${command.name} --help\`.`, { path: name });
}

function checkWords({ name, arguments: specs }: Command, words: readonly string[]): void {
  const least = specs.filter(({ optional }) => optional !== true).length, endless = specs.some(({ repeatable }) => repeatable === true);
  if (words.length < least) throw new ConfigError(`Cannot run \`athanor ${name}\`: ${specs[words.length]!.name} is missing (${specs[words.length]!.about}). See \`athanor ${name} --help\`.`);
  if (!endless && words.length > specs.length) {
    throw new ConfigError(`Cannot run \`athanor ${name}\`: "${words[specs.length]}" is one word too many. See \`athanor ${name} --help\`.`);
  }
}
