// Pages that cannot be had, by reason. Layer: data (pure).

import { CapacityError, FormatError, InterruptedError, ProtocolError } from '../../../base/errors.ts';
import type { SourceContext } from '../../source-kind.ts';
import { RefusedError } from '../limits.ts';

/** Says why a page is not there. @throws what is no fault of the page */
export function skipPage(url: string, error: unknown, strict: boolean, context: SourceContext): void {
  if (error instanceof InterruptedError) throw error;
  const reason = error instanceof RefusedError ? error.reason : error instanceof ProtocolError ? error.status === undefined ? 'unreachable' : `status-${error.status}` : error instanceof CapacityError ? 'too-large' : undefined;
  if (reason === undefined) throw error;
  if (strict) throw new FormatError(`Stopped at "${url}" (${reason}): ${(error as Error).message}`, { path: url, cause: error });
  context.skip({ file: url }, reason, (error as Error).message);
}
