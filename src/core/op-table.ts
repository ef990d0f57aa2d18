// The list of all operators. Order is the opcode of the program format: append, never reorder. Layer: core.
// A new operator is its file, its attributes in op-attrs.ts, one line here, and native/cpu/NAME.cc.

import type { OpName } from './op-attrs.ts';
import type { Op, Registry } from './op.ts';
import { input } from './ops/input.ts';
import { state } from './ops/state.ts';
import { fill } from './ops/fill.ts';
import { iota } from './ops/iota.ts';
import { reshape } from './ops/reshape.ts';
import { split } from './ops/split.ts';
import { map } from './ops/map.ts';
import { reduce } from './ops/reduce.ts';
import { matmul } from './ops/matmul.ts';
import { gather } from './ops/gather.ts';
import { scatter } from './ops/scatter.ts';
import { concat } from './ops/concat.ts';
import { permute } from './ops/permute.ts';
import { linear } from './ops/linear.ts';
import { rmsNorm } from './ops/rms-norm.ts';
import { rmsNormBackward } from './ops/rms-norm-backward.ts';
import { layerNorm } from './ops/layer-norm.ts';
import { layerNormBackward } from './ops/layer-norm-backward.ts';
import { rope } from './ops/rope.ts';
import { attention } from './ops/attention.ts';
import { attentionBackward } from './ops/attention-backward.ts';
import { pagedAttention } from './ops/paged-attention.ts';
import { linearCrossEntropy } from './ops/linear-cross-entropy.ts';
import { linearCrossEntropyGrad } from './ops/linear-cross-entropy-grad.ts';
import { adamw } from './ops/adamw.ts';
import { globalNorm } from './ops/global-norm.ts';
import { dequantise } from './ops/dequantise.ts';
import { quantise } from './ops/quantise.ts';
import { route } from './ops/route.ts';
import { reorder } from './ops/reorder.ts';
import { groupedLinear } from './ops/grouped-linear.ts';
import { groupedLinearGrad } from './ops/grouped-linear-grad.ts';

/** Every operator by name. */
export const REGISTRY: Registry = {
  input,
  state,
  fill,
  iota,
  reshape,
  split,
  map,
  reduce,
  matmul,
  gather,
  scatter,
  concat,
  permute,
  linear,
  rmsNorm,
  rmsNormBackward,
  layerNorm,
  layerNormBackward,
  rope,
  attention,
  attentionBackward,
  pagedAttention,
  linearCrossEntropy,
  linearCrossEntropyGrad,
  adamw,
  globalNorm,
  dequantise,
  quantise,
  route,
  reorder,
  groupedLinear,
  groupedLinearGrad,
};

/** Names in order of their opcodes. */
export const OP_NAMES = Object.keys(REGISTRY) as readonly OpName[];

/** An operator's definition, its attributes' type forgotten: for the compiler, which treats all alike. */
export function opOf(name: OpName): Op<unknown> {
  return REGISTRY[name] as Op<unknown>;
}

/** An entry of the table that the native core is built from. */
export interface OpTableEntry {
  readonly name: OpName;
  readonly opcode: number;
  /** Whether a program can hold it as an instruction. */
  readonly kernel: boolean;
}

/** Opcodes for the generated C++ header. */
export function opTable(): OpTableEntry[] {
  return OP_NAMES.map((name, opcode) => ({ name, opcode, kernel: opOf(name).kind === 'primitive' || opOf(name).kind === 'named' }));
}

/** FNV-1a (64 bits) of the table: a program and an executor must have been built from the same one. */
export function opTableHash(): bigint {
  let hash = 0xcbf29ce484222325n;
  for (const { name, opcode, kernel } of opTable()) {
    for (const byte of new TextEncoder().encode(`${opcode} ${name} ${kernel ? 1 : 0}\n`)) {
      hash = BigInt.asUintN(64, (hash ^ BigInt(byte)) * 0x100000001b3n);
    }
  }
  return hash;
}
