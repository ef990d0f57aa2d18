// First values of States. Layer: models. Each State draws from a Philox stream named by its id, so that its values depend
// on the seed and on nothing else: not on the order of States, nor on threads. Values pass through Math.log and Math.cos,
// which V8 computes in software (fdlibm), the same on every machine.

import { philox, streamOf } from '../base/random.ts';
import { sizeOf, type State } from '../core/index.ts';

const TWO_POW_32 = 0x100000000;

/**
 * The values that a State starts with.
 *
 * @param seed of the run; an integer from 0 to 2^53 − 1
 * @param out where to write them, of the State's size (an executor's own memory, for instance); a new array by default
 * @returns `out`
 */
export function initialise(state: Pick<State, 'id' | 'meta' | 'init'>, seed: number, out = new Float32Array(sizeOf(state.meta.shape))): Float32Array {
  const { init } = state;
  switch (init.kind) {
    case 'zeros':
      return out.fill(0);
    case 'ones':
      return out.fill(1);
    case 'values':
      out.set(init.values());
      return out;
    case 'normal':
      return fillNormal(out, seed, streamOf(state.id), init.std);
    case 'uniform':
      return fillUniform(out, seed, streamOf(state.id), init.bound);
    default:
      return init satisfies never;
  }
}

/**
 * Normal numbers by Box & Muller (1958), four from a block of four words: about 0.1 µs a number. 32 bits each bound them
 * by √(2·ln 2^33) = 6.8 standard deviations, enough for weights.
 */
function fillNormal(values: Float32Array, seed: number, stream: number, std: number): Float32Array {
  const words = new Uint32Array(4);
  for (let i = 0; i < values.length; i += 4) {
    philox(words, seed, stream, i / 4);
    for (let pair = 0; pair < 4; pair += 2) {
      const radius = std * Math.sqrt(-2 * Math.log((words[pair]! + 0.5) / TWO_POW_32)), angle = (2 * Math.PI * words[pair + 1]!) / TWO_POW_32;
      values[i + pair] = radius * Math.cos(angle); // a write past the end is dropped
      values[i + pair + 1] = radius * Math.sin(angle);
    }
  }
  return values;
}

/** Uniform numbers in (−bound, bound). */
function fillUniform(values: Float32Array, seed: number, stream: number, bound: number): Float32Array {
  const words = new Uint32Array(4);
  for (let i = 0; i < values.length; i++) {
    if (i % 4 === 0) philox(words, seed, stream, i / 4);
    values[i] = bound * ((2 * (words[i % 4]! + 0.5)) / TWO_POW_32 - 1);
  }
  return values;
}
