// All routes, in order. Layer: serve.

import type { MakeRoute } from './context.ts';
import { admin } from './routes/admin.ts';
import { chatCompletions } from './routes/chat-completions.ts';
import { completions } from './routes/completions.ts';
import { embeddings } from './routes/embeddings.ts';
import { health, livez, readyz } from './routes/health.ts';
import { countTokens, messages } from './routes/messages.ts';
import { metrics } from './routes/metrics.ts';
import { model, models } from './routes/models.ts';
import { ollamaChat } from './routes/ollama-chat.ts';
import { ollamaEmbed, ollamaEmbeddings } from './routes/ollama-embed.ts';
import { ollamaGenerate } from './routes/ollama-generate.ts';
import { ollamaPs, ollamaShow, ollamaTags, ollamaVersion } from './routes/ollama-models.ts';
import { deletedResponse, responses, storedResponse } from './routes/responses.ts';

export const ROUTES: readonly MakeRoute[] = [
  chatCompletions,
  completions,
  responses,
  storedResponse,
  deletedResponse,
  embeddings,
  models,
  model,
  messages,
  countTokens,
  ollamaChat,
  ollamaGenerate,
  ollamaEmbed,
  ollamaEmbeddings,
  ollamaTags,
  ollamaShow,
  ollamaPs,
  ollamaVersion,
  livez,
  readyz,
  health,
  metrics,
  admin,
];
