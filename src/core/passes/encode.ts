// encode: from a graph with its memory laid out to the bytes of a program.

import { opOf } from '../op-table.ts';
import { encodeProgram, type DecodedProgram, type Operand } from '../program.ts';
import { bytesOf, type Bound, type Dim } from '../shape.ts';
import type { Graph, Tensor } from '../tensor.ts';
import type { Layout, Place } from './plan-memory.ts';

const ABSENT: Operand = { space: 'none', dtype: 'f32', index: 0, byteOffset: 0, stride0: 0, dims: [] };

/** @returns the bytes and the bounded axes in the order of their numbers */
export function encode(graph: Graph, layout: Layout): { bytes: Uint8Array; dims: Bound[] } {
  const dims: Bound[] = [];
  const names = Object.keys(graph.inputs), stateNumbers = new Map(layout.states.map(({ id }, i) => [id, i]));
  const dimOf = (dim: Dim): number => {
    if (typeof dim === 'number') return dim;
    let at = dims.findIndex((known) => known.dim === dim.dim);
    if (at < 0) at = dims.push(dim) - 1;
    return -1 - at;
  };
  const indexOf = ({ space, name }: Place['buffer']): number => space === 'input' ? names.indexOf(name) : space === 'state' ? stateNumbers.get(name)! : 0;
  const operand = (t: Tensor | null): Operand => {
    if (t === null) return ABSENT;
    const { buffer, offset, stride0 } = layout.places.get(t)!;
    return {
      space: buffer.space,
      dtype: t.dtype,
      index: indexOf(buffer),
      byteOffset: buffer.offset + offset,
      stride0,
      dims: t.shape.map(dimOf),
    };
  };
  const inputs = names.map((name, index): Operand => {
    const t = graph.inputs[name]!, rest = t.shape.slice(1).reduce<number>((n, dim) => n * (dim as number), 1);
    return { space: 'input', dtype: t.dtype, index, byteOffset: 0, stride0: rest, dims: t.shape.map(dimOf) };
  });
  const roles = new Map(layout.states.map(({ id, role }) => [id, role]));
  const durable = (t: Tensor): boolean => {
    const { space, name } = layout.places.get(t)!.buffer;
    return space === 'state' && roles.get(name) !== 'gradient';
  };
  const program: DecodedProgram = {
    arenaBytes: layout.arenaBytes,
    inputs,
    states: layout.states.map((state) => ({ id: state.id, bytes: bytesOf(state.meta) })),
    outputs: Object.values(graph.outputs).map(operand),
    instructions: layout.instructions.map(({ node, workspace }) => ({
      op: node.op,
      commits: node.outs.some(durable),
      attrs: opOf(node.op).attrs.encode(node.attrs),
      workspaceOffset: workspace.offset,
      workspaceBytes: workspace.bytes,
      inputs: node.inputs.map(operand),
      outputs: node.outs.map(operand),
    })),
    get dims() {
      return dims.map(({ max }) => max);
    }, // known once all operands were seen
  };
  return { bytes: encodeProgram(program), dims };
}
