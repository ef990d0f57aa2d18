// input: a value that a run is given.
import type { OpAttrs } from '../op-attrs.ts';
import { NO_ATTRS, type Op } from '../op.ts';

export const input: Op<OpAttrs['input']> = {
  kind: 'source',
  attrs: NO_ATTRS as never, // never encoded: inputs are a table of the program
  infer: (a) => [a.meta],
  vjp: () => [],
  flops: () => 0,
  samples: [],
};
