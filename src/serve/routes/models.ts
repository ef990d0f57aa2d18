// GET /v1/models and /v1/models/NAME. Layer: serve.

import type { MakeRoute } from '../context.ts';
import type { ModelEntry } from '../registry.ts';

const body = ({ name, createdSeconds }: ModelEntry): object => ({ id: name, object: 'model', created: createdSeconds, owned_by: 'athanor' });

export const models: MakeRoute = (server) => ({
  method: 'GET',
  path: '/v1/models',
  scope: 'inference',
  summary: 'Lists the models',
  protocol: 'openai',
  handle: (c) => c.json({ object: 'list', data: server.registry.entries.map(body) }),
});

export const model: MakeRoute = (server) => ({
  method: 'GET',
  path: '/v1/models/:name',
  scope: 'inference',
  summary: 'Describes a model',
  protocol: 'openai',
  handle: (c) => c.json(body(server.registry.entry(c.req.param('name') ?? ''))),
});
