// Renders a chat template into pieces: control tokens that the template wrote, and text. Layer: tokenizer (pure).
// Runs in a thread that can be ended (chat-template.ts). Templates are Hugging Face's dialect of Jinja.

import { Environment, parse, tokenize } from '@huggingface/jinja';
import { mapOutside } from './chat-conversation.ts';
import { TemplateInterpreter } from './chat-template-interpreter.ts';
import { forgiveUndefined } from './chat-template-undefined.ts';
import { alternatives, TextMarker } from './marked-text.ts';

/** Part of a prompt: a control token of the template, or text that is none whatever it says. */
export type ChatPiece = { readonly kind: 'control'; readonly text: string } | { readonly kind: 'text'; readonly text: string };

/** What is rendered. All of it can be sent to a thread. */
export interface RenderJob {
  readonly template: string;
  /** What comes from the model's own files: `bos_token` and its like. */
  readonly own: Readonly<Record<string, string>>;
  /** What comes from outside. */
  readonly variables: Readonly<Record<string, unknown>>;
  readonly control: readonly string[];
  /** Milliseconds since 1970, for `strftime_now`. */
  readonly now: number;
}

/** Why the template itself refused a conversation (`raise_exception`). */
export class TemplateRefusal extends Error {}

/** @throws {TemplateRefusal} if the template raises; any other error is a fault of the template */
export function renderPieces({ template, own, variables, control, now }: RenderJob): ChatPiece[] {
  const tokens: Lexed[] = tokenize(template, { lstrip_blocks: true, trim_blocks: true });
  const literals = tokens.filter(({ type }) => type === 'StringLiteral').map(({ value }) => value);
  const words = new Set(tokens.filter(({ type }) => type === 'Identifier' || type === 'StringLiteral').map(({ value }) => value));
  const known = new Set([...words].filter((word) => /^\w+$/.test(word)));
  const outside: string[] = [];
  mapOutside(variables, (text) => {
    outside.push(text);
    return text;
  }, known);
  const marker = new TextMarker(outside, { control, literals, reserved: template + literals.join('') + Object.values(own).join('') });
  const marked = mapOutside(variables, (text) => marker.mark(text), known) as Record<string, unknown>;
  const text = run(tokens, { ...marked, ...own, ...globals(now, (message) => marker.unmark(message)) });
  return cut(text, control).map(({ kind, text: piece }) => ({ kind, text: kind === 'text' ? marker.unmark(piece) : piece }));
}

/** A word of a template, as the library cuts it. */
interface Lexed {
  readonly type: string;
  readonly value: string;
}

function run(tokens: readonly Lexed[], variables: Readonly<Record<string, unknown>>): string {
  const environment = new Environment(), program = forgiveUndefined(parse(tokens as Parameters<typeof parse>[0]));
  for (const [name, value] of Object.entries(variables)) environment.set(name, value);
  return String(new TemplateInterpreter(environment).run(program).value);
}

/** Everything that a template can call by name; the library's own `setupGlobals` cannot be overridden. */
function globals(now: number, unmark: (text: string) => string): Record<string, unknown> {
  return {
    true: true,
    false: false,
    none: null,
    True: true,
    False: false,
    None: null,
    range,
    strftime_now: (format: unknown) => strftime(new Date(now), unmark(String(format))),
    raise_exception: (message: unknown) => {
      throw new TemplateRefusal(unmark(String(message)));
    },
  };
}

/** Longer ranges are for endless loops. */
const MAX_RANGE = 100_000;

function range(first: number, end?: number, step = 1): number[] {
  const [from, to] = end === undefined ? [0, first] : [first, end], length = Math.max(0, Math.ceil((to - from) / step));
  if (!(length <= MAX_RANGE)) throw new Error(`range() of ${length} numbers; at most ${MAX_RANGE} are given`);
  return Array.from({ length }, (_, i) => from + i * step);
}

const MONTHS = ['January', 'February', 'March', 'April', 'May', 'June', 'July', 'August', 'September', 'October', 'November', 'December'];
const DAYS = ['Sunday', 'Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday'];

/** Python's strftime in the C locale. @see https://docs.python.org/3/library/datetime.html#format-codes */
export function strftime(date: Date, format: string): string {
  const two = (value: number): string => String(value).padStart(2, '0'), month = MONTHS[date.getMonth()]!, day = DAYS[date.getDay()]!;
  const codes: Record<string, string> = {
    Y: String(date.getFullYear()),
    y: two(date.getFullYear() % 100),
    m: two(date.getMonth() + 1),
    d: two(date.getDate()),
    e: String(date.getDate()).padStart(2, ' '),
    B: month,
    b: month.slice(0, 3),
    A: day,
    a: day.slice(0, 3),
    H: two(date.getHours()),
    I: two(date.getHours() % 12 || 12),
    M: two(date.getMinutes()),
    S: two(date.getSeconds()),
    p: date.getHours() < 12 ? 'AM' : 'PM',
    '%': '%',
  };
  return format.replace(/%(-?)([A-Za-z%])/g, (whole, dash: string, code: string) => {
    const value = Object.hasOwn(codes, code) ? codes[code]! : whole;
    return dash === '-' ? value.replace(/^0(?=\d)/, '') : value;
  });
}

/** Cuts a text at control tokens. */
function cut(text: string, control: readonly string[]): ChatPiece[] {
  const pieces: ChatPiece[] = [], add = (piece: string): void => {
    if (piece !== '') pieces.push({ kind: 'text', text: piece });
  };
  let from = 0;
  if (control.length > 0) {
    for (const match of text.matchAll(alternatives(control))) {
      add(text.slice(from, match.index));
      pieces.push({ kind: 'control', text: match[0] });
      from = match.index + match[0].length;
    }
  }
  add(text.slice(from));
  return pieces;
}
