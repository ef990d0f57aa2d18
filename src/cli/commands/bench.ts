// athanor bench. Layer: cli. Benches belong to a checkout, not to the installed package: they are compiled from bench/
// and run in a process of their own, which also runs the peers.

import { spawn, type StdioOptions } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { BackendError, ConfigError, InterruptedError, StorageError } from '../../base/errors.ts';
import type { Command, Io } from '../command.ts';
import { PACKAGE_FOLDER } from '../version.ts';

export const bench: Command = {
  name: 'bench',
  about: [
    'Measures one thing against its physical limit and against the peers that are installed, in one run. With --json each line is',
    "{bench, case, value, unit, limit, peer, peerValue, ratio}; ratio is ours over the peer's, above 1 where we are better, and",
    'null for a peer that is not installed. `--case WORDS` and `--threads N` go to the bench after `--`.',
  ].join('\n'),
  arguments: [{ name: 'NAME', about: 'limits, gemm, attention, train, decode, tokenizer, data, extract' }, { name: 'WORD', about: 'further words for the bench, after --', optional: true, repeatable: true }],
  options: {},
  examples: ['athanor bench limits', 'athanor bench train --json -- --case char-4x128'],
  async run(args, io) {
    const [name, ...rest] = args.words as [string, ...string[]], folder = join(PACKAGE_FOLDER, 'bench'), entry = join(PACKAGE_FOLDER, 'build', 'bench', 'main.js');
    if (!existsSync(folder)) throw new StorageError('Cannot run a bench: the installed package has none. Clone the repository and run `npm run bench -- NAME` there.', { path: folder });
    await run([join(PACKAGE_FOLDER, 'node_modules', 'typescript', 'bin', 'tsc'), '-p', join(folder, 'tsconfig.json')], io, ['ignore', 2, 2]); // incremental: a moment when nothing changed
    await run([entry, name, ...(io.json ? ['--json'] : []), ...rest], io, 'inherit');
  },
};

/** Runs a script of Node.js. @throws {InterruptedError | BackendError | ConfigError} if it did not end well */
async function run(words: readonly string[], io: Io, stdio: StdioOptions): Promise<void> {
  const child = spawn(process.execPath, words, { stdio }), stop = (): void => void child.kill('SIGINT');
  io.signal.addEventListener('abort', stop, { once: true });
  const code = await new Promise<number>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (status, signal) => resolve(signal === null ? status ?? 1 : 130));
  }).finally(() => io.signal.removeEventListener('abort', stop));
  if (code === 130 || io.signal.aborted) throw new InterruptedError('The bench was stopped.');
  if (code === 2) throw new ConfigError('The bench was not run: see the message above.');
  if (code !== 0) throw new BackendError(`The bench failed with exit code ${code}.`, { help: 'Its messages are above.' });
}
