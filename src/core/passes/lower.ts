// lower: an operator that the target has no kernel for becomes its decomposition, until only kernels remain.

import { UnsupportedOpError } from '../../base/errors.ts';
import type { OpName } from '../op-attrs.ts';
import { opOf } from '../op-table.ts';
import { nodesOf, type Graph } from '../tensor.ts';
import { rebuild } from '../rebuild.ts';

/**
 * @param hasKernel whether the target executes an operator as one instruction
 * @throws {UnsupportedOpError} for a primitive without a kernel
 */
export function lower(graph: Graph, hasKernel: (op: OpName) => boolean): Graph {
  const lacking = (op: OpName): boolean => ['primitive', 'named'].includes(opOf(op).kind) && !hasKernel(op);
  let lowered = graph;
  while (nodesOf(lowered).some(({ op }) => lacking(op))) {
    lowered = rebuild(lowered, (b, node, inputs) => {
      if (!lacking(node.op)) return null;
      const rules = opOf(node.op);
      if (rules.kind !== 'named') {
        throw new UnsupportedOpError(`Cannot lower "${node.op}": the target has no kernel for it, and it is a primitive.`, { op: node.op, dtype: node.outs[0]!.dtype, backend: 'lower' });
      }
      return rules.decompose(b, node.attrs, inputs).map((t, i) => b.cast(t, node.outs[i]!.dtype));
    });
  }
  return lowered;
}
