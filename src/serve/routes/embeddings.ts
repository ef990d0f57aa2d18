// POST /v1/embeddings. Layer: serve.

import type { MakeRoute } from '../context.ts';
import { embedTexts } from '../embed-texts.ts';
import { embeddingsBody, readEmbeddings } from '../protocols/embeddings.ts';
import { readBody } from '../read-body.ts';

export const embeddings: MakeRoute = (server) => ({
  method: 'POST',
  path: '/v1/embeddings',
  scope: 'inference',
  summary: 'Gives vectors of texts',
  protocol: 'openai',
  async handle(c) {
    const request = readEmbeddings(await readBody(c, server.options.maxBodyBytes)), { vectors, model, tokens } = await embedTexts(c, server, request);
    return c.json(embeddingsBody(request, vectors, model, tokens));
  },
});
