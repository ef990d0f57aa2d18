// GET /openapi.json: what the server offers, made from its own routes. Layer: serve.

import type { MakeRoute, Route } from '../context.ts';

/** A document of OpenAPI 3.1. Bodies are those of the protocols, which their own documents describe. */
export function openApiDocument(routes: readonly Route[], version: string): object {
  const paths: Record<string, Record<string, object>> = {};
  for (const { method, path, scope, summary, protocol } of routes) {
    const names = [...path.matchAll(/:(\w+)/g)].map(([, name]) => name!), plain = path.replace(/:(\w+)/g, '{$1}');
    (paths[plain] ??= {})[method.toLowerCase()] = {
      summary,
      tags: [protocol],
      ...(names.length === 0 ? {} : { parameters: names.map((name) => ({ name, in: 'path', required: true, schema: { type: 'string' } })) }),
      ...(method === 'POST' ? { requestBody: { required: true, content: { 'application/json': { schema: { type: 'object' } } } } } : {}),
      responses: { 200: { description: 'Done' }, ...(scope === null ? {} : { 401: { description: 'A key is needed' }, 429: { description: 'Too many requests; Retry-After says when to ask again' } }) },
      security: scope === null ? [] : [{ bearer: [] }, { 'x-api-key': [] }],
    };
  }
  return {
    openapi: '3.1.0',
    info: { title: 'Athanor', version, license: { name: 'Apache-2.0', identifier: 'Apache-2.0' } },
    paths,
    components: { securitySchemes: { bearer: { type: 'http', scheme: 'bearer' }, 'x-api-key': { type: 'apiKey', in: 'header', name: 'x-api-key' } } },
  };
}

/** @param routes all routes, this one left out */
export const openapi = (routes: readonly Route[]): MakeRoute => ({ version }) => ({
  method: 'GET',
  path: '/openapi.json',
  scope: 'inference',
  summary: 'This document',
  protocol: 'athanor',
  handle: (c) => c.json(openApiDocument(routes, version)),
});
