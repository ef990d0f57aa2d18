// GET /metrics, for Prometheus. Layer: serve.

import type { MakeRoute } from '../context.ts';

export const metrics: MakeRoute = (server) => ({
  method: 'GET',
  path: '/metrics',
  scope: 'metrics',
  summary: 'Counts and times, as Prometheus reads them',
  protocol: 'athanor',
  handle: async (c) => c.body(await server.metrics.text(), 200, { 'content-type': server.metrics.contentType }),
});
