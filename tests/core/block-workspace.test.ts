// Scratch of products with weights in a block format: what the planner gives is what the kernels take.

import { describe, expect, it } from 'vitest';
import { blockWorkspace } from '../../src/core/block-workspace.ts';
import type { BlockFormat } from '../../src/core/index.ts';

/** Bytes of a token; tests/native/quant.cc has the same table. */
const TABLE: readonly (readonly [BlockFormat, number, number])[] = [
  ['q8_0', 64, 192],
  ['q8_0', 2048, 4352],
  ['q4_0', 32, 64],
  ['q4_0', 5632, 7040],
  ['q4_k', 256, 320],
  ['q4_k', 2048, 2240],
  ['q5_k', 512, 576],
  ['q6_k', 512, 704],
  ['q6_k', 0, 0],
];

describe('blockWorkspace()', () => {
  it.each(TABLE)('%s, %i values of a token: %i bytes', (format, k, bytes) => {
    expect(blockWorkspace(format, 1, k)).toBe(bytes);
    expect(blockWorkspace(format, 37, k)).toBe(37 * bytes);
  });
});
