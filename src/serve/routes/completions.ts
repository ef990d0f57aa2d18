// POST /v1/completions. Layer: serve.

import type { MakeRoute } from '../context.ts';
import { requireSpecialTokens } from '../gate.ts';
import { completionShape, readCompletionRequest } from '../protocols/openai-completions.ts';
import { readBody } from '../read-body.ts';
import { respond } from '../respond.ts';

export const completions: MakeRoute = (server) => ({
  method: 'POST',
  path: '/v1/completions',
  scope: 'inference',
  summary: 'Continues texts, or fills a gap before `suffix`',
  protocol: 'openai',
  async handle(c) {
    const request = readCompletionRequest(await readBody(c, server.options.maxBodyBytes));
    if (request.job.allowSpecial) requireSpecialTokens(c, server);
    return respond(c, server, request.job, 'cmpl-', (head) => completionShape(head, request));
  },
});
