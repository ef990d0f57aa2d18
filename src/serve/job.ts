// What a request asks of a model, in no protocol's words: the middle between the translators and the engine. Layer: serve (pure).

import type { ChatMessage } from '../tokenizer/index.ts';

/** How tokens are chosen; what is left out is the model's or the engine's own. */
export interface Choosing {
  readonly temperature?: number | undefined;
  readonly topK?: number | undefined;
  readonly topP?: number | undefined;
  readonly minP?: number | undefined;
  readonly repetitionPenalty?: number | undefined;
  readonly frequencyPenalty?: number | undefined;
  readonly presencePenalty?: number | undefined;
  /** Added to the logits, by token id. */
  readonly logitBias?: Readonly<Record<number, number>> | undefined;
  /** Of the first choice; the next ones count up. Without one each request has its own. */
  readonly seed?: number | undefined;
  /** Most new tokens; as many as there is room for by default. */
  readonly maxTokens?: number | undefined;
  readonly stop?: readonly string[] | undefined;
  readonly stopIds?: readonly number[] | undefined;
  /** Log-probabilities with so many alternatives. */
  readonly logprobs?: number | undefined;
  /** Choices for each prompt. */
  readonly n?: number | undefined;
}

/** What an answer must look like. */
export type AnswerForm =
  | { readonly kind: 'text' }
  | { readonly kind: 'json' }
  | { readonly kind: 'schema'; readonly schema: unknown }
  | { readonly kind: 'regex'; readonly regex: string }
  | { readonly kind: 'grammar'; readonly grammar: string };

/** A function that a model may call. */
export interface Tool {
  readonly name: string;
  readonly description?: string | undefined;
  /** JSON Schema of its arguments. */
  readonly parameters?: Readonly<Record<string, unknown>> | undefined;
}

export type ToolChoice = 'auto' | 'none' | 'required' | { readonly name: string };

/** A conversation to answer. */
export interface ChatJob {
  readonly kind: 'chat';
  readonly model: string;
  readonly stream: boolean;
  readonly messages: readonly ChatMessage[];
  readonly tools: readonly Tool[];
  readonly toolChoice: ToolChoice;
  readonly parallelCalls: boolean;
  readonly form: AnswerForm;
  readonly choosing: Choosing;
  /** For the template, such as `enable_thinking`. */
  readonly variables?: Readonly<Record<string, unknown>> | undefined;
  /** Where the messages came from in the request, for errors. */
  readonly promptField: string;
  /** The last message is the beginning of the answer. */
  readonly prefill?: boolean;
}

/** Texts to continue. */
export interface TextJob {
  readonly kind: 'text';
  readonly model: string;
  readonly stream: boolean;
  readonly prompts: readonly (string | readonly number[])[];
  /** What comes after the gap that is to be filled. */
  readonly suffix?: string | undefined;
  readonly echo: boolean;
  /** Words of special tokens in the prompts become those tokens. */
  readonly allowSpecial: boolean;
  readonly form: AnswerForm;
  readonly choosing: Choosing;
  readonly promptField: string;
}

/** A token with its log-probability and what might have stood in its place. */
export interface ScoredToken {
  readonly id: number;
  readonly logprob: number;
  readonly alternatives: readonly { readonly id: number; readonly logprob: number }[];
}

/** A call of a tool. */
export interface ToolCall {
  readonly id: string;
  readonly name: string;
  /** JSON text. */
  readonly arguments: string;
}

export interface Usage {
  readonly promptTokens: number;
  readonly cachedTokens: number;
  readonly completionTokens: number;
}

export type EndReason = 'stop' | 'length' | 'calls';

/** A piece of an answer. Each choice ends with an `end`; `usage` is last of all. */
export type AnswerEvent =
  | { readonly kind: 'text'; readonly choice: number; readonly text: string; readonly tokens: readonly ScoredToken[] }
  | { readonly kind: 'reasoning'; readonly choice: number; readonly text: string }
  | { readonly kind: 'call'; readonly choice: number; readonly index: number; readonly call: ToolCall }
  | { readonly kind: 'end'; readonly choice: number; readonly reason: EndReason; readonly stop?: string }
  | { readonly kind: 'usage'; readonly usage: Usage };

/** One choice, whole. */
export interface Choice {
  text: string;
  reasoning: string;
  calls: ToolCall[];
  tokens: ScoredToken[];
  reason: EndReason;
  /** The stop text that ended it. */
  stop?: string | undefined;
}

/** A whole answer. */
export interface Answer {
  readonly choices: readonly Choice[];
  readonly usage: Usage;
}

/** All events of an answer together. */
export async function collect(events: AsyncIterable<AnswerEvent>): Promise<Answer> {
  const choices: Choice[] = [];
  let usage: Usage = { promptTokens: 0, cachedTokens: 0, completionTokens: 0 };
  for await (const event of events) {
    if (event.kind === 'usage') {
      usage = event.usage;
      continue;
    }
    const choice = (choices[event.choice] ??= { text: '', reasoning: '', calls: [], tokens: [], reason: 'stop' });
    if (event.kind === 'text') {
      choice.text += event.text;
      choice.tokens.push(...event.tokens);
    } else if (event.kind === 'reasoning') choice.reasoning += event.text;
    else if (event.kind === 'call') choice.calls.push(event.call);
    else [choice.reason, choice.stop] = [event.reason, event.stop];
  }
  return { choices, usage };
}
