// What Jinja does with names that were not given, and the library here does not: an undefined value is an empty list to
// a loop and an empty text to a filter. The template's tree is changed before it runs. Layer: tokenizer (pure).
// See https://jinja.palletsprojects.com/en/stable/api/#undefined-types (`Undefined`).

import { parse, tokenize } from '@huggingface/jinja';

type Program = ReturnType<typeof parse>;

/** A node as this file sees it: fields by name, some of them nodes. */
interface Node {
  type?: string;
  [field: string]: unknown;
}

/** Filters that take an undefined value, and what they take it for. */
const FORGIVING: Readonly<Record<string, string>> = {
  trim: '""',
  lower: '""',
  upper: '""',
  capitalize: '""',
  title: '""',
  length: '[]',
  count: '[]',
  list: '[]',
  join: '[]',
  map: '[]',
  select: '[]',
  reject: '[]',
};

/** Filters that take nothing at all (`none`) for an empty list too. */
const EMPTY: readonly string[] = ['selectattr', 'rejectattr'];

/** The expression of a template `{{ … }}`, whose inner `x` becomes `operand`. */
function wrapped(source: string, field: string, operand: unknown): unknown {
  const [expression] = parse(tokenize(`{{ ${source} }}`)).body as unknown as Node[];
  expression![field] = operand;
  return expression;
}

export function forgiveUndefined(program: Program): Program {
  visit(program as unknown as Node);
  return program;
}

function visit(node: Node): void {
  if (node.type === 'For') node['iterable'] = forgiven(node['iterable'] as Node);
  if (node.type === 'FilterExpression') {
    const filter = node['filter'] as { value?: unknown; callee?: { value?: unknown } }, name = String(filter.value ?? filter.callee?.value ?? '');
    const instead = Object.hasOwn(FORGIVING, name) ? FORGIVING[name] : undefined;
    if (instead !== undefined) node['operand'] = wrapped(`x | default(${instead})`, 'operand', node['operand']);
    else if (EMPTY.includes(name)) node['operand'] = wrapped('x or []', 'left', node['operand']);
  }
  for (const value of Object.values(node)) visitAny(value);
}

/** A loop's list; where the loop filters, that is inside. */
function forgiven(iterable: Node): unknown {
  if (iterable.type === 'SelectExpression') {
    iterable['lhs'] = wrapped('x | default([])', 'operand', iterable['lhs']);
    return iterable;
  }
  return wrapped('x | default([])', 'operand', iterable);
}

function visitAny(value: unknown): void {
  if (Array.isArray(value)) value.forEach(visitAny);
  else if (value instanceof Map) { for (const [key, item] of value) [key, item].forEach(visitAny); }
  else if (typeof value === 'object' && value !== null) visit(value as Node);
}
