// state: the value that a State had before the run.
import type { OpAttrs } from '../op-attrs.ts';
import { NO_ATTRS, type Op } from '../op.ts';

export const state: Op<OpAttrs['state']> = {
  kind: 'source',
  attrs: NO_ATTRS as never, // never encoded: states are a table of the program
  infer: (a) => [a.state.meta],
  vjp: () => [],
  flops: () => 0,
  samples: [],
};
