// An executor for a command: the native core, or the reference interpreter where that cannot be. Layer: cli.

import type { Executor } from '../backends/executor.ts';
import { NativeExecutor, mapFile } from '../backends/native/index.ts';
import { ProfiledExecutor } from '../backends/profiled-executor.ts';
import { BackendError, ConfigError } from '../base/errors.ts';
import { BlockEncoder, type EncodeBlocks } from '../models/block-encoder.ts';
import type { Arguments } from './arguments.ts';
import type { Io } from './command.ts';
import { didYouMean } from './nearest.ts';

const BACKENDS = ['native', 'reference'];

/**
 * Opens what `--backend` and `--threads` ask for. Without `--backend` and without a native core the reference
 * interpreter does the work, and says so.
 *
 * @throws {BackendError} if the native core was asked for and cannot be used
 */
export async function openExecutor(args: Arguments, io: Io): Promise<Executor> {
  const name = args.text('backend'), threads = args.number('threads');
  if (name !== undefined && !BACKENDS.includes(name)) throw new ConfigError(`Unknown backend "${name}"${didYouMean(name, BACKENDS)} Choose native or reference.`, { path: 'backend' });
  if (name !== 'reference') {
    try {
      return NativeExecutor.open({ threads });
    } catch (error) {
      if (!(error instanceof BackendError) || name === 'native') throw error;
      io.note(`${error.message} The reference backend does the work: exact, but hundreds of times slower. ${error.help}`);
    }
  }
  const { ReferenceExecutor } = await import('../backends/reference/index.ts');
  return new ReferenceExecutor();
}

/** Runs work with an executor and closes it, whatever happens. */
export async function withExecutor<T>(args: Arguments, io: Io, work: (executor: Executor) => Promise<T>): Promise<T> {
  const executor = await openExecutor(args, io);
  try {
    return await work(executor);
  } finally {
    await executor.close();
  }
}

/** Runs work with an encoder of block formats on the native core, or with none where that cannot be: then they are made here. */
export async function withEncoder<T>(work: (encode: EncodeBlocks | undefined) => Promise<T>): Promise<T> {
  let executor: NativeExecutor;
  try {
    executor = NativeExecutor.open();
  } catch (error) {
    if (error instanceof BackendError) return work(undefined);
    throw error;
  }
  const encoder = new BlockEncoder(executor);
  try {
    return await work((format, values) => encoder.encode(format, values));
  } finally {
    await executor.close();
  }
}

/** Maps files where the executor is native, so that large data is not copied. */
export function fileMapper(executor: Executor): { mapFile?: (path: string) => ArrayBuffer } {
  const own = executor instanceof ProfiledExecutor ? executor.inner : executor;
  return own instanceof NativeExecutor ? { mapFile: (path) => mapFile(path).buffer as ArrayBuffer } : {};
}
