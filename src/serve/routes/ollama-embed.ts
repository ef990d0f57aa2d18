// POST /api/embed and /api/embeddings, as Ollama has them. Layer: serve.

import type { MakeRoute } from '../context.ts';
import { embedTexts } from '../embed-texts.ts';
import { readOllamaEmbed, readOllamaEmbeddings } from '../protocols/embeddings.ts';
import { readBody } from '../read-body.ts';

export const ollamaEmbed: MakeRoute = (server) => ({
  method: 'POST',
  path: '/api/embed',
  scope: 'inference',
  summary: 'Gives vectors of texts, as Ollama does',
  protocol: 'ollama',
  async handle(c) {
    const began = performance.now(), { vectors, model, tokens } = await embedTexts(c, server, readOllamaEmbed(await readBody(c, server.options.maxBodyBytes)));
    return c.json({ model, embeddings: vectors.map((vector) => [...vector]), total_duration: Math.round(1e6 * (performance.now() - began)), load_duration: 0, prompt_eval_count: tokens });
  },
});

export const ollamaEmbeddings: MakeRoute = (server) => ({
  method: 'POST',
  path: '/api/embeddings',
  scope: 'inference',
  summary: 'Gives the vector of one text, as Ollama once did',
  protocol: 'ollama',
  async handle(c) {
    const { vectors: [vector] } = await embedTexts(c, server, readOllamaEmbeddings(await readBody(c, server.options.maxBodyBytes)));
    return c.json({ embedding: [...vector!] });
  },
});
