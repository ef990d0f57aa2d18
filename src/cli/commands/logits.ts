// athanor logits. Layer: cli.

import { ConfigError } from '../../base/errors.ts';
import { likeliest } from '../../engine/index.ts';
import { EXECUTOR_OPTIONS, type Command } from '../command.ts';
import { withExecutor } from '../executors.ts';
import { MODEL_ARGUMENT, openEngine, openModel, parseIds } from '../open-model.ts';

export const logits: Command = {
  name: 'logits',
  about: [
    'Runs a model over tokens and prints the logits of the token that comes next; with --all, of the one after each position,',
    'a line each. A folder without a tokenizer will do with --ids. Without --json the ten likeliest tokens are shown.',
  ].join('\n'),
  arguments: [MODEL_ARGUMENT],
  options: {
    ids: { kind: 'text', value: '1,2,3', about: 'the tokens' },
    text: { kind: 'text', value: 'TEXT', about: 'the tokens as text' },
    all: { kind: 'flag', about: 'every position, as {position, logits} lines' },
    ...EXECUTOR_OPTIONS,
  },
  examples: ['athanor logits runs/first --text "to be or not to" --json', 'athanor logits models/tiny --ids 1,5,9 --all --json'],
  async run(args, io) {
    const given = args.text('ids'), text = args.text('text');
    if ((given === undefined) === (text === undefined)) throw new ConfigError('Cannot compute logits: give either --ids 1,2,3 or --text TEXT.', { path: 'ids' });
    const open = await openModel(args.words[0]!, io), { tokenizer } = open;
    try {
      await withExecutor(args, io, async (executor) => {
        const engine = openEngine(open, executor, { maxSeqs: args.has('all') ? 32 : 1 });
        try {
          const ids = engine.idsOf(given === undefined ? text! : parseIds(given, 'ids'));
          for await (const [position, row] of engine.logits(ids, args.has('all') ? 0 : ids.length - 1)) {
            const top = likeliest(row, 10).map(({ id, logprob }) => `${id}${tokenizer === undefined ? '' : ` ${JSON.stringify(tokenizer.decode([id]))}`} ${Math.exp(logprob).toFixed(4)}`);
            io.result({ ...(args.has('all') ? { position } : {}), logits: [...row] }, `after position ${position}: ${top.join(', ')}`);
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
