// linearCrossEntropyGrad: linearCrossEntropy and its gradient in one pass over chunks of rows, while a chunk's logits are
// in cache: dlogits = dlogprob·(onehot − softmax), times 1 − (logit/cap)² where logits are capped, dh = dlogits·w, dw = dlogitsᵀ·h + addend.
// It `covers` the forward operator: where both are asked for, the forward pass is not done twice.
import type { OpAttrs } from '../op-attrs.ts';
import type { Op } from '../op.ts';
import { shaped, typed } from '../check.ts';
import { expression } from '../expression.ts';
import { crossEntropyWorkspace } from '../gemm-workspace.ts';
import { maxOf, sizeOf } from '../shape.ts';
import { cappedLogits, CROSS_ENTROPY_ATTRS, crossEntropyRow } from './linear-cross-entropy.ts';

// N tokens, C channels, V vocabulary
export const linearCrossEntropyGrad: Op<OpAttrs['linearCrossEntropyGrad']> = {
  kind: 'named',
  attrs: CROSS_ENTROPY_ATTRS,
  infer(_a, x) {
    const row = crossEntropyRow('linearCrossEntropyGrad', x), [h, w] = x;
    shaped('linearCrossEntropyGrad', x, 3, row.shape);
    typed('linearCrossEntropyGrad', x, 'f32', 3, 4);
    shaped('linearCrossEntropyGrad', x, 4, w!.shape, 'optional');
    return [row, row, { shape: h!.shape, dtype: h!.dtype }, { shape: w!.shape, dtype: 'f32' }];
  },
  decompose(b, a, [h, w, targets, dlogprob, addend]) {
    const n = h!.shape[0]!, v = maxOf(w!.shape[0]!);
    const [logprob, lse] = b.apply('linearCrossEntropy', a, [h!, w!, targets!]);
    const logits = cappedLogits(b, a, h!, w!);
    const ids = b.one('iota', { length: v, dtype: 'f32' }, []), column = (t: typeof h) => b.reshape(t!, [n, 1]);
    const dlogits = b.map(expression(5, (e, z, l, id, t, d) => {
      const softmax = e.call('exp', e.call('sub', z!, l!)), hit = e.call('eq', id!, t!);
      const plain = e.call('mul', d!, e.call('sub', hit, softmax));
      const gradient = a.softcap > 0 ? e.call('mul', plain, e.call('sub', e.constant(1), e.call('square', e.call('mul', z!, e.constant(1 / a.softcap))))) : plain;
      return e.call('select', e.call('lt', t!, e.constant(0)), e.constant(0), gradient);
    }), [logits, column(lse!), ids, column(targets!), column(dlogprob!)]);
    const dw = b.one('matmul', { transA: true, transB: false }, [dlogits, h!, null], 'f32');
    return [
      logprob!,
      lse!,
      b.one('matmul', { transA: false, transB: false }, [dlogits, w!, null], h!.dtype === 'f32' ? 'f32' : undefined),
      addend ? b.call('add', dw, addend) : dw,
    ];
  },
  vjp: null,
  flops: (_a, [h, w]) => 6 * sizeOf(h!.shape) * maxOf(w!.shape[0]!),
  workspace: (_a, [h, w], [, , dh], t) => crossEntropyWorkspace({ n: maxOf(h!.shape[0]!), v: maxOf(w!.shape[0]!), dh: dh!.dtype }, t),
  reuse: [[4, 3]],
  addend: { input: 4, to: 3 },
  castable: [2],
  covers: { op: 'linearCrossEntropy', inputs: [0, 1, 2], outs: [0, 1] },
  samples: [
    { name: '9x12x50', attrs: { softcap: 0 }, inputs: [{ shape: [9, 12] }, { shape: [50, 12] }, { shape: [9], dtype: 'i32', fill: (i) => (i * 11) % 50 - (i === 4 ? 100 : 0) }, { shape: [9] }, { shape: [50, 12] }] },
    { name: 'many rows', attrs: { softcap: 0 }, inputs: [{ shape: [200, 16] }, { shape: [33, 16] }, { shape: [200], dtype: 'i32', fill: (i) => (i * 7) % 33 }, { shape: [200] }, null] },
    { name: 'capped', attrs: { softcap: 2 }, inputs: [{ shape: [21, 12] }, { shape: [300, 12] }, { shape: [21], dtype: 'i32', fill: (i) => (i * 29) % 300 - (i === 5 ? 300 : 0) }, { shape: [21] }, null] },
  ],
};
