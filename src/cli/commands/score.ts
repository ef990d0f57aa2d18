// athanor score. Layer: cli.

import { createInterface } from 'node:readline';
import { Readable } from 'node:stream';
import { ConfigError, InterruptedError } from '../../base/errors.ts';
import { EXECUTOR_OPTIONS, type Command } from '../command.ts';
import { withExecutor } from '../executors.ts';
import { MODEL_ARGUMENT, openEngine, openModel } from '../open-model.ts';

export const score: Command = {
  name: 'score',
  about: [
    'Reads JSON lines {"prompt": …, "completion": …} from standard input and prints for each how likely the completion is:',
    "the sum of its tokens' log-probabilities (nats), their number, and whether greedy decoding gives exactly it.",
  ].join('\n'),
  arguments: [MODEL_ARGUMENT],
  options: EXECUTOR_OPTIONS,
  examples: [`echo '{"prompt": "to be or not to", "completion": " be"}' | athanor score runs/first --json`],
  async run(args, io) {
    const open = await openModel(args.words[0]!, io);
    try {
      await withExecutor(args, io, async (executor) => {
        const engine = openEngine(open, executor, { maxSeqs: 32 });
        try {
          let number = 0;
          for await (const line of createInterface({ input: Readable.from(io.input()), crlfDelay: Infinity })) {
            number++;
            if (io.signal.aborted) throw new InterruptedError(`Stopped before line ${number}; the results so far are complete.`);
            if (line.trim() === '') continue;
            const { prompt, completion } = readPair(line, number), result = await engine.score(prompt, completion);
            io.result(result, `${result.logprob.toFixed(4)}  ${result.tokens} tokens  ${result.isGreedy ? 'greedy' : ''}`.trimEnd());
          }
        } finally {
          await engine.close();
        }
      });
    } finally {
      open.close();
    }
  },
};

function readPair(line: string, number: number): { prompt: string; completion: string } {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch (cause) {
    throw new ConfigError(`Cannot score line ${number} of standard input: it is not JSON.`, { cause });
  }
  const { prompt, completion } = (value ?? {}) as { prompt?: unknown; completion?: unknown };
  if (typeof prompt === 'string' && typeof completion === 'string') return { prompt, completion };
  throw new ConfigError(`Cannot score line ${number} of standard input: it needs "prompt" and "completion", both text.`);
}
