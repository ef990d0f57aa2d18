// Several streams as one, each item as soon as it is there. Layer: serve (pure).

/** Items of all sources. When the reader stops, or one source fails, all are ended. */
export async function* merge<T>(sources: readonly AsyncIterable<T>[]): AsyncGenerator<T, void> {
  if (sources.length === 1) return yield* sources[0]!;
  const iterators = sources.map((source) => source[Symbol.asyncIterator]());
  const next = (i: number): Promise<{ i: number; result: IteratorResult<T> }> => iterators[i]!.next().then((result) => ({ i, result }));
  const waiting = new Map(iterators.map((_, i) => [i, next(i)]));
  try {
    while (waiting.size > 0) {
      const { i, result } = await Promise.race(waiting.values());
      if (result.done === true) waiting.delete(i);
      else {
        waiting.set(i, next(i));
        yield result.value;
      }
    }
  } finally {
    for (const promise of waiting.values()) promise.catch(() => undefined);
    await Promise.allSettled(iterators.map((iterator) => iterator.return?.()));
  }
}
