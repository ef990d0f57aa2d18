// OpenTelemetry spans of requests, for whoever registers a tracer: without one they cost nothing. Layer: serve.
// Names as in the semantic conventions for generative AI; prompts and answers are never put in.
// See https://opentelemetry.io/docs/specs/semconv/gen-ai/gen-ai-spans/.

import { SpanStatusCode, trace } from '@opentelemetry/api';
import type { Usage } from './job.ts';

/** A request's span. */
export interface RequestSpan {
  queued(model: string): void;
  firstToken(): void;
  end(outcome: string, status: number, usage: Usage | undefined): void;
}

export function requestSpan(route: string, requestId: string): RequestSpan {
  const span = trace.getTracer('athanor').startSpan(`POST ${route}`, { attributes: { 'http.route': route, 'athanor.request.id': requestId, 'gen_ai.provider.name': 'athanor' } });
  return {
    queued(model) {
      span.setAttribute('gen_ai.request.model', model);
      span.addEvent('queued');
    },
    firstToken: () => void span.addEvent('first token'),
    end(outcome, status, usage) {
      span.setAttributes({ 'athanor.outcome': outcome, 'http.response.status_code': status });
      if (usage !== undefined) span.setAttributes({ 'gen_ai.usage.input_tokens': usage.promptTokens, 'gen_ai.usage.output_tokens': usage.completionTokens });
      if (status >= 500) span.setStatus({ code: SpanStatusCode.ERROR });
      span.end();
    },
  };
}
