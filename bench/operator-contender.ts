// Ours in benches of single operators: a program of a few instructions, of which those of some operators are timed.

import type { NativeExecutor } from 'athanor/backends';
import { compile, type Graph, type OpName } from 'athanor/core';
import { repeated, type Contender } from './contender.ts';

export interface OperatorOptions {
  readonly graph: Graph;
  /** Asks for the backward pass of the output `loss`. */
  readonly gradients?: boolean;
  readonly compute?: 'f32' | 'bf16';
  readonly inputs?: Readonly<Record<string, Int32Array | Float32Array>>;
  /** Whose instructions are timed. */
  readonly ops: readonly OpName[];
  /** Operations of one repetition, counted as the peer counts them. */
  readonly flops: number;
}

/**
 * Operands are States, filled once; the time is that of the instructions alone, as the executor's profile has it, since
 * a peer's is that of its operator alone.
 */
export function operatorContender(executor: NativeExecutor, options: OperatorOptions): Contender {
  const { graph, ops, flops, inputs = {}, compute = 'f32', gradients = false } = options;
  const program = compile(graph, { target: executor.target(), compute, ...(gradients ? { gradients: { loss: 'loss', accumulate: false } } : {}) });
  const timed = program.plan.instructions.map(({ op }) => ops.includes(op));
  let handle: ReturnType<NativeExecutor['load']> | undefined;
  const once = async (): Promise<number> => {
    let spent = 0;
    await executor.run(handle!, inputs, { profile: (seconds) =>
      timed.forEach((yes, i) => {
        if (yes) spent += seconds[i]!;
      }) });
    return flops / spent / 1e9;
  };
  return {
    name: 'athanor',
    async start() {
      handle = executor.load(program);
      for (const state of program.states) fill(executor.state(state.id));
      await once();
      return {};
    },
    async measure(seconds) {
      return { values: await repeated(seconds, once), facts: {} };
    },
    close: async () => {
      if (handle !== undefined) executor.unload(handle);
    },
  };
}

/** Ordinary numbers between −1 and 1; zeros or denormal ones could be faster or slower than real work. */
function fill(values: { length: number; [i: number]: number }): void {
  const isBits = values instanceof Uint16Array, bits = new Float32Array(1), asInt = new Uint32Array(bits.buffer);
  for (let i = 0; i < values.length; i++) {
    bits[0] = ((i * 7919) % 2003) / 1001 - 1;
    values[i] = isBits ? asInt[0]! >>> 16 : bits[0];
  }
}
