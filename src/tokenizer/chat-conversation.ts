// Conversations: what a chat template is given, checked, and which of it is text from outside. Layer: tokenizer (pure).
// See https://huggingface.co/docs/transformers/chat_templating and chat_extras (tools, documents).

import { ConfigError } from '../base/errors.ts';

/** One message. Templates may know more fields. */
export interface ChatMessage {
  readonly role: string;
  /** Text, or parts such as `{ type: 'text', text }`. */
  readonly content?: unknown;
  /** What a model thought before it answered. */
  readonly reasoning_content?: string;
  /** `{ id, type: 'function', function: { name, arguments } }`; arguments as an object or as its JSON. */
  readonly tool_calls?: unknown;
  readonly tool_call_id?: string;
  readonly name?: string;
  readonly [field: string]: unknown;
}

/** What a prompt is made of. */
export interface Conversation {
  readonly messages: readonly ChatMessage[];
  /** `{ type: 'function', function: { name, description, parameters } }`, parameters as a JSON Schema. */
  readonly tools?: readonly unknown[];
  readonly documents?: readonly unknown[];
  /** Ends with what begins an answer. Default true. */
  readonly addGenerationPrompt?: boolean;
  /** More for the template, such as `enable_thinking`. */
  readonly variables?: Readonly<Record<string, unknown>>;
}

/** Roles are part of what templates write around messages, so they come from a list. */
const ROLES = ['system', 'developer', 'user', 'assistant', 'model', 'tool', 'tool_response', 'tool_responses', 'function', 'ipython', 'observation', 'environment', 'context', 'critic'];

/** Values of `type` that templates compare with: parts of content, and JSON Schema's. */
const TYPES = ['function', 'text', 'image', 'image_url', 'audio', 'video', 'file', 'input_text', 'output_text', 'thinking', 'reasoning', 'object', 'array', 'string', 'number', 'integer', 'boolean', 'null', 'any'];

/** No message or schema nests deeper. */
const MAX_DEPTH = 64;

/** Variables of a template that a caller may not set otherwise. */
const OWN_VARIABLES = ['messages', 'tools', 'documents', 'add_generation_prompt', 'bos_token', 'eos_token'];

/**
 * A conversation as a template's variables.
 *
 * @throws {ConfigError} naming the place that is no conversation
 */
export function templateVariables(conversation: Conversation): Record<string, unknown> {
  const { messages, tools, documents, addGenerationPrompt = true, variables = {} } = conversation;
  if (!Array.isArray(messages)) throw new ConfigError('Cannot make a prompt: messages should be a list.', { path: 'messages' });
  const checked = messages.map((message: ChatMessage, i) => {
    if (typeof message !== 'object' || message === null || Array.isArray(message)) throw new ConfigError(`Cannot make a prompt: messages[${i}] should be an object with role and content.`, { path: `messages[${i}]` });
    if (!ROLES.includes(message.role)) throw new ConfigError(`Cannot make a prompt: the role of messages[${i}] is ${JSON.stringify(message.role)?.slice(0, 60)}; known are ${ROLES.join(', ')}.`, { path: `messages[${i}].role` });
    return withObjects(message);
  });
  const own = Object.keys(variables).find((name) => OWN_VARIABLES.includes(name));
  if (own !== undefined) throw new ConfigError(`Cannot make a prompt: "${own}" cannot be set as a variable.`, { path: `variables.${own}` });
  const all = { ...variables, messages: checked, ...(tools === undefined ? {} : { tools }), ...(documents === undefined ? {} : { documents }) };
  for (const [name, value] of Object.entries(all)) checkJson(value, name, 0);
  return { ...all, add_generation_prompt: addGenerationPrompt };
}

/** Arguments of tool calls are JSON in OpenAI's messages, and objects in templates. */
function withObjects(message: ChatMessage): ChatMessage {
  if (!Array.isArray(message.tool_calls)) return message;
  return { ...message, tool_calls: message.tool_calls.map((call: { function?: { arguments?: unknown } } | null) => {
    const given = call?.function?.arguments;
    if (typeof given !== 'string') return call;
    try {
      const value: unknown = JSON.parse(given);
      return typeof value === 'object' && value !== null ? { ...call, function: { ...call!.function, arguments: value } } : call;
    } catch {
      return call; // a model's own slip: the template may show it as it is
    }
  }) };
}

function checkJson(value: unknown, place: string, depth: number): void {
  if (depth > MAX_DEPTH) throw new ConfigError(`Cannot make a prompt: ${place.slice(0, 80)}… nests more than ${MAX_DEPTH} deep.`, { path: place });
  if (value === null || value === undefined || ['string', 'boolean'].includes(typeof value) || Number.isFinite(value)) return;
  if (Array.isArray(value)) value.forEach((item, i) => checkJson(item, `${place}[${i}]`, depth + 1));
  else if (typeof value === 'object') { for (const [key, item] of Object.entries(value)) checkJson(item, `${place}.${key}`, depth + 1); }
  else throw new ConfigError(`Cannot make a prompt: ${place} is a ${typeof value}, which JSON cannot hold.`, { path: place });
}

/**
 * Puts every text from outside through `change`: all strings and keys but roles, types, and keys that the template
 * itself names.
 *
 * @param known words of the template, of which no control token can be made
 */
export function mapOutside(value: unknown, change: (text: string) => string, known: ReadonlySet<string>): unknown {
  return walk(value, '', false);

  /** @param foreign whether all keys from here on are somebody's data, as in arguments */
  function walk(item: unknown, key: string, foreign: boolean): unknown {
    if (typeof item === 'string') return !foreign && ((key === 'role' && ROLES.includes(item)) || (key === 'type' && TYPES.includes(item))) ? item : change(item);
    if (Array.isArray(item)) return item.map((one) => walk(one, key, foreign));
    if (typeof item !== 'object' || item === null) return item;
    const data = foreign || key === 'arguments';
    const entries = Object.entries(item).map(([name, inner]): [string, unknown] => {
      const isNamed = data || key === 'properties'; // by somebody, not by a format
      return [isNamed || !known.has(name) ? change(name) : name, walk(inner, isNamed ? '' : name, data)];
    });
    return Object.fromEntries(entries); // defines keys, "__proto__" too, and sets nothing
  }
}
