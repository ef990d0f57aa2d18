// Worker processes for the tasks of a pipeline. Layer: data (processes).
// Processes rather than threads: one that is killed for its memory takes its task with it and nothing else. A task whose
// process died is tried once more in a new one, then given up with the reason; an error that a user can mend ends the build.

import { fork, type ChildProcess } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { AthanorError, ConfigError, FormatError, InterruptedError, StorageError } from '../../base/errors.ts';
import { throwIfAborted } from '../work.ts';
import { Tasks, type Task } from './tasks.ts';
import type { WorkerReply } from './worker.ts';

/** A task that was given up. */
export type Failure = { readonly index: number; readonly reason: string };

export type PoolOptions = {
  readonly processes: number;
  readonly signal?: AbortSignal | undefined;
  /** Called after each task. */
  readonly onDone?: (done: number) => void;
};

const ATTEMPTS = 2;

/** The worker's file beside this one; undefined where it is TypeScript that this Node cannot load. */
function workerEntry(): string | undefined {
  const isSource = import.meta.url.endsWith('.ts'), loadsSource = Boolean((process.features as { typescript?: unknown }).typescript);
  if (isSource && !loadsSource) return undefined;
  return fileURLToPath(new URL(isSource ? './worker.ts' : './worker.js', import.meta.url));
}

/**
 * Does all tasks, in any order. With one process, or where workers cannot be started, in this one.
 *
 * @returns tasks that could not be done, in their order
 * @throws {ConfigError}, {StorageError}, {FormatError} that a task met, {InterruptedError} when the signal is aborted
 */
export async function runTasks(tasks: readonly Task[], options: PoolOptions): Promise<Failure[]> {
  const entry = workerEntry(), processes = Math.min(options.processes, tasks.length);
  const failures = processes <= 1 || entry === undefined ? await runHere(tasks, options) : await new Pool(tasks, entry, options).run(processes);
  return failures.sort((a, b) => a.index - b.index);
}

async function runHere(tasks: readonly Task[], { signal, onDone }: PoolOptions): Promise<Failure[]> {
  const worker = new Tasks(), failures: Failure[] = [];
  for (const [index, task] of tasks.entries()) {
    try {
      await worker.run(task, signal);
    } catch (error) {
      if (error instanceof AthanorError) throw error;
      failures.push({ index, reason: (error as Error).message });
    }
    onDone?.(index + 1);
    await new Promise((resolve) => setImmediate(resolve));
  }
  return failures;
}

class Pool {
  readonly #tasks: readonly Task[];
  readonly #entry: string;
  readonly #options: PoolOptions;
  readonly #children = new Set<ChildProcess>();
  readonly #failures: Failure[] = [];
  /** Tasks to be tried again come first. */
  readonly #again: { index: number; attempt: number }[] = [];
  #next = 0;
  #done = 0;
  #ended = false;

  constructor(tasks: readonly Task[], entry: string, options: PoolOptions) {
    this.#tasks = tasks;
    this.#entry = entry;
    this.#options = options;
  }

  async run(processes: number): Promise<Failure[]> {
    const { signal } = this.#options, stop = (): void => this.#end();
    throwIfAborted(signal, 'read');
    signal?.addEventListener('abort', stop);
    try {
      await Promise.all(Array.from({ length: processes }, () => this.#lane()));
      throwIfAborted(signal, 'read');
      return this.#failures;
    } finally {
      signal?.removeEventListener('abort', stop);
      this.#end();
    }
  }

  /** Parts are written whole or not at all, so that a worker may be ended at any moment. */
  #end(): void {
    this.#ended = true;
    for (const child of this.#children) child.kill('SIGKILL');
    this.#children.clear();
  }

  async #lane(): Promise<void> {
    let child: ChildProcess | undefined;
    for (let task = this.#take(); task !== undefined; task = this.#take()) {
      child ??= this.#start();
      const reply = await this.#ask(child, this.#tasks[task.index]!);
      if (this.#ended) return;
      if ('done' in reply) {
        this.#options.onDone?.(++this.#done);
        continue;
      }
      if (reply.code !== undefined) throw errorOf(reply);
      if (child.exitCode !== null || child.signalCode !== null || !child.connected) {
        this.#children.delete(child);
        child = undefined;
      }
      if (task.attempt + 1 < ATTEMPTS) this.#again.push({ index: task.index, attempt: task.attempt + 1 });
      else {
        this.#failures.push({ index: task.index, reason: reply.failed });
        this.#options.onDone?.(++this.#done);
      }
    }
    if (child !== undefined) {
      this.#children.delete(child);
      child.disconnect();
    }
  }

  #take(): { index: number; attempt: number } | undefined {
    return this.#again.shift() ?? (this.#next < this.#tasks.length ? { index: this.#next++, attempt: 0 } : undefined);
  }

  #start(): ChildProcess {
    const child = fork(this.#entry, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'], execArgv: [] });
    this.#children.add(child);
    return child;
  }

  #ask(child: ChildProcess, task: Task): Promise<WorkerReply> {
    return new Promise((resolve) => {
      const finish = (reply: WorkerReply): void => {
        child.off('message', finish as (reply: unknown) => void);
        child.off('exit', onExit);
        child.off('error', onError);
        resolve(reply);
      };
      const onExit = (code: number | null, signal: string | null): void => finish({ failed: `the worker process ended (${signal ?? `exit code ${code}`})` });
      const onError = (error: Error): void => finish({ failed: error.message });
      child.on('message', finish as (reply: unknown) => void);
      child.on('exit', onExit);
      child.on('error', onError);
      child.send(task, (error) => {
        if (error !== null) onError(error);
      });
    });
  }
}

function errorOf({ failed, code, path }: { failed: string; code?: string; path?: string }): Error {
  const fields = path === undefined ? {} : { path };
  switch (code) {
    case 'config':
      return new ConfigError(failed, fields);
    case 'interrupted':
      return new InterruptedError(failed);
    case 'format':
      return new FormatError(failed, { path: path ?? '' });
    default:
      return new StorageError(failed, { path: path ?? '' });
  }
}
