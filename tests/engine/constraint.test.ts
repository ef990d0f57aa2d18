import { afterAll, describe, expect, it } from 'vitest';
import type { Constraint } from '../../src/engine/index.ts';
import { closeExecutors, idsFrom, tinyEngine } from './tiny-model.ts';

afterAll(closeExecutors);
const prompt = idsFrom(1, 7);

/** The answer is `length` tokens of `allowed`, then it must end; shorter ones of an even length may. */
class Few implements Constraint {
  #n = 0;
  readonly #allowed: readonly number[];
  readonly #length: number;

  constructor(allowed: readonly number[], length: number, n = 0) {
    this.#allowed = allowed;
    this.#length = length;
    this.#n = n;
  }

  fillMask(mask: Uint32Array): void {
    mask.fill(0);
    for (const id of this.#allowed) mask[id >> 5]! |= 1 << (id & 31);
  }

  accept(id: number): boolean {
    if (!this.#allowed.includes(id)) return false;
    this.#n++;
    return true;
  }

  get canEnd(): boolean {
    return this.#n % 2 === 0;
  }

  get mustEnd(): boolean {
    return this.#n >= this.#length;
  }

  fork(): Constraint {
    return new Few(this.#allowed, this.#length, this.#n);
  }
}

describe('Engine with a constraint', () => {
  it('takes only what is allowed, and stops when the constraint must end', async () => {
    for (const temperature of [0, 1.5]) {
      const { ids, finishReason } = await tinyEngine().complete(prompt, { temperature, maxTokens: 20, constraint: new Few([3, 40, 41], 7) });
      expect([ids.length, finishReason, ids.every((id) => [3, 40, 41].includes(id))]).toEqual([7, 'stop', true]);
    }
  });

  it('says length where it was cut short', async () => {
    expect(await tinyEngine().complete(prompt, { maxTokens: 5, constraint: new Few([3, 40], 7) })).toMatchObject({ finishReason: 'length' });
  });

  it('lets a stop token end it only where it may end', async () => {
    const logitBias = { 9: 100 }; // the stop token wants to come at once
    const options = { logitBias, stopIds: [9], maxTokens: 20 };
    expect(await tinyEngine().complete(prompt, { ...options, constraint: new Few([3, 40], 7) })).toMatchObject({ ids: [], finishReason: 'stop' });
    const odd = new Few([3, 40], 7);
    odd.accept(3);
    const { ids, finishReason } = await tinyEngine().complete(prompt, { ...options, constraint: odd });
    expect([ids.length, finishReason]).toEqual([1, 'stop']);
  });

  it('needs no token where nothing may come', async () => {
    expect(await tinyEngine().complete(prompt, { constraint: new Few([3], 0) })).toMatchObject({ ids: [], finishReason: 'stop' });
  });

  it('is checked at every guess', async () => {
    const again = [...prompt, ...prompt, ...prompt], options = { temperature: 0.7, maxTokens: 14 };
    const plain = await tinyEngine({ speculation: 'off' }).complete(again, { ...options, constraint: new Few([3, 40], 12) });
    expect(await tinyEngine({ speculation: 'always' }).complete(again, { ...options, constraint: new Few([3, 40], 12) })).toEqual(plain);
  });

  it('fails alone where it cannot be met or breaks', async () => {
    const engine = tinyEngine(), broken = new Few([3], 9);
    broken.fillMask = () => {
      throw new TypeError('broken');
    };
    const refusing = new Few([3], 9);
    refusing.accept = () => false;
    const other = engine.complete(prompt, { temperature: 0, maxTokens: 12 });
    await expect(engine.complete(prompt, { constraint: broken })).rejects.toThrow('broken');
    await expect(engine.complete(prompt, { constraint: refusing })).rejects.toThrow(/refuses the token 3/);
    const dead = new Few([], 9);
    dead.accept = () => true;
    Object.defineProperty(dead, 'canEnd', { value: false });
    await expect(engine.complete(prompt, { constraint: dead })).rejects.toThrow(/allows no token here/);
    expect((await other).ids).toHaveLength(12);
    expect(engine.stats()).toMatchObject({ running: 0, waiting: 0, usedBlocks: 0 });
  });
});
