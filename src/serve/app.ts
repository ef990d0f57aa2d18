// The application: what every request goes through, and the routes. Layer: serve.

import { randomBytes } from 'node:crypto';
import { Hono } from 'hono';
import type { ServerContext, ServerEnv, ServerParts, Route } from './context.ts';
import { draining } from './admission.ts';
import { faultOf, RequestFault } from './fault.ts';
import { checkHost, checkKey, isAllowedOrigin } from './gate.ts';
import { faultBody } from './protocols/faults.ts';
import { ROUTES } from './route-list.ts';
import { openapi } from './routes/openapi.ts';

/** Ids that clients may give: they come back in headers and logs. */
const REQUEST_ID = /^[\w.-]{1,100}$/;

/** Headers of every answer: nothing here is to be guessed at, framed or kept. */
const SAFE_HEADERS: Readonly<Record<string, string>> = { 'x-content-type-options': 'nosniff', 'referrer-policy': 'no-referrer', 'cross-origin-resource-policy': 'same-origin' };

/** Builds the application. */
export function makeApp(server: ServerParts, more: readonly Route[] = []): Hono<ServerEnv> {
  const app = new Hono<ServerEnv>(), own = ROUTES.map((make) => make(server)), routes = [...own, openapi(own)(server), ...more];
  app.use(async (c, next) => {
    const given = c.req.header('x-request-id');
    c.set('requestId', given !== undefined && REQUEST_ID.test(given) ? given : `req_${randomBytes(12).toString('hex')}`);
    c.header('x-request-id', c.get('requestId'));
    for (const [name, value] of Object.entries(SAFE_HEADERS)) c.header(name, value);
    checkHost(c.req.header('host'), server.options);
    const preflight = checkOrigin(c, server);
    if (preflight !== undefined) return preflight;
    await next();
    return undefined;
  });
  for (const route of routes) app.on([route.method], [route.path], (c) => handled(c, server, route));
  app.notFound((c) => {
    const known = routes.filter(({ path }) => path === c.req.path);
    const fault = known.length === 0
      ? new RequestFault('unknown-route', `Cannot find ${c.req.method} ${c.req.path.slice(0, 100)}: see /openapi.json for what there is.`)
      : new RequestFault('method', `Cannot ${c.req.method} ${c.req.path}: it takes ${known.map(({ method }) => method).join(', ')}.`);
    return told(c, fault);
  });
  app.onError((error, c) => {
    const fault = faultOf(error);
    if (fault.kind === 'internal') server.log.write('failure', { id: c.get('requestId'), route: c.req.path, error: error.stack ?? error.message });
    return told(c, fault);
  });
  return app;
}

async function handled(c: ServerContext, server: ServerParts, route: Route): Promise<Response> {
  checkKey(c, server, route.scope);
  if (route.scope === 'inference' && route.method === 'POST' && !server.isReady()) throw draining();
  return route.handle(c);
}

/** Pages of other origins are refused, but those that the server was told of. @returns the answer to a preflight */
function checkOrigin(c: ServerContext, { options }: ServerParts): Response | undefined {
  const origin = c.req.header('origin');
  if (origin === undefined) return undefined;
  if (!isAllowedOrigin(origin, c.req.header('host'), options)) throw new RequestFault('forbidden', `Cannot answer pages of ${JSON.stringify(origin.slice(0, 80))}: start the server with --allow-origin to answer them.`);
  c.header('access-control-allow-origin', origin);
  c.header('vary', 'origin');
  if (c.req.method !== 'OPTIONS') return undefined;
  c.header('access-control-allow-methods', 'GET, POST, DELETE');
  c.header('access-control-allow-headers', c.req.header('access-control-request-headers') ?? '');
  c.header('access-control-max-age', '600');
  return c.body(null, 204);
}

/** A fault in the shape of the protocol whose path this is. */
function told(c: ServerContext, fault: RequestFault): Response {
  if (fault.retryAfterSeconds !== undefined) c.header('retry-after', String(fault.retryAfterSeconds));
  if (fault.kind === 'unauthorised') c.header('www-authenticate', 'Bearer');
  if (fault.kind === 'too-large') c.header('connection', 'close'); // the rest of the body is not read
  return c.json(faultBody(c.req.path, fault, c.get('requestId')) as object, fault.status as 400);
}
