// Programs written by hand for tests of executors: the smallest that show what is asked.

import type { ExecutableProgram } from '../../../src/backends/executor.ts';
import { encodeProgram, type DecodedProgram, type Operand, type ProgramInstruction } from '../../../src/core/program.ts';
import type { DType } from '../../../src/core/dtype.ts';
import type { State } from '../../../src/core/state.ts';

type Place = Partial<Operand> & Pick<Operand, 'dims'>;

/** An operand, contiguous f32 in the arena unless said otherwise. */
export function at(place: Place): Operand {
  const stride0 = place.dims.slice(1).reduce((n, dim) => n * dim, 1);
  return { space: 'arena', dtype: 'f32', index: 0, byteOffset: 0, stride0, ...place };
}

export const NOWHERE = at({ space: 'none', dims: [], stride0: 0 });

export function step(op: ProgramInstruction['op'], inputs: Operand[], outputs: Operand[], more: Partial<ProgramInstruction> = {}): ProgramInstruction {
  return { op, inputs, outputs, attrs: [], commits: false, workspaceOffset: 0, workspaceBytes: 0, ...more };
}

/** map's attributes for out = in0 + in1: registers, quintuples of (fn, dst, a, b, c), the output's register. */
const ADD = [3, 1, 1, 2, 0, 1, 0, 2];

export function add(a: Operand, b: Operand, y: Operand, commits = false): ProgramInstruction {
  return step('map', [a, b], [y], { attrs: ADD, commits });
}

export function state(id: string, shape: number[], dtype: DType = 'f32'): State {
  return { id, meta: { shape, dtype }, role: 'buffer', init: { kind: 'zeros' }, trainable: false };
}

/** Encodes a program; its states take the bytes of their shapes. */
export function program(
  draft: Partial<DecodedProgram>,
  names: { inputs?: string[]; outputs?: string[]; dims?: string[]; states?: State[] } = {},
): ExecutableProgram {
  const full: DecodedProgram = { arenaBytes: 0, dims: [], inputs: [], states: [], outputs: [], instructions: [], ...draft };
  const metas = (list: string[], operands: readonly Operand[]): ExecutableProgram['inputs'] => Object.fromEntries(list.map((name, i) => [name, { shape: [], dtype: operands[i]?.dtype ?? 'f32' }]));
  return {
    bytes: encodeProgram(full),
    inputs: metas(names.inputs ?? [], full.inputs),
    outputs: metas(names.outputs ?? [], full.outputs),
    dims: (names.dims ?? []).map((dim, i) => ({ dim, max: full.dims[i]! })),
    states: names.states ?? [],
  };
}

/** x [n ≤ 4, 3] → y = x + x; s := s + x, where s is a state [3] added row 0 of x. */
export function accumulator(): ExecutableProgram {
  const x = at({ space: 'input', dims: [-1, 3] }), y = at({ dims: [-1, 3] });
  const row = at({ space: 'input', dims: [1, 3] }), s = at({ space: 'state', dims: [1, 3] });
  return program(
    { arenaBytes: 64, dims: [4], inputs: [x], states: [{ id: 's', bytes: 12 }], outputs: [y, s], instructions: [add(x, x, y), add(s, row, s, true)] },
    { inputs: ['x'], outputs: ['y', 's'], dims: ['n'], states: [state('s', [3])] },
  );
}

/** Sets the state `begun`, fills 16 MiB again and again (about 3 ms an instruction), and sets `done`. */
export function slow(instructions: number, commitsFirst = false): ExecutableProgram {
  const block = at({ dims: [1 << 22] });
  const begun = at({ space: 'state', dims: [1] }), done = at({ space: 'state', index: 1, dims: [1] });
  const fills = Array.from({ length: instructions }, (_, i) => step('fill', [], [block], { attrs: [i] }));
  return program(
    {
      arenaBytes: 16 << 20,
      states: [{ id: 'begun', bytes: 4 }, { id: 'done', bytes: 4 }],
      outputs: [done],
      instructions: [
        step('fill', [], [begun], { attrs: [1], commits: commitsFirst }),
        ...fills,
        step('fill', [], [done], { attrs: [1], commits: true }),
      ],
    },
    { outputs: ['done'], states: [state('begun', [1]), state('done', [1])] },
  );
}

/** Resolves when a run of slow() is in progress: its state is memory that both sides see. */
export async function hasBegun(executor: { state(id: string): ArrayLike<number> }): Promise<void> {
  const begun = executor.state('begun');
  while (begun[0] !== 1)
    await new Promise((next) => {
      setImmediate(next);
    });
}
