// What Python's Jinja does and the library here does not: tuples in loops, numbers as keys, `min`, `max`, and `string` of
// whatever is no text. Layer: tokenizer (pure). See https://jinja.palletsprojects.com/en/stable/templates/#builtin-filters.

import { Interpreter } from '@huggingface/jinja';

/** A node of a template's tree: fields by name, some of them nodes. */
interface Node {
  readonly type?: string;
  readonly [field: string]: unknown;
}

/** A value of the library's. */
interface Value {
  readonly type: string;
  readonly value: unknown;
}

/** The library's own, whose types its package does not lead to. */
const Base = Interpreter as unknown as new(environment: unknown) => { run(program: unknown): Value; evaluate(statement: unknown, environment: unknown): Value };

/** A node that stands for a value found before. */
const given = (value: Value): Node => ({ type: 'Given', value });

const literal = (value: string): Node => ({ type: 'StringLiteral', value });

/** See the file's header. */
export class TemplateInterpreter extends Base {
  /** Objects whose keys are numbers, which they hold as text. */
  readonly #numbered = new WeakSet<Value>();

  override evaluate(statement: unknown, environment: unknown): Value {
    const node = statement as Node | undefined, next = (changed: Node): Value => super.evaluate(changed, environment), value = (inner: unknown): Value => this.evaluate(inner, environment);
    switch (node?.type) {
      case 'Given':
        return node['value'] as Value;
      case 'TupleLiteral': // a loop unpacks lists only
        return next({ ...node, type: 'ArrayLiteral' });
      case 'ObjectLiteral': {
        const entries = [...(node['value'] as ReadonlyMap<Node, Node>)], isNumbered = entries.length > 0 && entries.every(([{ type }]) => type === 'IntegerLiteral');
        if (!isNumbered) return next(node);
        const object = next({ ...node, value: new Map(entries.map(([key, item]) => [literal(String(key['value'])), item])) });
        this.#numbered.add(object);
        return object;
      }
      case 'MemberExpression': {
        const object = value(node['object']), property = node['property'] as Node;
        if (!this.#numbered.has(object) || node['computed'] !== true || property.type === 'SliceExpression') return next({ ...node, object: given(object) });
        return next({ ...node, object: given(object), property: literal(String(value(property).value)) });
      }
      case 'FilterExpression':
        return this.#filtered(node, environment);
      default:
        return super.evaluate(statement, environment);
    }
  }

  #filtered(node: Node, environment: unknown): Value {
    const { value: word, callee } = node['filter'] as { value?: unknown; callee?: { value?: unknown } }, name = String(word ?? callee?.value ?? '');
    const next = (changed: Node): Value => super.evaluate(changed, environment);
    if (!['dictsort', 'max', 'min', 'string'].includes(name)) return next(node);
    const operand = this.evaluate(node['operand'], environment);
    if (name === 'string' && !['StringValue', 'UndefinedValue'].includes(operand.type)) return next(literal(pythonText(operand)));
    if ((name === 'min' || name === 'max') && Array.isArray(operand.value) && operand.value.length > 0) {
      const items = operand.value as Value[], isBefore = (a: Value, b: Value): boolean => (name === 'min' ? (a.value as number) < (b.value as number) : (a.value as number) > (b.value as number));
      return items.reduce((best, item) => (isBefore(item, best) ? item : best));
    }
    if (name === 'dictsort' && this.#numbered.has(operand)) {
      const entries = [...(operand.value as ReadonlyMap<string, Value>)].map(([key, item]) => [Number(key), item] as const).sort(([a], [b]) => a - b);
      return next({ type: 'ArrayLiteral', value: entries.map(([key, item]) => ({ type: 'ArrayLiteral', value: [{ type: 'IntegerLiteral', value: key }, given(item)] })) });
    }
    return next({ ...node, operand: given(operand) });
  }
}

/** What Python's `str` makes of a value. */
function pythonText({ type, value }: Value): string {
  if (type === 'NullValue' || value === null) return 'None';
  if (typeof value === 'boolean') return value ? 'True' : 'False';
  if (Array.isArray(value)) return `[${(value as Value[]).map(pythonRepr).join(', ')}]`;
  if (value instanceof Map) return `{${[...(value as ReadonlyMap<string, Value>)].map(([key, item]) => `${quoted(key)}: ${pythonRepr(item)}`).join(', ')}}`;
  if (type === 'FloatValue' && Number.isInteger(value)) return `${String(value)}.0`;
  return String(value);
}

const pythonRepr = (value: Value): string => (typeof value.value === 'string' ? quoted(value.value) : pythonText(value));

/** A text as Python shows it: in single quotes unless only those are in it. */
function quoted(text: string): string {
  const quote = text.includes("'") && !text.includes('"') ? '"' : "'", escapes: Readonly<Record<string, string>> = { '\n': '\\n', '\r': '\\r', '\t': '\\t', '\\': '\\\\', [quote]: `\\${quote}` };
  return quote + text.replace(/[\n\r\t\\'"]/g, (character) => escapes[character] ?? character) + quote;
}
