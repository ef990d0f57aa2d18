// state: the value that a State had before the run.
import type { OpAttrs } from '../op-attrs.ts';
import { NO_ATTRS, type Op } from '../op.ts';
import { refuse } from '../check.ts';
import { BLOCKS, isBlockFormat } from '../dtype.ts';
import { maxOf } from '../shape.ts';

export const state: Op<OpAttrs['state']> = {
  kind: 'source',
  attrs: NO_ATTRS as never, // never encoded: states are a table of the program
  infer({ state: { id, meta } }) {
    const row = meta.shape.at(-1) ?? 1;
    if (isBlockFormat(meta.dtype) && (meta.shape.length !== 2 || maxOf(row) % BLOCKS[meta.dtype].values !== 0)) {
      refuse('state', [meta], `"${id}" cannot be in ${meta.dtype}: it needs two axes, the last a multiple of ${BLOCKS[meta.dtype].values}`);
    }
    return [meta];
  },
  vjp: () => [],
  flops: () => 0,
  samples: [],
};
