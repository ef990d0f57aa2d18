// quantise: f32 as the bytes of a block format, in ggml's order (core/block-encode.ts, bit for bit). Values that a format
// cannot hold (not finite, or so large that a scale passes f16) are the caller's to refuse: a kernel gives some bytes.
import { encodeUnchecked } from '../block-encode.ts';
import { refuse, ranked } from '../check.ts';
import { BLOCKS } from '../dtype.ts';
import { ndarray } from '../ndarray.ts';
import { QUANTISED, type OpAttrs } from '../op-attrs.ts';
import { attrs, type Op } from '../op.ts';

export const quantise: Op<OpAttrs['quantise']> = {
  kind: 'primitive',
  attrs: attrs<OpAttrs['quantise']>({ format: QUANTISED }),
  infer(a, x) {
    const [rows, k] = ranked('quantise', x, 0, 2).shape, { values, bytes } = BLOCKS[a.format]; // [M, K]
    if (x[0]!.dtype !== 'f32') refuse('quantise', x, 'the values must be f32');
    if ((k as number) % values !== 0) refuse('quantise', x, `rows of ${String(k)} values are not whole blocks of ${values}`);
    return [{ shape: [rows!, ((k as number) / values) * bytes], dtype: 'u8' }];
  },
  vjp: null,
  flops: () => 0,
  bytesOut: [0],
  reference: (a, [x], [y]) => [ndarray(y!.shape as number[], Float64Array.from(encodeUnchecked(a.format, Float32Array.from(x!.data))))],
  samples: QUANTISED.flatMap((format) => [1, 5].map((rows) => ({ name: `${format}, ${rows} rows`, attrs: { format }, inputs: [{ shape: [rows, 3 * BLOCKS[format].values] }] }))),
};
