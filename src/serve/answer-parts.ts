// From a model's text to reasoning, answer and tool calls, as it comes. Layer: serve (pure).
// Forms of calls: Hermes and Qwen write <tool_call>{"name", "arguments"}</tool_call>, Mistral [TOOL_CALLS][{…}, …] or
// [TOOL_CALLS]name[ARGS]{…}, Llama 3 an object {"name", "parameters"}, alone or behind <|python_tag|>, several with
// semicolons between them. All are told apart by their first characters, so that no model has to be known.
// See the chat templates of Qwen2.5, Mistral-7B-Instruct-v0.3 and Llama-3.1-8B-Instruct.

import type { Tool } from './job.ts';
import { MarkerSplitter } from './marker-splitter.ts';

/** A piece of an answer. */
export type AnswerPart =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'reasoning'; readonly text: string }
  | { readonly kind: 'call'; readonly name: string; readonly arguments: string };

/** Words that begin and end reasoning. */
const THINK = '<think>', THINK_END = '</think>';
const CALL = '<tool_call>', CALL_END = '</tool_call>', MISTRAL = '[TOOL_CALLS]', PYTHON = '<|python_tag|>';

/** Markers that a tokenizer may have as special tokens, which the text leaves out. */
export const MARKERS: readonly string[] = [THINK, THINK_END, CALL, CALL_END, MISTRAL, '[ARGS]', '[CALL_ID]', PYTHON];

export interface AnswerParserOptions {
  /** Tools that may be called; with none, text that looks like a call is text. */
  readonly tools: readonly Tool[];
  /** The prompt ends inside of reasoning already. */
  readonly startsInReasoning?: boolean;
  /** The whole answer is calls: `{"name", "arguments"}` or a list of them, as a constraint had it. */
  readonly onlyCalls?: boolean;
  /** Nothing in the text means anything: a text is continued. */
  readonly plain?: boolean;
}

type State = 'start' | 'reasoning' | 'text' | 'call' | 'all-calls';

export class AnswerParser {
  readonly #tools: readonly Tool[];
  readonly #markers: MarkerSplitter;
  #state: State;
  /** Text of a call that is not whole yet. */
  #call = '';
  /** Marker that began it. */
  #begin = '';
  /** White space before or after, which is shown only if text follows. */
  #blank = '';
  #calls = 0;
  /** White space at the beginning of what follows is the form's, not the text's. */
  #trims: boolean;

  constructor({ tools, startsInReasoning = false, onlyCalls = false, plain = false }: AnswerParserOptions) {
    this.#tools = tools;
    this.#markers = new MarkerSplitter(onlyCalls || plain ? [] : [THINK, THINK_END, ...(tools.length === 0 ? [] : [CALL, CALL_END, MISTRAL, PYTHON])]);
    this.#trims = startsInReasoning;
    this.#state = onlyCalls ? 'all-calls' : plain ? 'text' : startsInReasoning ? 'reasoning' : 'start';
  }

  push(text: string): AnswerPart[] {
    return this.#markers.push(text).flatMap((cut) => (cut.kind === 'text' ? this.#text(cut.text) : this.#marker(cut.text)));
  }

