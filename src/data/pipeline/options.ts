// Options of a source or stage against its schema. Layer: data (pure).

import { z } from 'zod';
import { ConfigError } from '../../base/errors.ts';

/** @throws {ConfigError} with the first thing that is wrong, and for an unknown option those that there are */
export function checkOptions(schema: z.ZodType, options: unknown, what: string, path: string): unknown {
  const result = schema.safeParse(options);
  if (result.success) return result.data;
  const issue = result.error.issues[0]!, where = issue.path.join('.'), at = where === '' ? '' : `${where}: `;
  if (issue.code === 'unrecognized_keys') {
    const known = where === '' && schema instanceof z.ZodObject ? Object.keys(schema.shape) : [];
    const state = `Cannot use ${what}: ${at}it has no option "${issue.keys[0]!}".`;
    throw new ConfigError(known.length === 0 ? state : `${state} There are ${known.join(', ')}.`, { path: `${path}.${issue.keys[0]!}` });
  }
  throw new ConfigError(`Cannot use ${what}: ${at}${issue.message}.`, { path: where === '' ? path : `${path}.${where}` });
}
