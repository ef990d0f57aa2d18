// What the rules of arrays and objects need of the compiler that they are part of. Layer: engine (pure).

import type { AnyJson } from './any-json.ts';
import type { Expression } from './expression.ts';
import type { Branches } from './schema-branches.ts';
import type { Evaluator } from './schema-evaluate.ts';
import type { Located, SchemaResolver } from './schema-resolver.ts';

/** What the rules of arrays and objects need of the others. */
export interface ValueRules {
  readonly rules: Map<string, Expression>;
  readonly resolver: SchemaResolver;
  readonly branches: Branches;
  readonly evaluator: Evaluator;
  readonly any: AnyJson;
  /** A name for a rule of this schema. */
  name(): string;
  /** The texts that satisfy schemas together. */
  value(items: readonly Located[]): Expression;
  /** The text of one value. */
  literal(value: unknown): Expression;
  /** All values of schemas, if they are few and written out. */
  finite(items: readonly Located[]): unknown[] | undefined;
}
