// AdamW over all trainable parameters, as two graphs: the gradients' global norm, and the update. They are two so that a
// caller can look at the norm before any parameter is touched: a gradient that is not finite is then thrown away whole.
// Layer: train (pure).

import { z } from 'zod';
import { expression, gradientOf, GraphBuilder, type Graph, type State, type Tensor } from '../core/index.ts';

/** The `train.optimizer` section of a recipe. Defaults: Brown et al. 2020 (GPT-3), arXiv 2005.14165, appendix B. */
export const optimizerSchema = z.strictObject({
  beta1: z.number().min(0).lt(1).default(0.9).describe('decay of the mean of gradients'),
  beta2: z.number().min(0).lt(1).default(0.95).describe('decay of the mean of their squares'),
  eps: z.number().positive().default(1e-8).describe('added to the root of the mean square'),
  weightDecay: z.number().min(0).default(0.1).describe('decoupled decay of matrices, times the learning rate; vectors do not decay'),
  clipNorm: z.number().min(0).default(1).describe('gradients longer than this are shortened to it, all parameters together; 0 for never'),
});

export type OptimizerConfig = z.infer<typeof optimizerSchema>;

/** Keeps the quotient finite where the norm is 0; torch.nn.utils.clip_grad_norm_ has the same. */
const NORM_EPS = 1e-6;

/** The States of a parameter's first and second moment: f32, zero at the start. */
export function momentsOf(parameter: State): { readonly m: State; readonly v: State } {
  const moment = (letter: string): State => ({
    id: `adam.${letter}:${parameter.id}`, meta: { shape: parameter.meta.shape, dtype: 'f32' }, role: 'moment', init: { kind: 'zeros' }, trainable: false,
  });
  return { m: moment('m'), v: moment('v') };
}

/**
 * Length of all gradients together, and the factor that clips it: min(1, maxNorm / (norm + 1e-6)).
 * Outputs gradNorm and gradScale, f32 [1].
 *
 * @param maxNorm 0 for no clipping: the factor is then 1
 * @see Pascanu et al. 2013, arXiv 1211.5063, algorithm 1
 */
export function normGraph(parameters: readonly State[], maxNorm: number): Graph {
  const b = new GraphBuilder();
  const gradNorm = b.one('globalNorm', {}, parameters.map((parameter) => b.state(gradientOf(parameter))));
  if (maxNorm === 0) return b.finish({ gradNorm, gradScale: b.fill(1, [1]) });
  const clip = expression(1, (e, norm) => e.call('min', e.constant(1), e.call('div', e.constant(maxNorm), e.call('add', norm!, e.constant(NORM_EPS)))));
  return b.finish({ gradNorm, gradScale: b.map(clip, [gradNorm]) });
}

/**
 * One step of AdamW, in place. Inputs: lr f32 [1], step i32 [1] (1 at the first update), gradScale f32 [1].
 * Matrices and higher tensors decay, vectors (norms, biases) do not, as in nanoGPT.
 *
 * @see Loshchilov & Hutter 2019, arXiv 1711.05101, algorithm 2
 */
export function updateGraph(parameters: readonly State[], { beta1, beta2, eps, weightDecay }: OptimizerConfig): Graph {
  const b = new GraphBuilder(), writes: [State, Tensor][] = [];
  const scalar = (name: string, dtype: 'f32' | 'i32'): Tensor => b.input(name, { shape: [1], dtype });
  const lr = scalar('lr', 'f32'), step = scalar('step', 'i32'), gradScale = scalar('gradScale', 'f32');
  for (const parameter of parameters) {
    const moments = momentsOf(parameter), decay = parameter.meta.shape.length >= 2 ? weightDecay : 0;
    const operands = [parameter, gradientOf(parameter), moments.m, moments.v].map((state) => b.state(state));
    const [p, m, v] = b.apply('adamw', { beta1, beta2, eps, weightDecay: decay }, [...operands, lr, step, gradScale]);
    writes.push([parameter, p!], [moments.m, m!], [moments.v, v!]);
  }
  return b.finish({}, writes);
}
