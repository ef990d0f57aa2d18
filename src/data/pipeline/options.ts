// Options of a source or stage against its schema. Layer: data (pure).

import type { z } from 'zod';
import { ConfigError } from '../../base/errors.ts';

/** @throws {ConfigError} with the first thing that is wrong */
export function checkOptions(schema: z.ZodType, options: unknown, what: string, path: string): unknown {
  const result = schema.safeParse(options);
  if (result.success) return result.data;
  const [issue] = result.error.issues, where = issue!.path.join('.');
  throw new ConfigError(`Cannot use ${what}: ${where === '' ? '' : `${where}: `}${issue!.message}.`, { path: where === '' ? path : `${path}.${where}` });
}
