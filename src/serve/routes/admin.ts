// POST /admin/models/NAME/load, /unload and /reload: only where the server was started with --admin, only by keys of that
// scope. Models come from the command line; nothing is pulled or deleted over HTTP. Layer: serve.

import type { MakeRoute, ServerParts } from '../context.ts';
import { RequestFault } from '../fault.ts';

const DOING: Readonly<Record<string, (server: ServerParts, name: string) => Promise<unknown>>> = {
  load: async ({ registry }, name) => (await registry.acquire(name)).release(),
  unload: ({ registry }, name) => registry.unload(name),
  reload: ({ registry }, name) => registry.reload(name),
};

export const admin: MakeRoute = (server) => ({
  method: 'POST',
  path: '/admin/models/:name/:action',
  scope: 'admin',
  summary: 'Loads, unloads or reloads a model without dropping streams',
  protocol: 'athanor',
  async handle(c) {
    const { name = '', action = '' } = c.req.param() as Record<string, string>;
    if (!server.options.admin) throw new RequestFault('forbidden', 'Cannot manage models: this server was started without --admin.');
    const work = Object.hasOwn(DOING, action) ? DOING[action] : undefined;
    if (work === undefined) throw new RequestFault('unknown-route', `Cannot ${action.slice(0, 40)} a model: there are ${Object.keys(DOING).join(', ')}.`);
    await work(server, server.registry.entry(name).name);
    server.log.write('admin', { id: c.get('requestId'), key: c.get('holder')?.name, action, model: name });
    return c.json({ name, action, done: true });
  },
});
