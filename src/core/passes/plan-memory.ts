// planMemory: where every value lies. Values live in one arena at offsets that others reuse after their last use; an
// operator may take over an operand's memory; what is written to a State is computed right in it where nobody still
// needs the old value; the operands of a concatenation are computed right in their place.

import { CapacityError } from '../../base/errors.ts';
import { IDENTITY } from '../expression.ts';
import { GraphBuilder } from '../graph-builder.ts';
import { DTYPE_BYTES } from '../dtype.ts';
import type { OpAttrs } from '../op-attrs.ts';
import { opOf } from '../op-table.ts';
import type { Target } from '../target.ts';
import { bytesOf, rowSize, sameShape, sizeOf } from '../shape.ts';
import type { State } from '../state.ts';
import { stateOf, type Graph, type Node, type Tensor } from '../tensor.ts';
import { assignOffsets, ALIGNMENT } from './assign-offsets.ts';
import { isInstruction } from './schedule.ts';

/** Memory of one lifetime: a piece of the arena, an input, or a State. */
export interface Buffer {
  readonly space: 'arena' | 'input' | 'state';
  readonly name: string;
  readonly bytes: number;
  /** Index of the first instruction that writes it, and of the last that uses it. */
  first: number;
  last: number;
  /** Offset in the arena, once assigned. */
  offset: number;
}

/** A tensor's place: bytes into a buffer, and the stride of its first axis in elements. */
export interface Place {
  readonly buffer: Buffer;
  readonly offset: number;
  readonly stride0: number;
}

export interface Instruction {
  readonly node: Node;
  readonly workspace: { readonly offset: number; readonly bytes: number };
}

export interface Layout {
  readonly instructions: readonly Instruction[];
  readonly places: ReadonlyMap<Tensor, Place>;
  readonly states: readonly State[];
  readonly arenaBytes: number;
  /** The arena's high-water mark of values alone, and with scratch memory. */
  readonly activationBytes: number;
}

export function planMemory(graph: Graph, order: readonly Node[], target: Target): Layout {
  return new Planner(graph, order, target).plan();
}

class Planner {
  readonly #graph: Graph;
  readonly #target: Target;
  readonly #nodes: Node[];
  readonly #places = new Map<Tensor, Place>();
  readonly #states = new Map<string, { state: State; buffer: Buffer }>();
  readonly #arena: Buffer[] = [];
  readonly #lastUse = new Map<Tensor, number>();
  readonly #writtenTo = new Map<Tensor, State>();
  readonly #joined = new Map<Tensor, { concat: Tensor; start: number }>();
  readonly #elided = new Set<Node>();
  readonly #copies: Node[] = [];

  constructor(graph: Graph, order: readonly Node[], target: Target) {
    this.#graph = graph;
    this.#nodes = [...order];
    this.#target = target;
    for (const [state, t] of graph.writes) for (const source of memoryChain(t)) this.#writtenTo.set(source, state);
  }

