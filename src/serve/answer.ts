// Answers: the engine's parts of all choices, read as text, reasoning and calls. Layer: serve.

import { randomBytes } from 'node:crypto';
import type { Part } from '../engine/index.ts';
import { AnswerParser, type AnswerPart } from './answer-parts.ts';
import type { AnswerEvent, ScoredToken } from './job.ts';
import { merge } from './merge.ts';
import type { PreparedJob } from './prepare.ts';
import type { ServedModel } from './served-model.ts';

/** Counts of one choice. */
interface Counts {
  completionTokens: number;
  cachedTokens: number;
}

/**
 * Runs a job. The choices of the first prompt come first in number.
 *
 * @param signal ends it; the iteration then throws InterruptedError
 */
export async function* answer(model: ServedModel, job: PreparedJob, signal: AbortSignal): AsyncGenerator<AnswerEvent, void> {
  const stop = new AbortController(), both = AbortSignal.any([signal, stop.signal]), all: Counts[] = [];
  const sources = job.prompts.flatMap((prompt, p) =>
    Array.from({ length: job.n }, (_, k) => {
      const choice = p * job.n + k, counts: Counts = { completionTokens: 0, cachedTokens: 0 };
      all.push(counts);
      const options = { ...job.options, seed: job.seed + k, signal: both, ...(job.makeConstraint === undefined ? {} : { constraint: job.makeConstraint() }) };
      return answerOne(model, model.engine.generate(prompt, options), job, choice, counts);
    })
  );
  try {
    for (const [p, text] of job.echo.entries()) for (let k = 0; k < job.n; k++) yield { kind: 'text', choice: p * job.n + k, text, tokens: [] };
    yield* merge(sources);
  } finally {
    stop.abort(); // a choice that waits for others ends with them
  }
  yield {
    kind: 'usage',
    usage: {
      promptTokens: job.prompts.reduce((sum, { length }) => sum + length, 0),
      cachedTokens: job.prompts.reduce((sum, _, p) => sum + all[p * job.n]!.cachedTokens, 0),
      completionTokens: all.reduce((sum, { completionTokens }) => sum + completionTokens, 0),
    },
  };
}

async function* answerOne(model: ServedModel, parts: AsyncIterable<Part>, job: PreparedJob, choice: number, counts: Counts): AsyncGenerator<AnswerEvent, void> {
  const parser = new AnswerParser(job.reading), numbered = new Numbered(choice);
  let reason: 'stop' | 'length' = 'stop', tail: readonly number[] = [], byText = false;
  for await (const part of parts) {
    counts.completionTokens += part.ids.length;
    counts.cachedTokens = part.usage?.cachedTokens ?? counts.cachedTokens;
    reason = part.finishReason ?? reason;
    tail = [...tail, ...part.ids].slice(-STOP_TAIL);
    byText = part.finishReason === 'stop' && part.ids.length > 0; // a stop token is no part of the answer, a stop text ends with one
    numbered.tokens.push(...part.logprobs.map((logprob, i): ScoredToken => ({ id: part.ids[i]!, logprob, alternatives: part.alternatives[i] ?? [] })));
    const text = withMarkers(part, model);
    if (text !== '') yield* numbered.events(parser.push(text));
  }
  yield* numbered.events(parser.end());
  if (numbered.tokens.length > 0) yield { kind: 'text', choice, text: '', tokens: numbered.tokens.splice(0) };
  const stop = byText ? stopIn(model.tokenizer?.decode(tail) ?? '', job.options.stop ?? []) : undefined;
  yield { kind: 'end', choice, reason: reason === 'stop' && numbered.calls > 0 ? 'calls' : reason, ...(stop === undefined ? {} : { stop }) };
}

/** Tokens that a stop text may take. */
const STOP_TAIL = 256;

/** The stop text that ends an answer: of several the one that comes last. */
function stopIn(text: string, stops: readonly string[]): string | undefined {
  const found = stops.filter((stop) => text.includes(stop)).sort((a, b) => text.lastIndexOf(b) - text.lastIndexOf(a));
  return found[0];
}

/** Parts of an answer as events of one choice. */
class Numbered {
  readonly #choice: number;
  /** Scores of tokens whose text has not come out yet. */
  readonly tokens: ScoredToken[] = [];
  calls = 0;

  constructor(choice: number) {
    this.#choice = choice;
  }

  *events(parts: readonly AnswerPart[]): Generator<AnswerEvent> {
    const choice = this.#choice;
    for (const part of parts) {
      if (part.kind === 'text') yield { kind: 'text', choice, text: part.text, tokens: this.tokens.splice(0) };
      else {
        this.tokens.length = 0; // scores are told of the answer's own text only
        yield part.kind === 'reasoning' ? { kind: 'reasoning', choice, text: part.text } : { kind: 'call', choice, index: this.calls++, call: { id: `call_${randomBytes(12).toString('hex')}`, name: part.name, arguments: part.arguments } };
      }
    }
  }
}

/** The text of a part with the words of markers, which the tokenizer leaves out as special tokens. */
function withMarkers(part: Part, { markers, tokenizer }: ServedModel): string {
  if (markers.size === 0 || !part.ids.some((id) => markers.has(id))) return part.text;
  // Where a marker stands among several tokens, the text before it is found by its length.
  let text = '', rest = part.text;
  for (const [i, id] of part.ids.entries()) {
    const marker = markers.get(id);
    if (marker === undefined) continue;
    const before = tokenizer!.decode(part.ids.slice(0, i).filter((other) => !markers.has(other)), { skipSpecialTokens: true });
    const cut = part.text.startsWith(before) ? Math.max(0, before.length - (part.text.length - rest.length)) : 0;
    text += rest.slice(0, cut) + marker;
    rest = rest.slice(cut);
  }
  return text + rest;
}
