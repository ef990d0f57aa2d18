// The golden models: checkpoints that transformers made, and what it computed with them (tests/golden/models/make.py).

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

export interface Golden {
  readonly prompt: number[];
  readonly hidden: number[];
  readonly logits: number[];
  readonly greedy: number[];
  /** Logits that the last token was chosen by. */
  readonly last: number[];
}

export const goldenFolder = (name: string): string => new URL(`golden/models/${name}`, import.meta.url).pathname;

export const GOLDEN_MODELS = readdirSync(goldenFolder(''), { withFileTypes: true }).filter((entry) => entry.isDirectory()).map(({ name }) => name);

export const readGolden = (name: string): Golden => JSON.parse(readFileSync(join(goldenFolder(name), 'golden.json'), 'utf8')) as Golden;

/** ‖a − b‖ / ‖b‖. */
export function distance(actual: ArrayLike<number>, expected: ArrayLike<number>): number {
  if (actual.length !== expected.length) return Infinity;
  let difference = 0, size = 0;
  for (let i = 0; i < expected.length; i++) {
    difference += (actual[i]! - expected[i]!) ** 2;
    size += expected[i]! ** 2;
  }
  return Math.sqrt(difference / size);
}
