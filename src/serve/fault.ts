// What can be wrong with a request, before a protocol gives it its shape. Layer: serve (pure).

import { AthanorError, CapacityError, ConfigError, FormatError, InterruptedError } from '../base/errors.ts';

/** Kinds of faults, and the status that HTTP has for each (RFC 9110, RFC 6585). */
export const FAULT_STATUS = {
  invalid: 400,
  'too-long': 400,
  unauthorised: 401,
  forbidden: 403,
  'unknown-model': 404,
  'unknown-route': 404,
  method: 405,
  'too-large': 413,
  'media-type': 415,
  limited: 429,
  busy: 429,
  internal: 500,
  unsupported: 501,
  unavailable: 503,
  timeout: 504,
} as const;

export type FaultKind = keyof typeof FAULT_STATUS;

/** A request that is not, or no longer, answered. */
export class RequestFault extends AthanorError {
  readonly code = 'request';
  readonly kind: FaultKind;
  readonly status: number;
  /** The field of the request that is wrong, such as `messages[0].content`. */
  readonly field: string | undefined;
  /** When asking again makes sense. */
  readonly retryAfterSeconds: number | undefined;

  constructor(kind: FaultKind, message: string, fields: { field?: string | undefined; retryAfterSeconds?: number; cause?: unknown } = {}) {
    super(message, fields.cause === undefined ? undefined : { cause: fields.cause });
    this.kind = kind;
    this.status = FAULT_STATUS[kind];
    this.field = fields.field;
    this.retryAfterSeconds = fields.retryAfterSeconds;
  }
}

/**
 * Any error as a fault. What is not the client's doing is told in general words only: paths and values of this machine
 * stay here.
 *
 * @param promptField the field that the prompt came in, for prompts that are too long
 */
export function faultOf(error: unknown, promptField = 'prompt'): RequestFault {
  if (error instanceof RequestFault) return error;
  if (error instanceof CapacityError) return new RequestFault('too-long', error.message, { field: promptField, cause: error });
  if (error instanceof ConfigError) return new RequestFault('invalid', error.message, { field: error.path ?? promptField, cause: error });
  if (error instanceof FormatError && error.path.endsWith('.jinja')) return new RequestFault('internal', 'Cannot answer: the chat template of this model failed.', { cause: error });
  if (error instanceof InterruptedError) return new RequestFault('unavailable', 'The answer was stopped: the server is closing, or the model is being reloaded. Ask again.', { retryAfterSeconds: 1, cause: error });
  return new RequestFault('internal', 'Cannot answer: the server failed. Its log has the cause under the id of this request.', { cause: error });
}
