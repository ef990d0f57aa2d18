// POST /v1/chat/completions. Layer: serve.

import type { MakeRoute } from '../context.ts';
import { chatShape, readChatRequest } from '../protocols/openai-chat.ts';
import { readBody } from '../read-body.ts';
import { respond } from '../respond.ts';

export const chatCompletions: MakeRoute = (server) => ({
  method: 'POST',
  path: '/v1/chat/completions',
  scope: 'inference',
  summary: 'Answers a conversation',
  protocol: 'openai',
  async handle(c) {
    const request = readChatRequest(await readBody(c, server.options.maxBodyBytes));
    return respond(c, server, request.job, 'chatcmpl-', (head) => chatShape(head, request));
  },
});
