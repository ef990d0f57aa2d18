// Describe a computation once; have it differentiated, compiled and executed.
// f(w) = Σ (x·w)², so df/dw = 2·xᵀ(x·w).

import { compile, expression, GraphBuilder, gradientOf, type State } from 'athanor/core';
import { ReferenceExecutor } from 'athanor/backends/reference';

const w: State = { id: 'w', meta: { shape: [1, 3], dtype: 'f32' }, role: 'parameter', init: { kind: 'zeros' }, trainable: true };
const b = new GraphBuilder(), x = b.input('x', { shape: [2, 3], dtype: 'f32' });
const y = b.one('linear', {}, [x, b.state(w), null, null]); // [2, 1]: rows of x times w
const square = expression(1, (e, v) => e.call('mul', v!, v!));
const squares = b.one('reduce', { kind: 'sum', axis: 1 }, [b.map(square, [y])]); // [2]
const graph = b.finish({ loss: b.one('reduce', { kind: 'sum', axis: 0 }, [squares]) });

const executor = new ReferenceExecutor();
const handle = executor.load(compile(graph, { target: executor.target(), gradients: { loss: 'loss', accumulate: false } }));
(executor.state('w') as Float32Array).set([1, -2, 3]);
const { loss } = await executor.run(handle, { x: Float32Array.of(1, 0, 0, 0, 1, 1) });
console.log('loss', loss![0], 'gradient', [...executor.state(gradientOf(w).id)]); // 1² + 1² = 2; 2·(1, 1, 1)
await executor.close();
