// Constraints on what an answer may be. Layer: serve.

import { RequestFault } from './fault.ts';
import type { AnswerForm } from './job.ts';
import type { ServedModel } from './served-model.ts';

/** Makes a constraint in its first state. */
export type MakeConstraint = () => unknown;

/**
 * What holds an answer to its form; undefined for text.
 *
 * @param field what asked for it, for errors
 * @throws {RequestFault} invalid, naming what of a schema is not supported
 */
export async function constraintFor(form: AnswerForm, model: ServedModel, field = 'response_format'): Promise<MakeConstraint | undefined> {
  if (form.kind === 'text') return undefined;
  throw new RequestFault('unsupported', `Cannot constrain answers of "${model.name}" yet: leave "${field}" out.`, { field });
}
