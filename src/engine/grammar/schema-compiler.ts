// JSON Schema as rules over texts: a rule for each set of schemas that hold together, so that recursion ends. Layer: engine (pure).

import type { ConfigError } from '../../base/errors.ts';
import { AnyJson } from './any-json.ts';
import { ArrayRules } from './schema-arrays.ts';
import { Branches, refuse, TYPES, typesOf, type Leaf } from './schema-branches.ts';
import { canonical, Evaluator, typeOf } from './schema-evaluate.ts';
import { ObjectRules } from './schema-objects.ts';
import { SchemaResolver, type Draft, type Located } from './schema-resolver.ts';
import { numberLimits, stringDfa } from './schema-scalars.ts';
import { choice, isNever, NEVER, rule, sequence, text, type Expression } from './expression.ts';
import { numberDfa } from './numbers.ts';
import type { ValueRules } from './schema-values.ts';

/**
 * How JSON is laid out. `compact`: no white space. `spaced` (the default): a space may follow each colon and comma, as most
 * models write it. `free`: besides, a line end and up to 20 spaces may stand between any two tokens.
 */
export type Whitespace = 'compact' | 'spaced' | 'free';

export type SchemaOptions = {
  readonly whitespace?: Whitespace;
  /** Of schemas that do not say it themselves; 2020-12 by default. */
  readonly draft?: Draft;
  /** Other documents that references may name, by URI. Nothing is fetched. */
  readonly documents?: Readonly<Record<string, unknown>>;
};

/** The rules of a schema, and the first of them. @throws {ConfigError} naming keyword and pointer */
export function schemaRules(schema: unknown, options: SchemaOptions = {}, prefix = ''): { rules: Map<string, Expression>; root: string } {
  const compiler = new SchemaCompiler(schema, options, prefix), root = compiler.root();
  return { rules: compiler.rules, root };
}

class SchemaCompiler implements ValueRules {
  readonly rules = new Map<string, Expression>();
  readonly resolver: SchemaResolver;
  readonly branches: Branches;
  readonly evaluator: Evaluator;
  readonly any: AnyJson;
  readonly #prefix: string;
  readonly #ids = new Map<unknown, number>();
  readonly #values = new Map<string, string>();
  readonly #open: { name: string; items: readonly Located[] }[] = [];
  readonly #arrays: ArrayRules;
  readonly #objects: ObjectRules;

  constructor(schema: unknown, { whitespace = 'spaced', draft = '2020-12', documents = {} }: SchemaOptions, prefix: string) {
    this.resolver = new SchemaResolver(schema, documents, draft);
    this.branches = new Branches(this.resolver);
    this.evaluator = new Evaluator(this.resolver, this.branches);
    this.#prefix = prefix;
    this.any = new AnyJson(this.rules, whitespace, prefix);
    this.#arrays = new ArrayRules(this);
    this.#objects = new ObjectRules(this);
  }

