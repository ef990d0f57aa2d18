// linear: y = x·wᵀ + bias + addend, over tokens. The weight keeps the checkpoint's layout, [out, in], and may be in a
// block format.
import type { OpAttrs } from '../op-attrs.ts';
import { NO_ATTRS, type Builder, type Op } from '../op.ts';
import { agree, ranked, shaped } from '../check.ts';
import { blockWorkspace, roundsActivations } from '../block-workspace.ts';
import { gemmWorkspace } from '../gemm-workspace.ts';
import { isBlockFormat } from '../dtype.ts';
import { maxOf, sizeOf } from '../shape.ts';
import type { Tensor } from '../tensor.ts';

// N tokens, K inputs, M outputs
export const linear: Op<OpAttrs['linear']> = {
  kind: 'named',
  attrs: NO_ATTRS,
  infer(_a, x) {
    const input = ranked('linear', x, 0, 2), weight = ranked('linear', x, 1, 2); // [N, K], [M, K]
    agree('linear', x, "the input's and the weight's last axes", input.shape[1]!, weight.shape[1]!);
    const shape = [input.shape[0]!, weight.shape[0]!];
    shaped('linear', x, 2, [shape[1]!], 'optional');
    shaped('linear', x, 3, shape, 'optional');
    return [{ shape, dtype: input.dtype }];
  },
  decompose(b, _a, [x, w, bias, addend]) {
    let y = b.one('matmul', { transA: false, transB: true }, [x!, plain(b, w!), null]);
    if (bias) y = b.call('add', y, bias);
    return [addend ? b.call('add', y, addend) : y];
  },
  vjp(b, _a, [x, w, bias, addend], _y, [dy], wanted) {
    const like = (t: typeof x) => (t!.dtype === 'f32' ? 'f32' : undefined);
    return [
      wanted[0] ? b.one('matmul', { transA: false, transB: false }, [dy!, plain(b, w!), null], like(x!)) : null,
      // f32 whatever the compute dtype: weight gradients are summed over micro-batches.
      wanted[1] ? b.one('matmul', { transA: true, transB: false }, [dy!, x!, null], 'f32') : null,
      bias && wanted[2] ? b.sumTo(dy!, bias.shape) : null,
      addend && wanted[3] ? dy! : null,
    ];
  },
  flops: (_a, [x, w]) => 2 * sizeOf(x!.shape) * maxOf(w!.shape[0]!),
  workspace(_a, [x, w], [y], t) {
    return roundsActivations(w!.dtype) ? blockWorkspace(w!.dtype, maxOf(x!.shape[0]!), maxOf(x!.shape[1]!)) : gemmWorkspace(y!.dtype, t);
  },
  reuse: [[3, 0]],
  addend: { input: 3, to: 0 },
  compute: { inputs: [0, 1], outputs: [0] },
  castable: [0],
  blocks: [1],
  samples: [
    { name: 'plain', attrs: {}, inputs: [{ shape: [37, 24] }, { shape: [50, 24] }, null, null] },
    { name: 'bias and addend', attrs: {}, inputs: [{ shape: [13, 33] }, { shape: [21, 33] }, { shape: [21] }, { shape: [13, 21] }] },
    { name: 'one token', attrs: {}, inputs: [{ shape: [1, 65] }, { shape: [40, 65] }, { shape: [40] }, null] },
    { name: 'q8_0', attrs: {}, inputs: [{ shape: [3, 64] }, { shape: [19, 64], dtype: 'q8_0' }, { shape: [19] }, { shape: [3, 19] }] },
    { name: 'q4_0', attrs: {}, inputs: [{ shape: [1, 288] }, { shape: [40, 288], dtype: 'q4_0' }, null, null] },
    { name: 'q4_k', attrs: {}, inputs: [{ shape: [11, 256] }, { shape: [37, 256], dtype: 'q4_k' }, null, null] },
    { name: 'q5_k', attrs: {}, inputs: [{ shape: [6, 512] }, { shape: [21, 512], dtype: 'q5_k' }, { shape: [21] }, null] },
    { name: 'q6_k', attrs: {}, inputs: [{ shape: [2, 512] }, { shape: [9, 512], dtype: 'q6_k' }, null, { shape: [2, 9] }] },
    { name: 'bf16x2', attrs: {}, inputs: [{ shape: [3, 70] }, { shape: [43, 70], dtype: 'bf16x2' }, { shape: [43] }, null] },
    { name: 'bf16x2, many tokens', attrs: {}, inputs: [{ shape: [41, 34] }, { shape: [21, 34], dtype: 'bf16x2' }, null, { shape: [41, 21] }] },
    { name: 'no tokens', attrs: {}, inputs: [{ shape: [0, 8] }, { shape: [4, 8] }, null, null] },
  ],
};

/** A weight that matmul can take. */
function plain(b: Builder, w: Tensor): Tensor {
  return isBlockFormat(w.dtype) ? b.one('dequantise', {}, [w]) : w;
}
