// Constraints on what an answer may be: compiled once for a model, kept while they are used. Layer: serve.

import type { Constraint } from '../engine/constraint.ts';
import { compileGrammar, compileRegex, compileSchema, type CompiledGrammar, type Vocabulary } from '../engine/grammar/index.ts';
import { CapacityError, ConfigError, FormatError } from '../base/errors.ts';
import type { Tokenizer } from '../tokenizer/index.ts';
import { RequestFault } from './fault.ts';
import type { AnswerForm } from './job.ts';

/** Makes a constraint in its first state. */
export type MakeConstraint = () => Constraint;

/** Clients use a few schemas again and again; a compiled one takes up to some megabytes. */
const KEPT = 32;

/** Compiled forms of one model, the least used forgotten first. */
export class Constraints {
  readonly #vocabulary: Vocabulary | undefined;
  readonly #kept = new Map<string, CompiledGrammar>();

  constructor(tokenizer: Tokenizer | undefined, vocabSize: number, stopIds: readonly number[]) {
    this.#vocabulary = tokenizer === undefined ? undefined : {
      size: vocabSize,
      stopIds,
      // A model may have more rows than its tokenizer has tokens.
      bytesOf: (id) => (id >= tokenizer.vocabSize || tokenizer.isSpecial(id) || tokenizer.tokenOf(id) === undefined ? undefined : tokenizer.bytesOf(id)),
    };
  }

  /**
   * What holds an answer to its form; undefined for text.
   *
   * @param field what asked for it, for errors
   * @throws {RequestFault} invalid, naming what of it is not supported
   */
  make(form: AnswerForm, field = 'response_format'): MakeConstraint | undefined {
    if (form.kind === 'text') return undefined;
    if (this.#vocabulary === undefined) throw new RequestFault('invalid', 'Cannot constrain answers: this model has no tokenizer.', { field });
    const key = JSON.stringify(form), known = this.#kept.get(key), compiled = known ?? compiledOf(form, this.#vocabulary, field);
    this.#kept.delete(key);
    this.#kept.set(key, compiled);
    for (const oldest of this.#kept.keys()) {
      if (this.#kept.size <= KEPT) break;
      this.#kept.delete(oldest);
    }
    return () => compiled.start();
  }
}

function compiledOf(form: Exclude<AnswerForm, { kind: 'text' }>, vocabulary: Vocabulary, field: string): CompiledGrammar {
  try {
    switch (form.kind) {
      case 'json':
        return compileSchema({ type: 'object', additionalProperties: true }, vocabulary);
      case 'schema':
        return compileSchema(form.schema, vocabulary);
      case 'regex':
        return compileRegex(form.regex, vocabulary);
      case 'grammar':
        return compileGrammar(form.grammar, vocabulary);
      default:
        return form satisfies never;
    }
  } catch (error) {
    if (error instanceof ConfigError || error instanceof CapacityError || error instanceof FormatError) throw new RequestFault('invalid', error.message, { field, cause: error });
    throw error;
  }
}
