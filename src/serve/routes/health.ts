// GET /livez, /readyz and /health: whether the process lives, and whether it takes requests. Layer: serve.

import type { MakeRoute } from '../context.ts';

export const livez: MakeRoute = () => ({
  method: 'GET',
  path: '/livez',
  scope: null,
  summary: 'Says that the process lives',
  protocol: 'athanor',
  handle: (c) => c.json({ status: 'ok' }),
});

const readiness = (path: string): MakeRoute => (server) => ({
  method: 'GET',
  path,
  scope: null,
  summary: 'Says whether requests are taken: not while the first model loads, nor while the server closes',
  protocol: 'athanor',
  handle: (c) => (server.isReady() ? c.json({ status: 'ok' }) : c.json({ status: 'unavailable' }, 503)),
});

export const readyz = readiness('/readyz');
export const health = readiness('/health');
