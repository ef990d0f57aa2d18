// gemm: single products of the shapes that training has, against torch.mm.
// m rows of the output, n columns, k summed over. kind: how the operands lie in memory; t is transposed.

import { NativeExecutor } from 'athanor/backends';
import { GraphBuilder, type Graph, type State } from 'athanor/core';
import { SharedPeer } from './contender.ts';
import { duel, isAsked, type Bench } from './harness.ts';
import { measurePeak, peakFlops } from './machine-peak.ts';
import { operatorContender } from './operator-contender.ts';
import { pythonPeer } from './python-peers.ts';

type Kind = 'nn' | 'nt' | 'tn';
type Precision = 'fp32' | 'bf16';

/** A layer forwards is nt (weights lie as [out, in]), its input's gradient nn, its weight's gradient tn. */
const SHAPES: readonly (readonly [kind: Kind, m: number, n: number, k: number])[] = [
  ['nn', 2048, 2048, 2048],
  ['nt', 768, 512, 128], ['tn', 512, 128, 768], // char-4x128
  ['nt', 2048, 1536, 384], ['nn', 2048, 384, 1536], ['tn', 1536, 384, 2048], // small-6x384
  ['nt', 1024, 3072, 768], ['nn', 1024, 768, 3072], ['tn', 3072, 768, 1024], // gpt2-124m
  ['nt', 1024, 50257, 768], // its head
  ['nt', 1, 3072, 768], ['nt', 8, 3072, 768], // decoding
];

/** Largest product that a peer without instructions for bf16 does within seconds. */
const BF16_FLOPS = 6e9;

export const gemm: Bench = {
  about: 'matrix products of the shapes that training and decoding have, in fp32 and bf16, against PyTorch',
  async run(context) {
    const peak = await measurePeak(context.threads), executor = NativeExecutor.open({ threads: context.threads });
    const pytorch = new SharedPeer(pythonPeer('pytorch', 'pytorch_ops.py', ['--threads', String(context.threads)]));
    try {
      for (const precision of ['fp32', 'bf16'] as const) {
        for (const [kind, m, n, k] of SHAPES) {
          const name = `${precision} ${m}x${n}x${k} ${kind}`, flops = 2 * m * n * k;
          if (!isAsked(context, name) || (precision === 'bf16' && flops > BF16_FLOPS)) continue;
          const limit = peakFlops(peak, precision) / 1e9;
          await duel(context, {
            bench: 'gemm', case: name, unit: 'GFLOP/s', limit: () => limit, seconds: 0.2,
            ours: operatorContender(executor, { graph: product(kind, m, n, k, precision), ops: ['matmul', 'linear'], flops }),
            peers: [pytorch.in({ op: 'gemm', kind, m, n, k, precision })],
          });
        }
      }
    } finally {
      await pytorch.close();
      await executor.close();
    }
  },
};

/** out = a·b, all three States, so that nothing is copied in or out. */
function product(kind: Kind, m: number, n: number, k: number, precision: Precision): Graph {
  const b = new GraphBuilder(), dtype = precision === 'bf16' ? 'bf16' as const : 'f32' as const;
  const state = (id: string, shape: number[]): State =>
    ({ id: `${id} ${kind} ${precision} ${shape.join('x')}`, meta: { shape, dtype }, role: 'buffer', init: { kind: 'zeros' }, trainable: false });
  const left = b.state(state('a', kind[0] === 't' ? [k, m] : [m, k])), right = b.state(state('b', kind[1] === 't' ? [n, k] : [k, n]));
  const out = kind === 'nt'
    ? b.one('linear', {}, [left, right, null, null])
    : b.one('matmul', { transA: kind[0] === 't', transB: false }, [left, right, null]);
  return b.finish({}, [[state('out', [m, n]), out]]);
}
