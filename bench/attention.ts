// attention: causal, forward and backward, against PyTorch's scaled_dot_product_attention.
// B rows, T tokens of a row, H heads, KV key heads, D head size

import { NativeExecutor } from 'athanor/backends';
import { expression, GraphBuilder, type Graph, type State } from 'athanor/core';
import { SharedPeer } from './contender.ts';
import { duel, isAsked, type Bench } from './harness.ts';
import { measurePeak, peakFlops } from './machine-peak.ts';
import { operatorContender } from './operator-contender.ts';
import { pythonPeer } from './python-peers.ts';

interface Shape {
  readonly rows: number;
  readonly context: number;
  readonly heads: number;
  readonly kvHeads: number;
  readonly size: number;
}

const SHAPES: readonly Shape[] = [
  { rows: 12, context: 64, heads: 4, kvHeads: 4, size: 32 }, // char-4x128
  { rows: 8, context: 256, heads: 6, kvHeads: 6, size: 64 }, // small-6x384
  { rows: 8, context: 256, heads: 6, kvHeads: 2, size: 64 }, // small-6x384-llama
  { rows: 4, context: 256, heads: 12, kvHeads: 12, size: 64 }, // gpt2-124m
  { rows: 1, context: 2048, heads: 12, kvHeads: 12, size: 64 },
];

export const attention: Bench = {
  about: "causal attention forward and backward, grouped heads too, against PyTorch's scaled_dot_product_attention",
  async run(context) {
    const peak = await measurePeak(context.threads), executor = NativeExecutor.open({ threads: context.threads });
    const pytorch = new SharedPeer(pythonPeer('pytorch', 'pytorch_ops.py', ['--threads', String(context.threads)]));
    try {
      for (const precision of ['fp32', 'bf16'] as const) {
        for (const shape of SHAPES) {
          for (const part of ['forward', 'backward'] as const) {
            const { rows, context: length, heads, kvHeads, size } = shape;
            const name = `${precision} ${part} ${rows}x${length}x${heads}x${size}${kvHeads === heads ? '' : ` kv${kvHeads}`}`;
            if (!isAsked(context, name)) continue;
            const limit = peakFlops(peak, precision) / 1e9, starts = Int32Array.from({ length: rows * length }, (_, i) => i - (i % length));
            await duel(context, {
              bench: 'attention',
              case: name,
              unit: 'GFLOP/s',
              limit: () => limit,
              seconds: 0.2,
              ours: operatorContender(executor, {
                graph: graphOf(shape),
                gradients: true,
                compute: precision === 'bf16' ? 'bf16' : 'f32',
                inputs: { starts },
                ops: [part === 'forward' ? 'attention' : 'attentionBackward'],
                flops: (part === 'forward' ? 2 : 5) * 2 * rows * (length ** 2 / 2) * heads * size,
              }),
              peers: [pytorch.in({ op: 'attention', part, precision, ...shape })],
            });
          }
        }
      }
    } finally {
      await pytorch.close();
      await executor.close();
    }
  },
};

/** The sum of weighted outputs, whose gradient reaches q, k and v. */
function graphOf({ rows, context, heads, kvHeads, size }: Shape): Graph {
  const b = new GraphBuilder(), n = rows * context;
  const state = (id: string, h: number, trainable: boolean): State => ({
    id: `${id} ${n}x${h}x${size}`,
    meta: { shape: [n, h, size], dtype: 'f32' },
    role: trainable ? 'parameter' : 'buffer',
    init: { kind: 'zeros' },
    trainable,
  });
  const q = b.state(state('q', heads, true)), k = b.state(state('k', kvHeads, true)), v = b.state(state('v', kvHeads, true));
  const [out] = b.apply('attention', { scale: 1 / Math.sqrt(size), window: 0, softcap: 0 }, [q, k, v, b.input('starts', { shape: [n], dtype: 'i32' })]);
  const weighted = b.map(expression(2, (e, y, w) => e.call('mul', y!, w!)), [out!, b.state(state('dout', heads, false))]); // [N, H, D]
  const flat = b.reshape(weighted, [n * heads * size]);
  return b.finish({ loss: b.one('reduce', { kind: 'sum', axis: 0 }, [flat]) });
}