  /** Ends the answer: a call that was not finished comes out as the text that it is. */
  end(): AnswerPart[] {
    const parts = this.#text(this.#markers.flush());
    if (this.#state === 'call' || this.#state === 'all-calls') parts.push(...this.#finishCall());
    return parts;
  }

  #text(text: string): AnswerPart[] {
    if (text === '') return [];
    switch (this.#state) {
      case 'reasoning':
        return this.#shown('reasoning', text);
      case 'call':
      case 'all-calls':
        this.#call += text;
        return [];
      case 'start': {
        const begin = (this.#blank + text).trimStart();
        if (begin === '') {
          this.#blank += text;
          return [];
        }
        this.#state = 'text';
        if (this.#tools.length > 0 && /^[[{]/.test(begin)) {
          this.#state = 'call';
          this.#begin = '';
          this.#call = this.#blank + text;
          this.#blank = '';
          return [];
        }
        return this.#shown('text', this.#trims ? begin : text);
      }
      case 'text':
        return this.#shown('text', text);
      default:
        return this.#state satisfies never;
    }
  }

  /** Blanks at the end wait: before a marker, and at the end of reasoning, they mean nothing. */
  #shown(kind: 'text' | 'reasoning', text: string): AnswerPart[] {
    const all = this.#trims ? (this.#blank + text).trimStart() : this.#blank + text;
    if (all === '') return [];
    this.#trims = false;
    const end = /\s*$/.exec(all)!.index;
    const waits = kind === 'reasoning' || this.#calls > 0;
    this.#blank = waits ? all.slice(end) : '';
    const shown = waits ? all.slice(0, end) : all;
    return shown === '' ? [] : [{ kind, text: shown }];
  }

  #marker(marker: string): AnswerPart[] {
    if (marker === THINK && this.#state === 'start') {
      this.#state = 'reasoning';
      this.#trims = true;
      this.#blank = '';
      return [];
    }
    if (marker === THINK_END && this.#state === 'reasoning') {
      this.#state = 'start';
      this.#trims = true;
      this.#blank = '';
      return [];
    }
    if (this.#state === 'reasoning' || marker === THINK || marker === THINK_END) return this.#text(marker);
    if (marker === CALL_END) return this.#state === 'call' ? this.#finishCall() : this.#text(marker);
    const before = this.#state === 'call' ? this.#finishCall() : [];
    this.#state = 'call';
    this.#begin = marker;
    this.#call = this.#blank = '';
    return before;
  }

  #finishCall(): AnswerPart[] {
    const text = this.#call, begin = this.#begin, calls = readCalls(text, begin === '' && this.#state === 'call' ? this.#tools : undefined);
    this.#state = this.#state === 'all-calls' ? 'all-calls' : 'text';
    this.#call = this.#begin = '';
    if (calls === undefined) return begin + text === '' ? [] : [{ kind: 'text', text: begin + text }];
    this.#calls += calls.length;
    return calls.map((call) => ({ kind: 'call', ...call }));
  }
}

/**
 * Calls in a text; undefined if it is none.
 *
 * @param tools where nothing but the text itself says that it is a call, one that names another tool is none
 */
function readCalls(text: string, tools?: readonly Tool[]): { name: string; arguments: string }[] | undefined {
  const named = /^\s*([\w.-]{1,128})\s*(?:\[CALL_ID\]\w*)?\[ARGS\]\s*(\{[\s\S]*\})\s*$/.exec(text);
  if (named !== null) return isJson(named[2]!) ? [{ name: named[1]!, arguments: named[2]! }] : undefined;
  const values = jsonValues(text);
  if (values === undefined || values.length === 0) return undefined;
  const calls: { name: string; arguments: string }[] = [];
  for (const value of values.flat() as unknown[]) {
    const call = typeof value === 'object' && value !== null ? value as Record<string, unknown> : {}, name = call['name'] ?? (call['function'] as string | undefined);
    const given = call['arguments'] ?? call['parameters'] ?? {};
    if (typeof name !== 'string' || (tools !== undefined && !tools.some((tool) => tool.name === name))) return undefined;
    calls.push({ name, arguments: typeof given === 'string' && isJson(given) ? given : JSON.stringify(given) });
  }
  return calls.length === 0 ? undefined : calls;
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

/** JSON values, one or several with semicolons between them. */
function jsonValues(text: string): unknown[] | undefined {
  if (isJson(text)) return [JSON.parse(text)];
  const pieces = text.split(/(?<=\})\s*;\s*(?=\{)/);
  return pieces.length > 1 && pieces.every(isJson) ? pieces.map((piece) => JSON.parse(piece) as unknown) : undefined;
}
