// The plan of a program: what it will need, known before it runs. Layer: core.

import { bytesMoved } from './bytes-moved.ts';
import type { DType } from './dtype.ts';
import type { Layout } from './passes/plan-memory.ts';
import type { OpName } from './op-attrs.ts';
import { opOf } from './op-table.ts';
import { bytesOf, sizeOf } from './shape.ts';
import type { StateRole } from './state.ts';
import type { Graph } from './tensor.ts';

/** Bytes that an executor allocates for one program. */
export interface PlanBytes {
  readonly weights: number;
  readonly gradients: number;
  readonly moments: number;
  readonly caches: number;
  readonly buffers: number;
  readonly inputs: number;
  /** The largest sum of values alive at a time. */
  readonly activations: number;
  /** What scratch memory and alignment add to that. */
  readonly workspace: number;
  /** activations + workspace: one block, shared by the programs of an executor. */
  readonly arena: number;
  /** All states together. */
  readonly states: number;
}

/** One instruction's cost. */
export interface InstructionCost {
  readonly op: OpName;
  readonly scope: string;
  readonly flops: number;
  /** What must be read and written: mostly each operand once. */
  readonly bytes: number;
  readonly dtype: DType;
}

export interface Plan {
  /** Elements of all trainable states. */
  readonly parameters: number;
  readonly bytes: PlanBytes;
  readonly flops: number;
  readonly bytesMoved: number;
  readonly instructions: readonly InstructionCost[];
}

const KIND: Readonly<Record<StateRole, 'weights' | 'gradients' | 'moments' | 'caches' | 'buffers'>> = {
  parameter: 'weights',
  gradient: 'gradients',
  moment: 'moments',
  cache: 'caches',
  buffer: 'buffers',
};

export function planOf(graph: Graph, layout: Layout): Plan {
  const bytes = { weights: 0, gradients: 0, moments: 0, caches: 0, buffers: 0 };
  for (const state of layout.states) bytes[KIND[state.role]] += bytesOf(state.meta);
  const instructions = layout.instructions.map(({ node }): InstructionCost => ({
    op: node.op,
    scope: node.scope,
    dtype: node.inputs[0]?.dtype ?? node.outs[0]!.dtype,
    flops: opOf(node.op).flops(node.attrs, node.inputs, node.outs),
    bytes: bytesMoved(node.op, node.attrs, node.inputs, node.outs),
  }));
  const sum = (pick: (cost: InstructionCost) => number): number => instructions.reduce((total, cost) => total + pick(cost), 0);
  return {
    parameters: layout.states.filter(({ trainable }) => trainable).reduce((n, { meta }) => n + sizeOf(meta.shape), 0),
    bytes: {
      ...bytes,
      inputs: Object.values(graph.inputs).reduce((n, t) => n + bytesOf(t), 0),
      activations: layout.activationBytes,
      workspace: layout.arenaBytes - layout.activationBytes,
      arena: layout.arenaBytes,
      states: Object.values(bytes).reduce((a, b) => a + b, 0),
    },
    flops: sum((cost) => cost.flops),
    bytesMoved: sum((cost) => cost.bytes),
    instructions,
  };
}
