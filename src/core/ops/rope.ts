// rope: rotary position embedding (Su et al. 2021, arXiv 2104.09864, eq. 15): each pair of channels turns by an angle
// that grows with the position. The tables come with the model, so that every scaling of frequencies is data.
import type { OpAttrs } from '../op-attrs.ts';
import { attrs, type Op } from '../op.ts';
import { ranked, refuse, shaped, typed } from '../check.ts';
import { bytesOf, maxOf, rowSize, sizeOf } from '../shape.ts';

// N tokens, H heads, D head size, R ≤ D turned channels, T positions of the tables
export const rope: Op<OpAttrs['rope']> = {
  kind: 'named',
  attrs: attrs<OpAttrs['rope']>({ inverse: 'boolean', interleaved: 'boolean' }),
  infer(_a, x) {
    const input = ranked('rope', x, 0, 3), cos = ranked('rope', x, 2, 2); // [N, H, D], [T, R/2]
    shaped('rope', x, 1, [input.shape[0]!]);
    shaped('rope', x, 3, cos.shape);
    typed('rope', x, 'f32', 2, 3);
    if (x[1]?.dtype !== 'i32') refuse('rope', x, 'the positions must be i32');
    if (2 * maxOf(cos.shape[1]!) > maxOf(input.shape[2]!)) refuse('rope', x, 'the tables turn more channels than there are');
    return [input];
  },
  decompose(b, a, [x, positions, cosTable, sinTable]) {
    const [n, h, d] = x!.shape.map(maxOf) as [number, number, number], half = maxOf(cosTable!.shape[1]!), r = 2 * half;
    const rows = b.reshape(x!, [n * h, d]);
    const [turning, rest] = r === d ? [rows, null] : b.apply('split', { axis: 1, sizes: [r, d - r] }, [rows]);
    const table = (t: typeof x) => b.reshape(b.one('gather', {}, [t!, positions!]), [n, 1, half]);
    const cos = table(cosTable!), sin = a.inverse ? b.call('neg', table(sinTable!)) : table(sinTable!);
    const width = a.interleaved ? 1 : half;
    const turned = a.interleaved ? b.reshape(turning!, [n * h * half, 2]) : turning!;
    const [first, second] = b.apply('split', { axis: 1, sizes: [width, width] }, [turned]);
    const x1 = b.reshape(first!, [n, h, half]), x2 = b.reshape(second!, [n, h, half]);
    const y1 = b.call('sub', b.call('mul', x1, cos), b.call('mul', x2, sin));
    const y2 = b.call('add', b.call('mul', x2, cos), b.call('mul', x1, sin));
    const pair = (t: typeof x1) => b.reshape(t, a.interleaved ? [n * h * half, width] : [n * h, half]);
    const joined = b.reshape(b.one('concat', { axis: 1 }, [pair(y1), pair(y2)]), [n * h, r]);
    return [b.reshape(rest ? b.one('concat', { axis: 1 }, [joined, rest]) : joined, [n, h, d])];
  },
  vjp: (b, a, [, positions, cos, sin], _y, [dy]) => [
    b.one('rope', { ...a, inverse: !a.inverse }, [dy!, positions!, cos!, sin!]),
    null,
    null,
    null,
  ],
  flops: (_a, [x]) => 3 * sizeOf(x!.shape),
  bytes: (_a, [x, positions, cos], [y]) => bytesOf(x!) + bytesOf(positions!) + 8 * maxOf(x!.shape[0]!) * rowSize(cos!.shape) + bytesOf(y!), // a row of both tables a token
  reuse: [[0, 0]],
  castable: [0],
  samples: [
    { name: 'halves', attrs: { inverse: false, interleaved: false }, inputs: sample(5, 3, 8, 4) },
    { name: 'pairs, inverse', attrs: { inverse: true, interleaved: true }, inputs: sample(5, 3, 8, 4) },
    { name: 'a part of the channels', attrs: { inverse: false, interleaved: false }, inputs: sample(6, 2, 10, 3) },
  ],
};

function sample(n: number, h: number, d: number, half: number) {
  const position = (i: number): number => (i * 3) % 16;
  return [{ shape: [n, h, d] }, { shape: [n], dtype: 'i32' as const, fill: position }, { shape: [16, half] }, { shape: [16, half] }];
}
