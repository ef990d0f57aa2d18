// POST /api/chat, as Ollama has it. Layer: serve.

import type { MakeRoute } from '../context.ts';
import { loadedBody, ollamaShape, readOllamaChat } from '../protocols/ollama-chat.ts';
import { readBody } from '../read-body.ts';
import { respond } from '../respond.ts';

export const ollamaChat: MakeRoute = (server) => ({
  method: 'POST',
  path: '/api/chat',
  scope: 'inference',
  summary: 'Answers a conversation, as Ollama does',
  protocol: 'ollama',
  async handle(c) {
    const { model, job } = readOllamaChat(await readBody(c, server.options.maxBodyBytes));
    if (job !== undefined) return respond(c, server, job, '', (head) => ollamaShape(head, 'message'));
    (await server.registry.acquire(model)).release();
    return c.json(loadedBody(model, 'message'));
  },
});
