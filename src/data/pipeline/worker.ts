// A process that does tasks of a pipeline, one after the other, as its parent sends them. Layer: data (process).

import { AthanorError } from '../../base/errors.ts';
import { Tasks, type Task } from './tasks.ts';

/** What the parent hears. `code` and `path` are those of our own errors, which end the build; others may be tried again. */
export type WorkerReply = { readonly done: true } | { readonly failed: string; readonly code?: string; readonly path?: string };

const tasks = new Tasks();
process.on('disconnect', () => process.exit(0)); // the parent is gone
process.on('SIGINT', () => undefined); // Ctrl-C reaches the whole group: the parent decides
process.on('message', (task: Task) => {
  const answer = (reply: WorkerReply): void => void process.send!(reply);
  tasks.run(task).then(() => answer({ done: true }), (error: unknown) => {
    const { message, path } = error as Error & { path?: string };
    answer({ failed: message, ...(error instanceof AthanorError ? { code: error.code } : {}), ...(path === undefined ? {} : { path }) });
  });
});
