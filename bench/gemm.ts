// gemm: single products of the shapes that training and decoding have, against torch.mm, OpenBLAS and oneDNN.
// m rows of the output, n columns, k summed over. kind: how the operands lie in memory; t is transposed.

import { NativeExecutor } from 'athanor/backends';
import { GraphBuilder, type Graph, type State } from 'athanor/core';
import { absentPeer, SharedPeer, type Contender, type Facts } from './contender.ts';
import { duel, isAsked, type Bench } from './harness.ts';
import { measurePeak, peakFlops, type Peak } from './machine-peak.ts';
import { operatorContender } from './operator-contender.ts';
import { peerEnvironment, pythonPeer } from './python-peers.ts';

type Kind = 'nn' | 'nt' | 'tn';
type Precision = 'fp32' | 'bf16';

/** A layer forwards is nt (weights lie as [out, in]), its input's gradient nn, its weight's gradient tn. */
const SHAPES: readonly (readonly [kind: Kind, m: number, n: number, k: number])[] = [
  ['nt', 1024, 1024, 1024],
  ['nn', 2048, 2048, 2048],
  ['nt', 48, 128, 512],
  ['nt', 768, 128, 128],
  ['nt', 768, 384, 128],
  ['nt', 768, 512, 128],
  ['nn', 768, 128, 512], // char-4x128
  ['tn', 384, 128, 768],
  ['tn', 512, 128, 768],
  ['tn', 128, 512, 768],
  ['nt', 2048, 1536, 384],
  ['nn', 2048, 384, 1536],
  ['tn', 1536, 384, 2048], // small-6x384
  ['nt', 1024, 3072, 768],
  ['nt', 2048, 3072, 768],
  ['nn', 1024, 768, 3072],
  ['tn', 3072, 768, 1024], // gpt2-124m
  ['nt', 1024, 50257, 768], // its head
  ['nt', 1, 3072, 768],
  ['nt', 2, 3072, 768],
  ['nt', 4, 3072, 768],
  ['nt', 8, 3072, 768], // decoding, weights in a cache
  ['nt', 1, 32000, 2048],
  ['nt', 4, 32000, 2048], // and out of memory
];

/** Largest product that a peer without instructions for bf16 does within seconds. */
const BF16_FLOPS = 2e9;

export const gemm: Bench = {
  about: 'matrix products of the shapes that training and decoding have, in fp32 and bf16, against PyTorch, OpenBLAS and oneDNN',
  async run(context) {
    const peak = await measurePeak(context.threads), executor = NativeExecutor.open({ threads: context.threads }), peers = sharedPeers(context.threads);
    try {
      for (const precision of ['fp32', 'bf16'] as const) {
        for (const [kind, m, n, k] of SHAPES) {
          const name = `${precision} ${m}x${n}x${k} ${kind}`, flops = 2 * m * n * k;
          if (!isAsked(context, name)) continue;
          const limit = limitOf(peak, precision, [m, n, k], executor.target().l3Bytes);
          await duel(context, {
            bench: 'gemm',
            case: name,
            unit: 'GFLOP/s',
            limit: () => limit,
            seconds: 0.2,
            ours: operatorContender(executor, { graph: product(kind, m, n, k, precision), ops: ['matmul', 'linear'], flops }),
            peers: peersOf(peers, { op: 'gemm', kind, m, n, k, precision }, precision === 'fp32' || peak.bf16Flops > 0, flops),
          });
        }
      }
    } finally {
      await Promise.all(Object.values(peers).map((peer) => peer.close()));
      await executor.close();
    }
  },
};

type Peers = Readonly<Record<'pytorch' | 'openblas' | 'onednn', SharedPeer>>;

/** Each starts with the first case that asks for it. */
function sharedPeers(threads: number): Peers {
  const args = ['--threads', String(threads)];
  return {
    pytorch: new SharedPeer(pythonPeer('pytorch', 'pytorch_ops.py', args)),
    openblas: new SharedPeer(pythonPeer('openblas', 'openblas_gemm.py', [], peerEnvironment({ OPENBLAS_NUM_THREADS: String(threads) }))),
    onednn: new SharedPeer(pythonPeer('onednn', 'pytorch_ops.py', args)), // PyTorch has it inside
  };
}

/** OpenBLAS has no bf16; without instructions for it oneDNN has none, and PyTorch's takes minutes for large products. */
function peersOf({ pytorch, openblas, onednn }: Peers, request: Facts, supported: boolean, flops: number): Contender[] {
  const isFp32 = request['precision'] === 'fp32';
  return [
    supported || flops <= BF16_FLOPS ? pytorch.in(request) : absentPeer('pytorch', 'without instructions for bf16 a product of this size takes it too long'),
    ...(isFp32 ? [openblas.in(request)] : []),
    ...(supported ? [onednn.in({ ...request, op: 'onednn' })] : []),
  ];
}

/** The peak of multiply-adds, or that of reading the weights where no cache holds them from one product to the next. */
function limitOf(peak: Peak, precision: Precision, [m, n, k]: readonly [number, number, number], cacheBytes: number): number {
  const bytes = (precision === 'bf16' ? 2 : 4) * n * k, reading = (2 * m * n * k * peak.readBytes) / bytes;
  return Math.min(peakFlops(peak, precision), bytes > cacheBytes ? reading : Infinity) / 1e9;
}

/** out = a·b, all three States, so that nothing is copied in or out. */
function product(kind: Kind, m: number, n: number, k: number, precision: Precision): Graph {
  const b = new GraphBuilder(), dtype = precision === 'bf16' ? 'bf16' as const : 'f32' as const;
  const state = (id: string, shape: number[]): State => ({ id: `${id} ${kind} ${precision} ${shape.join('x')}`, meta: { shape, dtype }, role: 'buffer', init: { kind: 'zeros' }, trainable: false });
  const left = b.state(state('a', kind[0] === 't' ? [k, m] : [m, k])), right = b.state(state('b', kind[1] === 't' ? [n, k] : [k, n]));
  const out = kind === 'nt'
    ? b.one('linear', {}, [left, right, null, null])
    : b.one('matmul', { transA: kind[0] === 't', transB: false }, [left, right, null]);
  return b.finish({}, [[state('out', [m, n]), out]]);
}
