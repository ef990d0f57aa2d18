// Loads damaged copies of real programs and runs those that are accepted, under guard pages: a kernel that leaves its
// memory ends this process by a signal. Run by damaged.test.ts with: seed, number of copies.

import { NativeExecutor } from '../../../dist/backends/native/index.js';
import { Random } from '../../../dist/base/random.js';
import { compile } from '../../../dist/core/compile.js';
import { cachedGraph, createModel, FAMILIES, lossGraph } from '../../../dist/models/index.js';

const [seed, copies] = process.argv.slice(2).map(Number);
const random = new Random(seed, 'tests.damaged');
const executors = ['gpt2', 'llama'].map(() => NativeExecutor.open({ threads: 2 })), target = executors[0].target(); // states of one name differ
const programs = ['gpt2', 'llama'].flatMap((name, k) => {
  const model = createModel(FAMILIES[name], FAMILIES[name].tiny);
  return [
    compile(lossGraph(model, 37), { target, gradients: { loss: 'loss', accumulate: true } }),
    compile(cachedGraph(model, { maxTokens: 6, maxSeqs: 3, maxLength: 12, slots: 40 }), { target }),
  ].map((program) => ({ program, executor: executors[k] }));
});

/** Row numbers that are mostly right, sometimes far off. */
const integer = () => (random.int(12) === 0 ? [-1, 1 << 30, -(1 << 30), 63, 64][random.int(5)] : random.int(12));

function inputsOf(program) {
  return Object.fromEntries(Object.entries(program.inputs).map(([name, { shape, dtype }]) => {
    const size = shape.reduce((n, dim) => n * (typeof dim === 'number' ? dim : dim.max), 1);
    return [name, dtype === 'i32' ? Int32Array.from({ length: size }, integer) : Float32Array.from({ length: size }, () => random.normal())];
  }));
}

let accepted = 0, refused = 0;
for (let i = 0; i < copies; i++) {
  const { program, executor } = programs[i % programs.length], bytes = program.bytes.slice();
  // Past the tables of inputs and states, whose sizes would be asked of the system; numbers of 8 bytes stand on 8 bytes.
  for (let n = random.int(3); n >= 0; n--) {
    const at = Math.floor(bytes.length * (0.1 + 0.9 * random.uniform())), low = at - (at % 8);
    bytes[random.int(2) === 0 ? at : low] = [0, 1, 2, 3, 4, 0x80, 0xff, random.int(256)][random.int(8)];
  }
  let handle;
  try {
    handle = executor.load({ ...program, bytes });
    accepted++;
  } catch (error) {
    if (!error.message.startsWith('Cannot load the program: ') && !error.message.startsWith('Cannot decode the program: ')) throw error;
    refused++;
    continue;
  }
  await executor.run(handle, inputsOf(program), { dims: Object.fromEntries(program.dims.map(({ dim, max }) => [dim, random.int(4) === 0 ? random.int(max + 1) : max])) });
  executor.unload(handle);
}
await Promise.all(executors.map((executor) => executor.close()));
console.log(JSON.stringify({ accepted, refused }));
