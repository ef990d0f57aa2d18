// Answers held to a grammar: JSON by a schema, a regular expression, GBNF, tool calls. Layer: engine (pure).
export { compileGrammar, compileRegex, compileSchema, compileTools } from './compile.ts';
export type { CompiledGrammar, Matcher } from './matcher.ts';
export type { SchemaOptions, Whitespace } from './schema-compiler.ts';
export type { Draft } from './schema-resolver.ts';
export type { ToolFormat, ToolSpec } from './tools.ts';
export type { Vocabulary } from './vocabulary.ts';