  plan(): Layout {
    this.#findLastUses();
    this.#findConcatenations();
    this.#nodes.forEach((node, at) => this.#place(node, at));
    this.#finishWrites();
    const instructions = [...this.#nodes, ...this.#copies].filter((node) => isInstruction(node) && !this.#elided.has(node));
    const position = new Map(this.#nodes.map((node, at) => [node, at]));
    const scratch = instructions.map((node) => this.#scratch(node, position.get(node) ?? this.#nodes.length));
    const arenaBytes = assignOffsets([...this.#arena, ...scratch]);
    const activationBytes = highWater(this.#arena, this.#nodes.length + 1);
    return {
      instructions: instructions.map((node, i) => ({ node, workspace: { offset: scratch[i]!.offset, bytes: scratch[i]!.bytes } })),
      places: this.#places,
      states: [...this.#states.values()].map(({ state }) => state),
      arenaBytes,
      activationBytes,
    };
  }

  /** The position of the last instruction that reads each tensor, directly or through views and joined parts. */
  #findLastUses(): void {
    const use = (t: Tensor, at: number): void => {
      this.#lastUse.set(t, Math.max(this.#lastUse.get(t) ?? -1, at));
      if (opOf(t.node.op).kind === 'view') { for (const source of t.node.inputs) use(source!, at); }
    };
    this.#nodes.forEach((node, at) => {
      if (opOf(node.op).kind !== 'view') { for (const t of node.inputs) if (t !== null) use(t, at); }
    });
    for (const t of Object.values(this.#graph.outputs)) use(t, Infinity);
    for (const [, t] of this.#graph.writes) use(t, Infinity);
  }

  /** Operands of a concatenation along axis 1 that can be computed in place: then it is no instruction. */
  #findConcatenations(): void {
    const uses = new Map<Tensor, number>();
    for (const node of this.#nodes) for (const t of node.inputs) if (t !== null) uses.set(t, (uses.get(t) ?? 0) + 1);
    for (const node of this.#nodes) {
      if (node.op !== 'concat' || (node.attrs as OpAttrs['concat']).axis !== 1) continue;
      const roots = node.inputs.map((t) => rootOfReshapes(t!));
      const fits = roots.every((t, i) =>
        isInstruction(t.node) && t.dtype === node.outs[0]!.dtype && uses.get(node.inputs[i]!) === 1
        && opOf(t.node.op).inPlace === undefined && !this.#joined.has(t) && !this.#writtenTo.has(t) && this.#onlyRows(t, node, uses)
      );
      if (!fits || new Set(roots).size !== roots.length) continue;
      let start = 0;
      roots.forEach((t, i) => {
        this.#joined.set(t, { concat: node.outs[0]!, start });
        start += rowSize(node.inputs[i]!.shape);
      });
    }
  }

  /** Whether a tensor reaches `concat` by reshapes that keep its rows, and nobody else uses it. */
  #onlyRows(root: Tensor, concat: Node, uses: ReadonlyMap<Tensor, number>): boolean {
    let t: Tensor = concat.inputs.find((input) => rootOfReshapes(input!) === root)!;
    for (; t !== root; t = t.node.inputs[0]!) {
      if (uses.get(t) !== 1 || !sameShape(t.shape.slice(0, 1), t.node.inputs[0]!.shape.slice(0, 1))) return false;
    }
    return uses.get(root) === 1;
  }

  #place(node: Node, at: number): void {
    const rules = opOf(node.op);
    if (node.op === 'input') return this.#placeInput(node as Node<'input'>);
    if (node.op === 'state') return this.#placeState((node.attrs as OpAttrs['state']).state, node.outs[0]!);
    if (rules.kind === 'view') {
      const from = this.#places.get(node.inputs[0]!)!;
      node.outs.forEach((t, i) => {
        const window = rules.view(node.attrs, { meta: node.inputs[0]!, stride0: from.stride0 }, t, i)!;
        this.#places.set(t, { buffer: from.buffer, offset: from.offset + window.offset * DTYPE_BYTES[t.dtype], stride0: window.stride0 });
      });
      return;
    }
    const joined = node.op === 'concat' && node.inputs.every((t) => this.#joined.get(rootOfReshapes(t!))?.concat === node.outs[0]);
    if (joined) { // its operands are there already; the instruction goes
      this.#elided.add(node);
      return;
    }
    node.outs.forEach((t, i) => this.#placeOutput(node, t, i, at));
  }

  #placeInput(node: Node<'input'>): void {
    const t = node.outs[0]!;
    const buffer: Buffer = { space: 'input', name: node.attrs.name, bytes: bytesOf(t), first: -1, last: Infinity, offset: 0 };
    this.#places.set(t, { buffer, offset: 0, stride0: rowSize(t.shape) });
  }

  #bufferOf(state: State): Buffer {
    let known = this.#states.get(state.id);
    if (known === undefined) {
      const buffer: Buffer = { space: 'state', name: state.id, bytes: bytesOf(state.meta), first: -1, last: Infinity, offset: 0 };
      this.#states.set(state.id, known = { state, buffer });
    }
    return known.buffer;
  }

  #placeState(state: State, t: Tensor): void {
    this.#places.set(t, { buffer: this.#bufferOf(state), offset: 0, stride0: rowSize(t.shape) });
  }

  #placeOutput(node: Node, t: Tensor, index: number, at: number): void {
    const { inPlace = [], reuse = [] } = opOf(node.op);
    const contract = inPlace.find(([, output]) => output === index);
    if (contract !== undefined) {
      const source = node.inputs[contract[0]]!, place = this.#places.get(source)!;
      this.#demandExclusive(node, source, place, at);
      place.buffer.last = Math.max(place.buffer.last, this.#lastUse.get(t) ?? at);
      this.#places.set(t, place);
      return;
    }
    const destination = this.#writtenTo.get(t);
    if (destination !== undefined && this.#mayOverwrite(node, destination, index, at)) {
      this.#places.set(t, { buffer: this.#bufferOf(destination), offset: 0, stride0: rowSize(t.shape) });
      return;
    }
    const part = this.#joined.get(t);
    if (part !== undefined) return this.#placePart(t, part, at);
    for (const [input, output] of reuse) {
      const source = node.inputs[input];
      if (output === index && source && this.#mayReuse(node, source, t, at)) {
        const place = this.#places.get(source)!;
        place.buffer.last = Math.max(place.buffer.last, this.#lastUse.get(t) ?? at);
        this.#places.set(t, place);
        return;
      }
    }
    const buffer: Buffer = { space: 'arena', name: '', bytes: bytesOf(t), first: at, last: this.#lastUse.get(t) ?? at, offset: 0 };
    this.#arena.push(buffer);
    this.#places.set(t, { buffer, offset: 0, stride0: rowSize(t.shape) });
  }

  #placePart(t: Tensor, { concat, start }: { concat: Tensor; start: number }, at: number): void {
    const whole = this.#places.get(concat) ?? this.#placeWhole(concat, at);
    this.#places.set(t, { buffer: whole.buffer, offset: whole.offset + start * DTYPE_BYTES[t.dtype], stride0: whole.stride0 });
  }

  /** The place of a concatenation whose first part is computed now; it may be a part of another one. */
  #placeWhole(concat: Tensor, at: number): Place {
    const outer = this.#joined.get(concat);
    if (outer !== undefined) {
      this.#placePart(concat, outer, at);
    } else {
      const buffer: Buffer = { space: 'arena', name: '', bytes: bytesOf(concat), first: at, last: this.#lastUse.get(concat) ?? at, offset: 0 };
      this.#arena.push(buffer);
      this.#places.set(concat, { buffer, offset: 0, stride0: rowSize(concat.shape) });
    }
    return this.#places.get(concat)!;
  }

  /** Tensors of a buffer that are read at or after a position by anyone but `except`. */
  #usedAfter(buffer: Buffer, at: number): boolean {
    for (const [t, place] of this.#places) if (place.buffer === buffer && (this.#lastUse.get(t) ?? -1) > at) return true;
    return false;
  }

  #demandExclusive(node: Node, source: Tensor, place: Place, at: number): void {
    const late = this.#usedAfter(place.buffer, at);
    const { space, name } = place.buffer;
    const unsaid = space === 'state' && !this.#graph.writes.some(([state]) => state.id === name);
    if (!late && space !== 'input' && !unsaid) return;
    const why = unsaid ?
      `the graph does not say that it writes "${name}"`
      : space === 'input'
      ? 'it is an input of the run'
      : 'its old value is still needed afterwards';
    throw new CapacityError(`Cannot run "${node.op}" (${node.scope}) in place on ${source.node.op} "${source.node.scope}": ${why}. Copy it first.`, { need: bytesOf(source), have: 0 });
  }

  /** Whether the old value of a State is dead here (this node may read it only where it may take its memory). */
  #mayOverwrite(node: Node, state: State, index: number, at: number): boolean {
    const t = node.outs[index]!, known = this.#states.get(state.id);
    if (sizeOf(t.shape) !== sizeOf(state.meta.shape) || t.dtype !== state.meta.dtype || this.#joined.has(t)) return false;
    if (this.#nodes.slice(at).some((other) => other.op === 'state' && (other.attrs as OpAttrs['state']).state.id === state.id)) return false;
    if (known === undefined) return true;
    if (this.#usedAfter(known.buffer, at)) return false;
    const reuse = opOf(node.op).reuse ?? [];
    return node.inputs.every((input, i) => {
      if (input === null || this.#places.get(input)!.buffer !== known.buffer) return true;
      return reuse.some(([from, to]) => from === i && to === index) && this.#isWhole(input, t);
    });
  }

  /** Whether an operand is a whole contiguous buffer of the output's size and type. */
  #isWhole(source: Tensor, t: Tensor): boolean {
    const place = this.#places.get(source)!;
    return place.offset === 0 && place.stride0 === rowSize(source.shape) && place.buffer.bytes === bytesOf(t)
      && source.dtype === t.dtype && sameShape(source.shape, t.shape);
  }

  #mayReuse(node: Node, source: Tensor, t: Tensor, at: number): boolean {
    const { buffer } = this.#places.get(source)!;
    const twice = node.inputs.filter((other) => other !== null && this.#places.get(other)!.buffer === buffer).length > 1;
    const taken = node.outs.some((other) => other !== t && this.#places.get(other)?.buffer === buffer);
    return buffer.space === 'arena' && this.#isWhole(source, t) && !twice && !taken && !this.#usedAfter(buffer, at);
  }

  /** What could not be computed right in its State is copied there at the end. */
  #finishWrites(): void {
    for (const [state, t] of this.#graph.writes) {
      const buffer = this.#bufferOf(state);
      if (this.#places.get(t)!.buffer === buffer) continue;
      const source = this.#places.get(t)!.buffer;
      const isOldValue = stateOf(rootOfReshapes(t).node) !== undefined; // a new value may be copied from where it was computed
      if (isOldValue && this.#graph.writes.some(([other]) => other.id === source.name)) {
        throw new CapacityError(`Cannot copy state "${source.name}" into "${state.id}": both are written by this graph.`, { need: bytesOf(t), have: 0 });
      }
      const copy = new GraphBuilder().map(IDENTITY, [t], state.meta.dtype);
      this.#copies.push(copy.node);
      this.#places.set(copy, { buffer, offset: 0, stride0: rowSize(t.shape) });
    }
  }

  #scratch(node: Node, at: number): Buffer {
    const bytes = opOf(node.op).workspace?.(node.attrs, node.inputs, node.outs, this.#target) ?? 0;
    return { space: 'arena', name: 'scratch', bytes: Math.ceil(bytes / ALIGNMENT) * ALIGNMENT, first: at, last: at, offset: 0 };
  }
}

/** A tensor and those before it that it is the memory of: through reshapes and operators that work in place. */
function memoryChain(t: Tensor): Tensor[] {
  const chain = [t];
  for (;;) {
    const { node, index } = chain.at(-1)!;
    const input = node.op === 'reshape' ? 0 : opOf(node.op).inPlace?.find(([, output]) => output === index)?.[0];
    if (input === undefined) return chain;
    chain.push(node.inputs[input]!);
  }
}

/** The tensor under a chain of reshapes. */
function rootOfReshapes(t: Tensor): Tensor {
  let root = t;
  while (root.node.op === 'reshape') root = root.node.inputs[0]!;
  return root;
}

/** The largest sum of bytes that are alive at one time. */
function highWater(buffers: readonly Buffer[], end: number): number {
  const change = new Float64Array(end + 2);
  for (const { bytes, first, last } of buffers) {
    change[first]! += bytes;
    change[Math.min(last, end) + 1]! -= bytes;
  }
  let now = 0, peak = 0;
  for (const delta of change) peak = Math.max(peak, now += delta);
  return peak;
}
