// An engine that says what a test tells it, token by token, with the tokenizer and the pace of a model.

import { StopMatcher } from '../../src/engine/stop-matcher.ts';
import { InterruptedError } from '../../src/base/errors.ts';
import type { GenerateOptions, Part } from '../../src/engine/index.ts';
import type { ServedModel, TextEngine } from '../../src/serve/index.ts';

export interface Asked {
  readonly prompt: readonly number[];
  readonly options: GenerateOptions;
}

/** What an engine says to each prompt. */
export interface Script {
  /** The answer to a prompt, as text; special tokens are written as they are. */
  readonly say: (promptText: string, asked: Asked) => string;
  /** Milliseconds between tokens. */
  readonly paceMs?: number;
  /** Fails after so many tokens. */
  readonly failAfter?: number;
  /** Everything that was asked. */
  readonly asked?: Asked[];
  /** Prompts being answered now. */
  running?: number;
}

export function encodeScript(script: Script, model: ServedModel): TextEngine {
  const tokenizer = model.tokenizer!;
  return {
    async *generate(prompt, options): AsyncGenerator<Part> {
      script.asked?.push({ prompt, options });
      script.running = (script.running ?? 0) + 1;
      try {
        const ids = [...tokenizer.encode(script.say(tokenizer.decode(prompt), { prompt, options }), { addSpecialTokens: false, allowedSpecial: 'all' })].slice(0, options.maxTokens);
        const decoder = tokenizer.decoder({ skipSpecialTokens: true }), stops = new StopMatcher(options.stop ?? []);
        const scores = (id: number) => (options.logprobs === undefined ? {} : { logprobs: [-0.5], alternatives: [[{ id, logprob: -0.5 }, { id: 9, logprob: -1.5 }].slice(0, options.logprobs)] });
        for (const [i, id] of ids.entries()) {
          if (options.signal?.aborted) throw new InterruptedError('Generation was stopped.');
          if (i === script.failAfter) throw new TypeError('the scripted engine broke');
          if (script.paceMs !== undefined) await new Promise((resolve) => setTimeout(resolve, script.paceMs));
          else await Promise.resolve();
          const { text, stopped } = stops.push(decoder.push(id)), last = i === ids.length - 1;
          const end = stopped ? 'stop' : last ? (ids.length === options.maxTokens ? 'length' : 'stop') : undefined;
          yield { text: end !== undefined && !stopped ? text + stops.flush() + decoder.flush() : text, ids: [id], logprobs: [], alternatives: [], ...scores(id), ...(end === undefined ? {} : { finishReason: end }) };
          if (end !== undefined) return;
        }
        yield { text: '', ids: [], logprobs: [], alternatives: [], finishReason: 'stop' };
      } finally {
        script.running!--;
      }
    },
    close: () => model.engine.close(),
  };
}
