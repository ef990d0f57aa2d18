// The passes together: whatever they do to a graph, an encoded program gives the values of the graph it was made from.
// The reference executor runs the bytes in float64, so agreement is to rounding, whatever was fused, reused or placed.
import { describe, expect, it } from 'vitest';
import { Random } from '../../src/base/random.ts';
import { ReferenceExecutor } from '../../src/backends/reference/index.ts';
import { compile, differentiate, evaluateGraph, expression, GraphBuilder, ndarray, nodesOf, REFERENCE_TARGET, sizeOf, stateOf, type CompileOptions, type Graph, type NDArray, type State, type Tensor } from '../../src/core/index.ts';

// N tokens, C channels, V vocabulary, H heads
const N = 23, C = 16, V = 29, H = 4;

function parameter(id: string, shape: number[]): State {
  return { id, meta: { shape, dtype: 'f32' }, role: 'parameter', init: { kind: 'normal', std: 0.3 }, trainable: true };
}

/** Two blocks with everything that a step of training has: fused q/k/v, residuals, both norms, a gate, tied embeddings. */
function transformer(): Graph {
  const b = new GraphBuilder();
  const table = b.state(parameter('embedding', [V, C]));
  const [tokens, targets, starts] = ['tokens', 'targets', 'starts'].map((name) => b.input(name, { shape: [N], dtype: 'i32' })) as [Tensor, Tensor, Tensor];
  const weights = b.input('weights', { shape: [N], dtype: 'f32' });
  let x = b.one('gather', {}, [table, tokens]);
  for (const layer of [0, 1]) x = b.within(`blocks.${layer}`, () => block(b, x, starts, layer));
  const [logprob] = b.apply('linearCrossEntropy', {}, [x, table, targets]);
  return b.finish({ loss: b.sumTo(b.call('neg', b.call('mul', logprob!, weights)), [1]), logprob: logprob! });
}

function block(b: GraphBuilder, x: Tensor, starts: Tensor, layer: number): Tensor {
  const weight = (name: string, ...shape: number[]) => b.state(parameter(`${layer}.${name}`, shape));
  const linear = (input: Tensor, w: Tensor, bias: Tensor | null = null) => b.one('linear', {}, [input, w, bias, null]);
  const normed = b.one('rmsNorm', { eps: 1e-5 }, [x, weight('norm1', C)]);
  const qkv = b.apply('split', { axis: 1, sizes: [C, C, C] }, [linear(normed, weight('qkv', 3 * C, C), weight('qkv.bias', 3 * C))]);
  const [q, k, v] = qkv.map((t) => b.reshape(t, [N, H, C / H])) as [Tensor, Tensor, Tensor];
  const mixed = b.one('attention', { scale: 0.5, window: 0, softcap: 0 }, [q, k, v, starts]);
  const middle = b.call('add', x, linear(b.reshape(mixed, [N, C]), weight('out', C, C)));
  const again = b.one('layerNorm', { eps: 1e-5 }, [middle, weight('norm2', C), weight('norm2.bias', C)]);
  const silu = expression(2, (e, g, u) => e.call('mul', e.call('mul', g!, e.call('sigmoid', g!)), u!));
  const hidden = b.map(silu, [linear(again, weight('gate', 2 * C, C)), linear(again, weight('up', 2 * C, C))]);
  return b.call('add', middle, linear(hidden, weight('down', C, 2 * C)));
}

/** Values for all inputs and states of the graph. */
function valuesFor(graph: Graph): { inputs: Record<string, NDArray>; states: Record<string, NDArray> } {
  const random = new Random(5, 'compile.test');
  const states: Record<string, NDArray> = {};
  for (const node of nodesOf(graph)) {
    const state = stateOf(node);
    if (state) states[state.id] = ndarray(state.meta.shape as number[], Array.from({ length: sizeOf(state.meta.shape) }, () => Math.fround(0.3 * random.normal())));
  }
  const row = (of: (i: number) => number) => ndarray([N], Array.from({ length: N }, (_, i) => of(i)));
  const ids = () => row(() => random.int(V));
  return { states, inputs: { tokens: ids(), targets: ids(), starts: row((i) => (i < 9 ? 0 : 9)), weights: row((i) => Math.fround(1 / (i + 2))) } };
}

