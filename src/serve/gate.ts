// Who comes in: the checks of Host and Origin, keys and their scopes. Layer: serve.

import type { ServerContext, ServerParts } from './context.ts';
import { RequestFault } from './fault.ts';
import type { Scope } from './keys.ts';
import { isLoopback, type ServeOptions } from './options.ts';

/** The name in a Host header, without its port. */
const hostName = (host: string): string => host.replace(/:\d+$/, '').replace(/^\[|\]$/g, '').toLowerCase();

/**
 * A name that is not this server's means that somebody's page was made to look like it (DNS rebinding). Only a server
 * that is open to this machine alone needs it: others ask for keys, which a page does not have.
 *
 * @throws {RequestFault} forbidden
 */
export function checkHost(host: string | undefined, options: Pick<ServeOptions, 'host' | 'allowedHosts'>): void {
  const name = hostName(host ?? '');
  if (!isLoopback(options.host) && options.allowedHosts.length === 0) return;
  if (isLoopback(name) || name === options.host.toLowerCase() || options.allowedHosts.some((allowed) => hostName(allowed) === name)) return;
  throw new RequestFault('forbidden', `Cannot answer for the host ${JSON.stringify(name.slice(0, 80))}: start the server with --allow-host to answer for it.`);
}

/** Whether a page of this origin may ask: this server's own, and those that were named. */
export function isAllowedOrigin(origin: string, host: string | undefined, { allowedOrigins }: Pick<ServeOptions, 'allowedOrigins'>): boolean {
  return origin === `http://${host}` || origin === `https://${host}` || allowedOrigins.includes(origin);
}

/** What a client shows: OpenAI's and Ollama's way, or Anthropic's. */
function shownKey(c: ServerContext): string | undefined {
  return /^Bearer\s+(\S+)$/i.exec(c.req.header('authorization') ?? '')?.[1] ?? c.req.header('x-api-key');
}

/**
 * Lets a request through to a route.
 *
 * @throws {RequestFault} unauthorised or forbidden
 */
export function checkKey(c: ServerContext, { keys }: Pick<ServerParts, 'keys'>, scope: Scope | null): void {
  if (scope === null) return;
  if (keys.isEmpty) {
    if (scope === 'admin') throw new RequestFault('forbidden', 'Cannot do that without a key: models are managed by keys of the scope "admin" only.');
    return;
  }
  const holder = keys.holderOf(shownKey(c));
  if (!holder.scopes.has(scope)) throw new RequestFault('forbidden', `Cannot do that with this key: it has not the scope "${scope}".`);
  c.set('holder', holder);
}

/** Words of special tokens in a raw prompt steer the model past its chat template. @throws {RequestFault} forbidden */
export function requireSpecialTokens(c: ServerContext, { keys }: Pick<ServerParts, 'keys'>): void {
  if (!keys.isEmpty && c.get('holder')?.scopes.has('special-tokens') === true) return;
  throw new RequestFault('forbidden', 'Cannot use "allow_special_tokens": it takes a key of the scope "special-tokens". Give the tokens as ids.', { field: 'allow_special_tokens' });
}
