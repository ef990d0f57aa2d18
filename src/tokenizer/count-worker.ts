// The thread that counts words for train-parallel.ts. Layer: tokenizer (threads; not for browsers).
// Takes batches of UTF-8, gives the memory of each back to be used again, and at the end its counts.

import { parentPort, workerData } from 'node:worker_threads';
import type { SplitPattern } from './split-pattern.ts';
import { WordCounter } from './word-counts.ts';

/** Texts one after another in `memory`, each ending at one of `ends`; or, without a batch, the request for the counts. */
export interface CountRequest {
  readonly batch?: { readonly memory: ArrayBuffer; readonly ends: readonly number[] };
}

if (parentPort !== null) {
  const port = parentPort;
  const counter = new WordCounter((workerData as { pattern: SplitPattern }).pattern);
  port.on('message', ({ batch }: CountRequest) => {
    if (batch === undefined) {
      const counts = counter.take();
      port.postMessage({ counts }, [counts.bytes.buffer, counts.ends.buffer, counts.counts.buffer]);
      port.close();
      return;
    }
    const bytes = new Uint8Array(batch.memory), view = new DataView(batch.memory);
    let start = 0;
    for (const end of batch.ends) {
      counter.addBytes(bytes, view, start, end);
      start = end;
    }
    port.postMessage({ memory: batch.memory }, [batch.memory]);
  });
}
