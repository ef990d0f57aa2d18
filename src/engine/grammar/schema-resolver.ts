// Where the schemas of a document are and what its references mean. Layer: engine (pure).
// Source: JSON Schema core, draft 2020-12 sections 8.2 and 9, and draft 7.

import { ConfigError } from '../../base/errors.ts';

export type SchemaObject = { readonly [keyword: string]: unknown };
export type Schema = boolean | SchemaObject;
export type Draft = '7' | '2020-12';

/** A schema at its place: what a reference in it means depends on the resources that it was reached through. */
export type Located = {
  readonly schema: Schema;
  /** Of its resource. */
  readonly base: string;
  /** Where it is, for people: a JSON pointer, behind the document's URI if it is another. */
  readonly pointer: string;
  /** Resources that were entered on the way, outermost first, each once. */
  readonly scope: readonly string[];
  readonly draft: Draft;
};

const SINGLE = ['additionalProperties', 'additionalItems', 'contains', 'contentSchema', 'else', 'if', 'items', 'not', 'propertyNames', 'then', 'unevaluatedItems', 'unevaluatedProperties'];
const LISTS = ['allOf', 'anyOf', 'oneOf', 'prefixItems', 'items'];
const MAPS = ['$defs', 'definitions', 'dependentSchemas', 'patternProperties', 'properties', 'dependencies'];
const MAX_SCHEMAS = 50_000;
const MAX_DEPTH = 256;

export const isObject = (value: unknown): value is SchemaObject => typeof value === 'object' && value !== null && !Array.isArray(value);
const isSchema = (value: unknown): value is Schema => typeof value === 'boolean' || isObject(value);
const escapeToken = (token: string): string => token.replaceAll('~', '~0').replaceAll('/', '~1');