  root(): string {
    const name = `${this.#prefix}root`;
    this.rules.set(name, this.value([this.resolver.root]));
    for (let next = this.#open.pop(); next !== undefined; next = this.#open.pop()) this.rules.set(next.name, this.#build(next.items));
    return name;
  }

  name(): string {
    const name = `${this.#prefix}${this.rules.size}`;
    this.rules.set(name, NEVER); // taken
    return name;
  }

  value(items: readonly Located[]): Expression {
    if (items.some(({ schema }) => schema === false)) return NEVER;
    const asked = items.filter(({ schema }) => schema !== true && Object.keys(schema).length > 0);
    if (asked.length === 0) return this.any.value();
    const key = [...new Set(asked.map((at) => `${this.#id(at.schema)}@${at.scope.join(' ')}`))].sort().join('&');
    let name = this.#values.get(key);
    if (name === undefined) {
      this.#values.set(key, name = this.name());
      this.#open.push({ name, items: asked });
    }
    return rule(name);
  }

  #id(schema: unknown): number {
    if (!this.#ids.has(schema)) this.#ids.set(schema, this.#ids.size);
    return this.#ids.get(schema)!;
  }

  finite(items: readonly Located[]): unknown[] | undefined {
    const found = new Map<string, unknown>();
    for (const leaves of this.branches.of(items)) {
      const values = constantsOf(leaves) ?? onlyWords(leaves);
      if (values === undefined) return undefined;
      for (const value of values) if (this.evaluator.satisfiesAll(leaves, value)) found.set(canonical(value), value);
    }
    return [...found.values()];
  }

  literal(value: unknown): Expression {
    if (Array.isArray(value)) {
      const parts = value.flatMap((item, i) => [...(i > 0 ? [this.any.comma] : []), this.literal(item)]);
      return sequence(this.any.open('['), ...parts, this.any.close(']'));
    }
    if (typeof value === 'object' && value !== null) {
      const parts = Object.entries(value).flatMap(([name, item], i) => [...(i > 0 ? [this.any.comma] : []), text(JSON.stringify(name)), this.any.colon, this.literal(item)]);
      return sequence(this.any.open('{'), ...parts, this.any.close('}'));
    }
    return text(JSON.stringify(value));
  }

  #build(items: readonly Located[]): Expression {
    const options: Expression[] = [];
    let failure: ConfigError | undefined;
    for (const leaves of this.branches.of(items)) {
      for (const type of this.#types(leaves)) {
        try {
          const option = this.#ofType(type, leaves);
          if (!isNever(option)) options.push(option);
        } catch (cause) {
          if (!isRefusal(cause)) throw cause;
          failure ??= cause; // another way may do
        }
      }
      const values = constantsOf(leaves)?.filter((value) => this.evaluator.satisfiesAll(leaves, value));
      for (const value of values ?? []) options.push(this.literal(value));
    }
    if (options.length === 0 && failure !== undefined) throw failure;
    return choice(...options);
  }

  /** Types that values of an alternative may have; none where its values are listed. */
  #types(leaves: readonly Leaf[]): readonly string[] {
    if (constantsOf(leaves) !== undefined) return [];
    return TYPES.filter((type) => leaves.every(({ schema }) => !('type' in schema) || typesOf(schema.type).includes(type)));
  }

  #ofType(type: string, leaves: readonly Leaf[]): Expression {
    const excluded = leaves.flatMap(({ schema }) => (Array.isArray(schema.$notEnum) ? schema.$notEnum : [])).filter((value) => typeOf(value) === type);
    switch (type) {
      case 'null':
        return excluded.length > 0 ? NEVER : text('null');
      case 'boolean':
        return choice(...[true, false].filter((value) => !excluded.includes(value)).map((value) => text(String(value))));
      case 'number':
        return { kind: 'dfa', dfa: numberDfaOf(leaves, excluded), json: false };
      case 'string': {
        const dfa = stringDfa(leaves, excluded as string[]);
        return dfa === undefined ? this.any.string() : sequence(text('"'), { kind: 'dfa', dfa, json: true }, text('"'));
      }
      case 'array':
        return this.#arrays.of(leaves, excluded as unknown[][]);
      default:
        return this.#objects.of(leaves, excluded as object[]);
    }
  }
}

function numberDfaOf(leaves: readonly Leaf[], excluded: readonly unknown[]): ReturnType<typeof numberDfa> {
  return numberDfa(numberLimits(leaves), excluded.map(Number));
}

/** Whether a schema says something that cannot be compiled; other failures (too large) end all. */
const isRefusal = (cause: unknown): cause is ConfigError => typeof cause === 'object' && cause !== null && 'code' in cause && cause.code === 'config';

/** The values that enums and constants leave; undefined where there are none of them. */
function constantsOf(leaves: readonly Leaf[]): readonly unknown[] | undefined {
  for (const { at, schema } of leaves) {
    if ('const' in schema) return [schema.const];
    if ('enum' in schema) {
      if (!Array.isArray(schema.enum)) throw refuse(at, 'enum', 'is no list');
      return schema.enum;
    }
  }
  return undefined;
}

/** The values of types that have few. */
function onlyWords(leaves: readonly Leaf[]): unknown[] | undefined {
  const types = TYPES.filter((type) => leaves.every(({ schema }) => !('type' in schema) || typesOf(schema.type).includes(type)));
  return types.every((type) => type === 'null' || type === 'boolean') ? types.flatMap((type) => (type === 'null' ? [null] : [false, true])) : undefined;
}
