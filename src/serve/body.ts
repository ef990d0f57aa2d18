// From the bytes of a request to checked values. Layer: serve (pure).

import type { z } from 'zod';
import { parseJson } from '../base/checked-json.ts';
import { FormatError } from '../base/errors.ts';
import { RequestFault } from './fault.ts';

/** Conversations with schemas of tools nest some ten deep; the reader of JSON stops at 100. */
const NAME = 'the request';

/**
 * A request's JSON: no repeated keys, not nested too deeply, valid UTF-8.
 *
 * @throws {RequestFault} invalid, saying where
 */
export function parseJsonBody(bytes: Uint8Array): unknown {
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (cause) {
    throw new RequestFault('invalid', 'Cannot read the request: its body is not UTF-8.', { cause });
  }
  try {
    return parseJson(text, NAME).value;
  } catch (error) {
    if (!(error instanceof FormatError)) throw error;
    const message = error.message.replace(`"${NAME}"`, NAME).replace(/ Get another copy of it(, or delete one)?\.$/, '');
    throw new RequestFault('invalid', message, { cause: error });
  }
}

/** A path as people write it: `messages[0].content`. */
function fieldName(path: readonly PropertyKey[]): string {
  return path.map((key, i) => (typeof key === 'number' ? `[${key}]` : `${i === 0 ? '' : '.'}${String(key)}`)).join('');
}

/**
 * The value as a schema has it.
 *
 * @throws {RequestFault} invalid, naming the first field that does not fit
 */
export function checked<T>(schema: z.ZodType<T>, value: unknown): T {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const { path, message } = deepest(result.error.issues[0]!);
  const field = fieldName(path);
  throw new RequestFault('invalid', field === '' ? `Cannot use the request: ${lowered(message)}.` : `Cannot use "${field.slice(0, 120)}": ${lowered(message)}.`, { field: field === '' ? undefined : field });
}

interface Issue {
  readonly code?: string | undefined;
  readonly path: readonly PropertyKey[];
  readonly message: string;
  readonly errors?: readonly (readonly Issue[])[];
}

/** Of a union the issue that got furthest: what was meant is the form that fits longest. */
function deepest(issue: Issue): { path: readonly PropertyKey[]; message: string } {
  if (issue.code !== 'invalid_union' || issue.errors === undefined) return issue;
  const found = issue.errors.flatMap(([first]) => (first === undefined ? [] : [deepest(first)])).filter(({ path }) => path.length > 0);
  const best = found.reduce<{ path: readonly PropertyKey[]; message: string } | undefined>((a, b) => (a === undefined || b.path.length > a.path.length ? b : a), undefined);
  return best === undefined ? issue : { path: [...issue.path, ...best.path], message: best.message };
}

const lowered = (message: string): string => message.slice(0, 300).replace(/^Invalid input: /, '').replace(/^[A-Z]/, (letter) => letter.toLowerCase());
