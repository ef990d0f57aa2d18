import { describe, expect, it } from 'vitest';
import { CapacityError, ConfigError, InterruptedError } from '../../src/base/errors.ts';
import { ModelPool, type ModelSource } from '../../src/engine/index.ts';

/** Sources that write down what happens to them. */
function sources(): { log: string[]; of: (name: string, bytes: number) => ModelSource<string> } {
  const log: string[] = [];
  return {
    log,
    of: (name, bytes) => ({
      bytes,
      async open() {
        log.push(`open ${name}`);
        await Promise.resolve();
        return name;
      },
      async close() {
        log.push(`close ${name}`);
      },
    }),
  };
}

function pool(budget: number, sizes: Record<string, number>): { models: ModelPool<string>; log: string[]; of: (name: string, bytes: number) => ModelSource<string> } {
  const models = new ModelPool<string>(budget), { log, of } = sources();
  for (const [name, bytes] of Object.entries(sizes)) models.register(name, of(name, bytes));
  return { models, log, of };
}

const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe('ModelPool', () => {
  it('opens a model once for requests of one moment, and keeps it', async () => {
    const { models, log } = pool(10, { a: 4 }), leases = await Promise.all([models.acquire('a'), models.acquire('a'), models.acquire('a')]);
    expect(models.list()).toEqual([{ name: 'a', bytes: 4, state: 'loaded', users: 3 }]);
    for (const lease of leases) lease.release();
    leases[0]!.release(); // once more does nothing
    expect(models.list()[0]!.users).toBe(0);
    (await models.acquire('a')).release();
    expect(log).toEqual(['open a']);
  });

  it('closes what was not used for longest when there is no room', async () => {
    const { models, log } = pool(10, { a: 4, b: 4, c: 5 });
    for (const name of ['a', 'b', 'a', 'c']) (await models.acquire(name)).release();
    expect(log).toEqual(['open a', 'open b', 'close b', 'open c']);
    expect(models.usedBytes).toBe(9);
  });

  it('never closes what is in use', async () => {
    const { models, log } = pool(10, { a: 6, b: 6 }), lease = await models.acquire('a');
    await expect(models.acquire('b')).rejects.toBeInstanceOf(CapacityError);
    lease.release();
    expect((await models.acquire('b')).model).toBe('b');
    expect(log).toEqual(['open a', 'close a', 'open b']);
  });

  it('reloads without taking a model from its users', async () => {
    const { models, log, of } = pool(10, { a: 4 }), old = await models.acquire('a');
    models.register('a', of('a2', 5));
    const fresh = await models.acquire('a');
    expect([old.model, fresh.model, models.usedBytes]).toEqual(['a', 'a2', 9]);
    old.release();
    await settle();
    expect(log).toEqual(['open a', 'open a2', 'close a']);
    const reloading = models.reload('a');
    fresh.release();
    await reloading;
    expect((await models.acquire('a')).model).toBe('a2');
    expect(log.slice(3)).toEqual(['open a2', 'close a2']);
  });

  it('keeps a model that cannot be opened anew', async () => {
    const models = new ModelPool<string>(10);
    let tries = 0;
    models.register('a', {
      bytes: 4,
      async open() {
        if (++tries === 2) throw new ConfigError('broken');
        return `version ${tries}`;
      },
      async close() {},
    });
    (await models.acquire('a')).release();
    await expect(models.reload('a')).rejects.toThrow('broken');
    expect([models.peek('a'), models.usedBytes]).toEqual(['version 1', 4]);
    await models.reload('a');
    expect([models.peek('a'), models.usedBytes]).toEqual(['version 3', 4]);
  });

  it('tries again after a model failed to open', async () => {
    const models = new ModelPool<string>(10);
    let tries = 0;
    models.register('a', {
      bytes: 4,
      async open() {
        if (++tries === 1) throw new ConfigError('broken');
        return 'a';
      },
      async close() {},
    });
    await expect(Promise.all([models.acquire('a'), models.acquire('a')])).rejects.toThrow('broken');
    await settle();
    expect([models.usedBytes, models.list()[0]!.users]).toEqual([0, 0]);
    expect((await models.acquire('a')).model).toBe('a');
  });

  it('knows only registered names, and refuses what can never fit', async () => {
    const { models, of } = pool(10, { a: 4 });
    await expect(models.acquire('../a')).rejects.toThrow(/"..\/a": it is not served. Known: "a"/);
    expect(() => models.register('big', of('big', 11))).toThrow(CapacityError);
    expect([models.unregister('a'), models.unregister('a'), models.list()]).toEqual([true, false, []]);
  });

  it('unloads a model when its last user is done', async () => {
    const { models, log } = pool(10, { a: 4 }), lease = await models.acquire('a');
    expect([models.unload('a'), models.unload('a')]).toEqual([true, false]);
    await settle();
    expect(log).toEqual(['open a']);
    lease.release();
    await settle();
    expect(log).toEqual(['open a', 'close a']);
  });

  it('closes all at the end, those being opened too', async () => {
    const { models, log } = pool(10, { a: 4, b: 4 });
    (await models.acquire('a')).release();
    const late = expect(models.acquire('b')).rejects.toBeInstanceOf(InterruptedError);
    await models.close();
    await late;
    expect(log.toSorted()).toEqual(['close a', 'close b', 'open a', 'open b']);
    await expect(models.acquire('a')).rejects.toBeInstanceOf(InterruptedError);
  });
});