async function run(graph: Graph, options: Partial<CompileOptions>) {
  const program = compile(graph, { target: REFERENCE_TARGET, ...options });
  const wanted = options.gradients ? differentiate(graph, options.gradients) : graph;
  const { inputs, states } = valuesFor(wanted);
  const executor = new ReferenceExecutor();
  const handle = executor.load(program);
  for (const { id } of program.states) if (states[id]) (executor.state(id) as Float32Array).set(states[id].data);
  const integers = new Set(['tokens', 'targets', 'starts']);
  const outputs = await executor.run(handle, Object.fromEntries(Object.entries(inputs).filter(([name]) => name in graph.inputs).map(([name, { data }]) => [name, integers.has(name) ? Int32Array.from(data) : Float32Array.from(data)])));
  const expected = evaluateGraph(wanted, inputs, states);
  return { program, executor, outputs, expected };
}

/** ‖a − b‖ / ‖b‖ */
function distance(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let difference = 0, size = 0;
  for (let i = 0; i < b.length; i++) {
    difference += (a[i]! - b[i]!) ** 2;
    size += b[i]! ** 2;
  }
  return a.length === b.length ? Math.sqrt(difference / (size || 1)) : Infinity;
}

const GRADIENTS = { loss: 'loss', accumulate: false };
const cases: [string, Partial<CompileOptions>][] = [
  ['forward', {}],
  ['forward and backward', { gradients: GRADIENTS }],
  ['accumulating', { gradients: { ...GRADIENTS, accumulate: true } }],
  ['bf16 compute', { compute: 'bf16', gradients: GRADIENTS }],
  ['bf16 compute, accumulating', { compute: 'bf16', gradients: { ...GRADIENTS, accumulate: true } }],
  ['named operators decomposed', { hasKernel: (op) => !['attention', 'attentionBackward', 'rmsNorm', 'rmsNormBackward', 'linear', 'linearCrossEntropy', 'linearCrossEntropyGrad'].includes(op), gradients: GRADIENTS }],
  ['everything decomposed, bf16, accumulating', {
    compute: 'bf16',
    gradients: { ...GRADIENTS, accumulate: true },
    hasKernel: (op) => ['map', 'reduce', 'matmul', 'gather', 'scatter', 'concat', 'permute', 'fill', 'iota'].includes(op),
  }],
];

