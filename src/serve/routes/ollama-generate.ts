// POST /api/generate, as Ollama has it. Layer: serve.

import type { MakeRoute } from '../context.ts';
import { loadedBody, ollamaShape, readOllamaGenerate } from '../protocols/ollama-chat.ts';
import { readBody } from '../read-body.ts';
import { respond } from '../respond.ts';

export const ollamaGenerate: MakeRoute = (server) => ({
  method: 'POST',
  path: '/api/generate',
  scope: 'inference',
  summary: 'Answers or continues a text, or fills a gap before `suffix`, as Ollama does',
  protocol: 'ollama',
  async handle(c) {
    const hasTemplate = async (name: string): Promise<boolean> => {
      const { model, release } = await server.registry.acquire(name);
      release();
      return model.template !== undefined;
    };
    const { model, job } = readOllamaGenerate(await readBody(c, server.options.maxBodyBytes), hasTemplate);
    if (job !== undefined) return respond(c, server, await job, '', (head) => ollamaShape(head, 'response'));
    (await server.registry.acquire(model)).release();
    return c.json(loadedBody(model, 'response'));
  },
});
