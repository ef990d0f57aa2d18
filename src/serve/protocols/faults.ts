// The shape of a fault by the path that was asked: each client knows one. Layer: serve (pure).

import type { RequestFault } from '../fault.ts';
import { anthropicError } from './anthropic.ts';
import { errorBody } from './openai-shared.ts';

export function faultBody(path: string, fault: RequestFault, requestId: string): unknown {
  if (path.startsWith('/api/')) return { error: fault.message };
  return path.startsWith('/v1/messages') ? { ...anthropicError(fault), request_id: requestId } : errorBody(fault);
}
