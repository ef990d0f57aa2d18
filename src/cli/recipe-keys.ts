// The keys of a recipe as flat, dotted names: for help, and to know which ones hold text. Layer: cli.

import { z } from 'zod';

/** A JSON Schema, as far as it is looked at here. */
interface Node {
  readonly type?: string;
  readonly properties?: Readonly<Record<string, Node>>;
  readonly anyOf?: readonly Node[];
  readonly description?: string;
  readonly default?: unknown;
  readonly enum?: readonly unknown[];
}

function* leaves(node: Node, path: string): Generator<readonly [string, Node]> {
  if (node.properties === undefined) yield [path, node];
  else for (const [key, child] of Object.entries(node.properties)) yield* leaves(child, path === '' ? key : `${path}.${key}`);
}

const all = (schema: z.ZodType): (readonly [string, Node])[] => [...leaves(z.toJSONSchema(schema, { io: 'input' }) as Node, '')];

/** Every key. */
export function allKeys(schema: z.ZodType): string[] {
  return all(schema).map(([path]) => path);
}

/** Every key with what it means and its default. */
export function describeKeys(schema: z.ZodType): (readonly [string, string])[] {
  return all(schema).map(([path, node]) => {
    const choice = node.enum === undefined ? '' : `; one of ${node.enum.join(', ')}`;
    return [path, `${node.description ?? ''}${choice}${node.default === undefined ? '' : ` (default ${JSON.stringify(node.default)})`}`];
  });
}

/** Keys that hold text, so that `--data.path 2024` is a folder's name and no number. */
export function textKeys(schema: z.ZodType): ReadonlySet<string> {
  const isText = (node: Node): boolean => node.type === 'string' && node.enum === undefined;
  return new Set(all(schema).filter(([, node]) => isText(node)).map(([path]) => path));
}
