// All routes, in order. Layer: serve.

import type { MakeRoute } from './context.ts';
import { chatCompletions } from './routes/chat-completions.ts';
import { completions } from './routes/completions.ts';
import { health, livez, readyz } from './routes/health.ts';
import { metrics } from './routes/metrics.ts';
import { model, models } from './routes/models.ts';

export const ROUTES: readonly MakeRoute[] = [chatCompletions, completions, models, model, livez, readyz, health, metrics];