describe('compile()', () => {
  it.each(cases)('keeps every value: %s', async (_name, options) => {
    const { executor, outputs, expected } = await run(transformer(), options);
    for (const [name, { data }] of Object.entries(expected.outputs)) expect(distance(outputs[name] as Float32Array, data), name).toBeLessThan(1e-6);
    for (const [id, { data }] of Object.entries(expected.writes)) expect(distance(executor.state(id) as Float32Array, data), id).toBeLessThan(1e-6);
  });

  it('does the forward pass of the loss once when its gradient is asked for too', async () => {
    const { program } = await run(transformer(), { gradients: GRADIENTS });
    const ops = program.plan.instructions.map(({ op }) => op);
    expect(ops.filter((op) => op === 'linearCrossEntropyGrad')).toHaveLength(1);
    expect(ops).not.toContain('linearCrossEntropy');
  });

  it('moves residual sums and sums of gradients into the operators before them', async () => {
    const { program } = await run(transformer(), { gradients: GRADIENTS });
    const maps = program.plan.instructions.filter(({ op }) => op === 'map');
    // Left over: the gate and its gradient in each block, the loss, and the weights of the loss's gradient.
    expect(maps.length).toBeLessThanOrEqual(2 * 2 + 2);
    expect(program.plan.instructions.map(({ op }) => op)).not.toContain('concat');
  });

  it('computes less memory under a budget, and the same bits', async () => {
    const free = await run(transformer(), { gradients: GRADIENTS });
    const budget = free.program.plan.bytes.arena - 2048;
    const tight = await run(transformer(), { gradients: GRADIENTS, arenaBudget: budget });
    expect(tight.program.plan.bytes.arena).toBeLessThanOrEqual(budget);
    expect(tight.program.plan.flops).toBeGreaterThan(free.program.plan.flops);
    for (const { id } of free.program.states) expect(tight.executor.state(id)).toEqual(free.executor.state(id));
  });

  it('names what is needed when a budget cannot be met', () => {
    const impossible = () => compile(transformer(), { target: REFERENCE_TARGET, gradients: GRADIENTS, arenaBudget: 1000 });
    expect(impossible).toThrow(/Cannot fit the step into 1000 bytes/);
  });

  it('writes gradients right into their states, with no copies at the end', async () => {
    const { program } = await run(transformer(), { gradients: GRADIENTS });
    expect(program.plan.instructions.at(-1)!.op).not.toBe('map');
  });

  it('refuses to work in place on a value that is needed afterwards', () => {
    const b = new GraphBuilder(), cache: State = { ...parameter('cache', [4, 2]), role: 'cache', trainable: false };
    const old = b.state(cache), ids = b.input('ids', { shape: [1], dtype: 'i32' }), row = b.input('row', { shape: [1, 2], dtype: 'f32' });
    const next = b.one('scatter', { mode: 'set' }, [old, ids, row]);
    const graph = b.finish({ before: old }, [[cache, next]]);
    expect(() => compile(graph, { target: REFERENCE_TARGET })).toThrow(/old value is still needed/);
  });

  it.each([false, true])('gives each operator that works in place a memory of its own, accumulating %s', async (accumulate) => {
    const b = new GraphBuilder(), p = b.state(parameter('p', [V, C])), ids = ['tokens', 'targets'].map((name) => b.input(name, { shape: [N], dtype: 'i32' }));
    const tables = [b.call('tanh', p), b.call('sigmoid', p)], [first, second] = tables.map((t, i) => b.one('gather', {}, [t, ids[i]!])); // the gradients: sums into two equal zeros
    const spread = b.one('scatter', { mode: 'add' }, [b.fill(0, [V, C]), ids[0]!, second!]), sum = b.call('add', tables[0]!, spread); // its addend is needed again
    const parts = [b.call('mul', first!, second!), b.call('mul', sum, tables[0]!), b.call('mul', sum, tables[1]!)];
    const loss = parts.map((t) => b.sumTo(b.reshape(t, [sizeOf(t.shape)]), [1])).reduce((x, y) => b.call('add', x, y));
    const { executor, outputs, expected } = await run(b.finish({ loss, sum }), { gradients: { loss: 'loss', accumulate } });
    for (const name of ['loss', 'sum']) expect(distance(outputs[name] as Float32Array, expected.outputs[name]!.data), name).toBeLessThan(1e-6);
    for (const [id, { data }] of Object.entries(expected.writes)) expect(distance(executor.state(id) as Float32Array, data), id).toBeLessThan(1e-6);
  });

  it('writes one value to two states', async () => {
    const b = new GraphBuilder(), x = b.input('x', { shape: [3], dtype: 'f32' }), twice = b.call('add', x, x);
    const [first, second] = ['first', 'second'].map((id): State => ({ ...parameter(id, [3]), role: 'buffer', trainable: false })) as [State, State];
    const executor = new ReferenceExecutor(), handle = executor.load(compile(b.finish({}, [[first, twice], [second, twice]]), { target: REFERENCE_TARGET }));
    await executor.run(handle, { x: Float32Array.of(1, 2, 3) });
    expect([executor.state('first'), executor.state('second')]).toEqual([Float32Array.of(2, 4, 6), Float32Array.of(2, 4, 6)]);
  });
});

describe('compute in bf16', () => {
  it('leaves the types of outputs and of states that are written to the caller', () => {
    const b = new GraphBuilder(), state = parameter('kept', [N, V]);
    const y = b.one('linear', {}, [b.input('x', { shape: [N, C], dtype: 'f32' }), b.state(parameter('w', [V, C])), null, null]);
    const { outputs, plan } = compile(b.finish({ y }, [[state, y]]), { target: REFERENCE_TARGET, compute: 'bf16' });
    expect(outputs['y']!.dtype).toBe('f32');
    expect(plan.instructions.some(({ op, dtype }) => op === 'linear' && dtype === 'bf16')).toBe(true);
  });
});
