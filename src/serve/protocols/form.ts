// How a protocol shows answers: whole, and as a stream. Layer: serve (pure).

import type { RequestFault } from '../fault.ts';
import type { Answer, AnswerEvent } from '../job.ts';

/** A stream in a protocol's shape. Each method returns text for the wire, often none. */
export interface StreamForm {
  readonly contentType: string;
  begin(): string;
  event(event: AnswerEvent): string;
  /** In place of what was to come. */
  error(fault: RequestFault): string;
  end(): string;
}

/** A request's answer in a protocol's shape. */
export interface AnswerShape {
  whole(answer: Answer): unknown;
  stream(): StreamForm;
}

export const SSE_TYPE = 'text/event-stream; charset=utf-8';
export const NDJSON_TYPE = 'application/x-ndjson';
