// POST /v1/messages and /v1/messages/count_tokens, as Anthropic has them. Layer: serve.

import type { MakeRoute } from '../context.ts';
import { messagesShape, readCountRequest, readMessages } from '../protocols/anthropic.ts';
import { prepareJob } from '../prepare.ts';
import { readBody } from '../read-body.ts';
import { respond } from '../respond.ts';

export const messages: MakeRoute = (server) => ({
  method: 'POST',
  path: '/v1/messages',
  scope: 'inference',
  summary: 'Answers a conversation, as Anthropic does',
  protocol: 'anthropic',
  handle: async (c) => respond(c, server, readMessages(await readBody(c, server.options.maxBodyBytes)), 'msg_', messagesShape),
});

export const countTokens: MakeRoute = (server) => ({
  method: 'POST',
  path: '/v1/messages/count_tokens',
  scope: 'inference',
  summary: 'Counts the tokens of a conversation, as Anthropic does',
  protocol: 'anthropic',
  async handle(c) {
    const job = readCountRequest(await readBody(c, server.options.maxBodyBytes)), { model, release } = await server.registry.acquire(job.model);
    try {
      const { prompts } = await prepareJob(job, model);
      return c.json({ input_tokens: prompts[0]!.length });
    } finally {
      release();
    }
  },
});