/** An absolute URI of a reference; the documents' own URIs need not be of a scheme that URL knows. */
function resolveUri(reference: string, base: string): string {
  try {
    return new URL(reference, base).href;
  } catch {
    return reference.startsWith('#') ? base.replace(/#.*$/, '') + reference : reference;
  }
}

const withoutFragment = (uri: string): string => uri.replace(/#.*$/, '');
const ROOT_URI = 'schema:///root';

/** All schemas of a document, and of those that it may refer to, by their names. */
export class SchemaResolver {
  readonly root: Located;
  readonly #resources = new Map<string, Located>();
  readonly #anchors = new Map<string, Located>();
  readonly #dynamic = new Map<string, Located>();
  readonly #places = new Map<SchemaObject, Located>();
  readonly #documents: Readonly<Record<string, unknown>>;

  /** @param documents others by URI: nothing is ever fetched */
  constructor(schema: unknown, documents: Readonly<Record<string, unknown>>, draft: Draft) {
    if (!isSchema(schema)) throw new ConfigError('Cannot compile the schema: it is neither an object nor true or false');
    this.#documents = documents;
    this.root = this.#document(schema, ROOT_URI, draft);
  }

  /** A schema inside another, by keyword and names. */
  inside(outer: Located, ...path: (string | number)[]): Located {
    let schema: unknown = outer.schema;
    for (const token of path) schema = Array.isArray(schema) ? schema[Number(token)] : isObject(schema) && Object.hasOwn(schema, token) ? schema[token] : undefined;
    const pointer = `${outer.pointer}${path.map((token) => `/${escapeToken(String(token))}`).join('')}`;
    if (!isSchema(schema)) throw new ConfigError(`Cannot compile the schema: ${pointer} is no schema`, { path: pointer });
    const known = isObject(schema) ? this.#places.get(schema) : undefined, base = known?.base ?? outer.base;
    return { schema, base, pointer, draft: known?.draft ?? outer.draft, scope: outer.scope.includes(base) ? outer.scope : [...outer.scope, base] };
  }

  /** What `$ref` names. @throws {ConfigError} if it is not there */
  reference(from: Located, reference: unknown, isDynamic = false): Located {
    const where = `${from.pointer}/${isDynamic ? '$dynamicRef' : '$ref'}`;
    if (typeof reference !== 'string') throw new ConfigError(`Cannot compile the schema: ${where} is no string`, { path: where });
    const uri = resolveUri(reference, from.base);
    const found = this.#find(uri);
    if (found === undefined) throw new ConfigError(`Cannot compile the schema: ${where} refers to "${reference}", which is not in it, and nothing is fetched`, { path: where });
    let target = found;
    const name = /#([^/].*)$/.exec(uri)?.[1];
    if (isDynamic && name !== undefined && isObject(found.schema) && found.schema.$dynamicAnchor === name) {
      for (const resource of from.scope) {
        const outer = this.#dynamic.get(`${resource}#${name}`);
        if (outer !== undefined) {
          target = outer;
          break;
        }
      }
    }
    return { ...target, scope: from.scope.includes(target.base) ? from.scope : [...from.scope, target.base] };
  }

  #find(uri: string): Located | undefined {
    const base = withoutFragment(uri), fragment = uri.slice(base.length + 1);
    if (!this.#resources.has(base)) {
      const document = Object.hasOwn(this.#documents, base) ? this.#documents[base] : undefined;
      if (!isSchema(document)) return undefined;
      this.#document(document, base, this.root.draft);
    }
    const resource = this.#resources.get(base)!;
    if (fragment === '') return resource;
    let text = fragment;
    try {
      text = decodeURIComponent(fragment);
    } catch { /* as it stands */ }
    if (!text.startsWith('/')) return this.#anchors.get(`${base}#${text}`);
    let at: Located = resource, value: unknown = resource.schema;
    for (const part of text.slice(1).split('/')) {
      const token = part.replaceAll('~1', '/').replaceAll('~0', '~');
      value = Array.isArray(value) ? value[Number(token)] : isObject(value) && Object.hasOwn(value, token) ? value[token] : undefined;
      if (isObject(value)) at = this.#places.get(value) ?? at;
    }
    if (!isSchema(value)) return undefined;
    return isObject(value) && this.#places.has(value) ? this.#places.get(value) : { ...at, schema: value, pointer: `${resource.pointer}${text}` };
  }

  #document(schema: Schema, uri: string, draft: Draft): Located {
    const base = isObject(schema) && typeof schema.$id === 'string' ? withoutFragment(resolveUri(schema.$id, uri)) : uri;
    const root: Located = { schema, base, pointer: uri === ROOT_URI ? '#' : `${uri}#`, scope: [base], draft };
    this.#resources.set(uri, root);
    this.#index(schema, { ...root, base: uri }, 0);
    const placed = (isObject(schema) ? this.#places.get(schema) : undefined) ?? root;
    this.#resources.set(uri, placed);
    return placed;
  }

  #index(schema: unknown, outer: Located, depth: number): void {
    if (!isObject(schema) || this.#places.has(schema)) return;
    if (depth > MAX_DEPTH || this.#places.size >= MAX_SCHEMAS) throw new ConfigError(`Cannot compile the schema: it has more than ${MAX_SCHEMAS} schemas, or nests them deeper than ${MAX_DEPTH}`, { path: outer.pointer });
    let { base, draft } = outer;
    if (typeof schema.$schema === 'string') draft = /draft-0[4-7]/.test(schema.$schema) ? '7' : /20(19|20)/.test(schema.$schema) ? '2020-12' : draft;
    const hidden = draft === '7' && '$ref' in schema; // draft 7: what stands beside $ref is nothing
    const id = hidden ? undefined : schema.$id;
    if (typeof id === 'string' && !id.startsWith('#')) base = withoutFragment(resolveUri(id, base));
    const here: Located = { schema, base, pointer: outer.pointer, scope: [base], draft };
    this.#places.set(schema, here);
    if (base !== outer.base || depth === 0) this.#resources.set(base, here);
    if (typeof id === 'string' && id.startsWith('#')) this.#anchors.set(`${base}${id}`, here);
    if (typeof schema.$anchor === 'string') this.#anchors.set(`${base}#${schema.$anchor}`, here);
    if (typeof schema.$dynamicAnchor === 'string') {
      this.#anchors.set(`${base}#${schema.$dynamicAnchor}`, here);
      this.#dynamic.set(`${base}#${schema.$dynamicAnchor}`, here);
    }
    const below = (value: unknown, ...path: string[]): void => this.#index(value, { ...here, pointer: `${here.pointer}/${path.map(escapeToken).join('/')}` }, depth + 1);
    for (const keyword of SINGLE) below(schema[keyword], keyword);
    for (const keyword of LISTS) if (Array.isArray(schema[keyword])) schema[keyword].forEach((value, i) => below(value, keyword, String(i)));
    for (const keyword of MAPS) if (isObject(schema[keyword])) { for (const [name, value] of Object.entries(schema[keyword])) below(value, keyword, name); }
  }
}
