// Answers that call tools: marks around JSON by each tool's schema. Layer: engine (pure).

import { ConfigError } from '../../base/errors.ts';
import { LAST_CHARACTER, type Dfa } from './dfa.ts';
import { choice, repeat, rule, sequence, text, type Expression } from './expression.ts';
import { schemaRules, type SchemaOptions } from './schema-compiler.ts';

export type ToolSpec = { readonly name: string; readonly parameters?: unknown };

/** How a model writes calls. `tag` stands before the name, `middle` between name and arguments, `end` behind them. */
export type ToolFormat = {
  /** As Hermes, Qwen and others do: `<tool_call>\n{"name": "`, `", "arguments": ` and `}\n</tool_call>`. */
  readonly begin: string;
  readonly middle: string;
  readonly end: string;
  /** `auto`: text first, calls if the model wants; `required`: a call at once; one tool's name: that one. */
  readonly choice: 'auto' | 'required' | { readonly name: string };
  /** Whether more than one call may come; true by default. */
  readonly parallel?: boolean;
  readonly schema?: SchemaOptions;
};

/** The rules of answers with calls, and the first of them. @throws {ConfigError} if there is no such tool */
export function toolRules(tools: readonly ToolSpec[], format: ToolFormat): { rules: Map<string, Expression>; root: string } {
  const chosen = typeof format.choice === 'object' ? format.choice.name : undefined, called = tools.filter(({ name }) => chosen === undefined || name === chosen);
  if (called.length === 0) throw new ConfigError(`Cannot compile the tools: there is ${chosen === undefined ? 'none' : `no tool "${chosen}"`}`, { path: 'tools' });
  if (format.begin === '') throw new ConfigError('Cannot compile the tools: the mark before a call is empty', { path: 'tools' });
  const rules = new Map<string, Expression>();
  const calls = called.map(({ name, parameters = true }, i) => {
    const own = schemaRules(parameters, format.schema, `tool${i}.`);
    for (const [key, value] of own.rules) rules.set(key, value);
    return sequence(text(format.begin + JSON.stringify(name).slice(1, -1) + format.middle), rule(own.root), text(format.end));
  });
  const call = choice(...calls), more = format.parallel === false ? sequence() : repeat(sequence(choice(text('\n'), sequence()), call), 0);
  const once = sequence(call, more);
  rules.set('root', format.choice === 'auto' ? sequence({ kind: 'dfa', dfa: textWithout(format.begin), json: false }, choice(once, sequence())) : once);
  return { rules, root: 'root' };
}

/** Texts in which a mark does not begin: Knuth, Morris and Pratt's automaton, but for its last state. */
export function textWithout(mark: string): Dfa {
  const characters = [...mark].map((c) => c.codePointAt(0)!), next = (state: number, c: number): number => {
    for (let n = Math.min(state + 1, characters.length); n > 0; n--) {
      if (characters[n - 1] === c && characters.slice(0, n - 1).every((own, i) => own === characters[state - (n - 1) + i])) return n;
    }
    return 0;
  };
  const edges = characters.map((_, state) => {
    const own: [number, number, number][] = [];
    let from = 0;
    for (const c of [...new Set(characters)].sort((a, b) => a - b)) {
      if (c > from) own.push([from, c - 1, 0]);
      const to = next(state, c);
      if (to < characters.length) own.push([c, c, to]);
      from = c + 1;
    }
    if (from <= LAST_CHARACTER) own.push([from, LAST_CHARACTER, 0]);
    return own;
  });
  return { edges, accepts: characters.map(() => true) };
}
