// Grammars, expressions and schemas, compiled for a vocabulary. Layer: engine (pure).

import { ConfigError } from '../../base/errors.ts';
import { automatonOf, type Expression } from './expression.ts';
import { parseGbnf } from './gbnf.ts';
import { CompiledGrammar } from './matcher.ts';
import { regexDfa } from './regex.ts';
import { schemaRules, type SchemaOptions } from './schema-compiler.ts';
import { toolRules, type ToolFormat, type ToolSpec } from './tools.ts';
import type { Vocabulary } from './vocabulary.ts';

/** Longest source, in UTF-16 units. */
const MAX_SOURCE = 1_000_000;

function checkLength(what: string, source: string): void {
  if (source.length > MAX_SOURCE) throw new ConfigError(`Cannot compile ${what} of ${source.length} characters: ${MAX_SOURCE} is the most`);
}

/**
 * Answers that a regular expression (ECMAScript's, with the flag u) matches as a whole.
 *
 * @throws {ConfigError} naming what is not supported: back references, looking around, word boundaries
 * @throws {CapacityError} if the automaton would be too large
 */
export function compileRegex(pattern: string, vocabulary: Vocabulary): CompiledGrammar {
  checkLength('an expression', pattern);
  const root: Expression = { kind: 'dfa', dfa: regexDfa(pattern), json: false };
  return new CompiledGrammar(automatonOf(new Map([['root', root]]), 'root'), vocabulary);
}

/**
 * Answers of a grammar in GBNF, from its rule `root`.
 *
 * @throws {FormatError} with the offset at which it is not understood
 * @throws {ConfigError} if a rule is left-recursive, or nothing matches
 * @throws {CapacityError} if the automaton would be too large
 */
export function compileGrammar(grammar: string, vocabulary: Vocabulary): CompiledGrammar {
  checkLength('a grammar', grammar);
  return new CompiledGrammar(automatonOf(parseGbnf(grammar), 'root'), vocabulary);
}

/**
 * JSON texts whose values satisfy a JSON Schema (draft 2020-12, or draft 7 where `$schema` says so): some of them, none but
 * them. Properties come in the schema's order; others come only where the schema speaks of them, or needs them.
 *
 * @throws {ConfigError} naming the keyword that is not supported and its JSON pointer, or if no value satisfies the schema
 * @throws {CapacityError} if the automaton would be too large
 */
export function compileSchema(schema: unknown, vocabulary: Vocabulary, options: SchemaOptions = {}): CompiledGrammar {
  const { rules, root } = schemaRules(schema, options);
  return new CompiledGrammar(automatonOf(rules, root), vocabulary);
}

/**
 * Answers that call tools: each call between its format's marks, arguments by the tool's schema.
 *
 * @throws {ConfigError} as compileSchema does, the path beginning with the tool's name
 */
export function compileTools(tools: readonly ToolSpec[], vocabulary: Vocabulary, format: ToolFormat): CompiledGrammar {
  const { rules, root } = toolRules(tools, format);
  return new CompiledGrammar(automatonOf(rules, root), vocabulary);
}
