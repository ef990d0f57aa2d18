// The native core's errors (a code and a sentence) as the classes of base/errors.ts. Layer: backends.

import { BackendError, CapacityError, FormatError, InterruptedError, ShapeError } from '../../base/errors.ts';

/** Values for the fields of the class that fits. */
export interface FailureContext {
  /** Bytes that were asked for. */
  readonly need?: number;
  readonly cause?: unknown;
}

/** Turns an error of the addon into its class; any other is returned as it is. */
export function failureOf(error: unknown, context: FailureContext = {}): Error {
  const { code, message } = error as { code?: string; message: string };
  switch (code) {
    case 'ATHANOR_FORMAT':
      return new FormatError(message, { path: '(program)', cause: error });
    case 'ATHANOR_CAPACITY':
      return new CapacityError(message, { need: context.need ?? Number.NaN, have: Number.NaN });
    case 'ATHANOR_BACKEND':
      return new BackendError(message, { help: 'Choose an instruction set that the processor has, or leave `isa` out.', cause: error });
    case 'ATHANOR_ARGUMENT':
      return new ShapeError(message, { op: 'run', shapes: [] });
    case 'ATHANOR_ABORTED':
      return new InterruptedError(message, context.cause === undefined ? undefined : { cause: context.cause });
    default:
      return error as Error;
  }
}
