// The optimizers over all trainable parameters, as two graphs: the gradients' global norm, and the update. They are two so that a
// caller can look at the norm before any parameter is touched: a gradient that is not finite is then thrown away whole.
// Layer: train (pure).

import { z } from 'zod';
import { expression, gradientOf, GraphBuilder, type Graph, type State, type Tensor } from '../core/index.ts';

/** The `train.optimizer` section of a recipe. Defaults: Brown et al. 2020 (GPT-3), arXiv 2005.14165, appendix B. */
export const optimizerSchema = z.strictObject({
  kind: z.enum(['adamw', 'muon']).default('adamw').describe('muon: matrices between embedding and head by Muon, the rest by AdamW'),
  momentum: z.number().min(0).lt(1).default(0.95).describe("muon's decay of the mean of gradients"),
  beta1: z.number().min(0).lt(1).default(0.9).describe('decay of the mean of gradients'),
  beta2: z.number().min(0).lt(1).default(0.95).describe('decay of the mean of their squares'),
  eps: z.number().positive().default(1e-8).describe('added to the root of the mean square'),
  weightDecay: z.number().min(0).default(0.1).describe('decoupled decay of matrices, times the learning rate; vectors do not decay'),
  clipNorm: z.number().min(0).default(1).describe('gradients longer than this are shortened to it, all parameters together; 0 for never'),
});

export type OptimizerConfig = z.infer<typeof optimizerSchema>;

/** Keeps the quotient finite where the norm is 0; torch.nn.utils.clip_grad_norm_ has the same. */
const NORM_EPS = 1e-6;

/** Whether Muon updates a parameter: a matrix that maps hidden states to hidden states, not one with a row for each token. */
function isMuon({ id, meta }: State, { kind }: Pick<OptimizerConfig, 'kind'>): boolean {
  return kind === 'muon' && meta.shape.length === 2 && id.startsWith('blocks.');
}

/** The States that an optimizer keeps for a parameter: f32, zero at the start. AdamW's two moments, or Muon's one. */
export function momentsOf(parameter: State, config: Pick<OptimizerConfig, 'kind'>): readonly State[] {
  return (isMuon(parameter, config) ? ['muon.m'] : ['adam.m', 'adam.v']).map((prefix) => ({
    id: `${prefix}:${parameter.id}`,
    meta: { shape: parameter.meta.shape, dtype: 'f32' },
    role: 'moment',
    init: { kind: 'zeros' },
    trainable: false,
  }));
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

/** What an update is given besides States. */
interface UpdateInputs {
  readonly lr: Tensor;
  readonly step: Tensor;
  readonly gradScale: Tensor;
}

/**
 * One step of the optimizer, in place. Inputs: lr f32 [1], step i32 [1] (1 at the first update), gradScale f32 [1].
 * Matrices and higher tensors decay, vectors (norms, biases) do not, as in nanoGPT.
 */
export function updateGraph(parameters: readonly State[], config: OptimizerConfig): Graph {
  const b = new GraphBuilder();
  const scalar = (name: string, dtype: 'f32' | 'i32'): Tensor => b.input(name, { shape: [1], dtype });
  const inputs = { lr: scalar('lr', 'f32'), step: scalar('step', 'i32'), gradScale: scalar('gradScale', 'f32') };
  return b.finish({}, parameters.flatMap((parameter) => {
    const states = [parameter, ...momentsOf(parameter, config)];
    const updated = (isMuon(parameter, config) ? muon : adamw)(b, parameter, config, inputs);
    return states.map((state, i) => [state, updated[i]!] as const);
  }));
}

/** @see Loshchilov & Hutter 2019, arXiv 1711.05101, algorithm 2 */
function adamw(b: GraphBuilder, parameter: State, config: OptimizerConfig, { lr, step, gradScale }: UpdateInputs): Tensor[] {
  const { beta1, beta2, eps } = config, weightDecay = parameter.meta.shape.length >= 2 ? config.weightDecay : 0;
  const operands = [parameter, gradientOf(parameter), ...momentsOf(parameter, config)].map((state) => b.state(state));
  return b.apply('adamw', { beta1, beta2, eps, weightDecay }, [...operands, lr, step, gradScale]);
}

/** Coefficients and number of Newton–Schulz steps: singular values end between 0.7 and 1.2 (Jordan et al. 2024, "Muon"). */
const NEWTON_SCHULZ = { a: 3.4445, b: -4.775, c: 2.0315, steps: 5 };

/** Makes the root mean square of a Muon update that of an AdamW update, so that both share a learning rate. */
const RMS_OF_ADAMW = 0.2;

/**
 * Muon: the momentum of the gradient, made nearly orthogonal, is the direction.
 *   m ← μ·m + (1 − μ)·g,  d = μ·m + (1 − μ)·g,  X = d / ‖d‖,  5 times X ← a·X + (b·A + c·A²)·X with A = X·Xᵀ
 *   p ← p − lr·(0.2·√max(rows, columns)·X + wd·p)
 *
 * @see Jordan et al. 2024, https://kellerjordan.github.io/posts/muon/; Liu et al. 2025, arXiv 2502.16982, eq. 4 (scale and decay)
 */
function muon(b: GraphBuilder, parameter: State, config: OptimizerConfig, { lr, gradScale }: UpdateInputs): Tensor[] {
  const { momentum, weightDecay } = config, [rows, columns] = parameter.meta.shape as [number, number];
  const [p, g, before] = [parameter, gradientOf(parameter), ...momentsOf(parameter, config)].map((state) => b.state(state)) as [Tensor, Tensor, Tensor];
  const lerp = expression(3, (e, old, gradient, scale) => e.call('fma', e.constant(momentum), old!, e.call('mul', e.constant(1 - momentum), e.call('mul', gradient!, scale!))));
  const m = b.map(lerp, [before, g, gradScale]), direction = b.map(lerp, [m, g, gradScale]); // the second is Nesterov's
  let x = b.call('div', direction, b.call('add', b.one('globalNorm', {}, [direction]), NORM_EPS));
  for (let i = 0; i < NEWTON_SCHULZ.steps; i++) x = newtonSchulz(b, x, rows <= columns);
  const scale = RMS_OF_ADAMW * Math.sqrt(Math.max(rows, columns));
  const step = expression(3, (e, value, update, rate) => e.call('sub', value!, e.call('mul', rate!, e.call('fma', e.constant(scale), update!, e.call('mul', e.constant(weightDecay), value!)))));
  return [b.map(step, [p, x, lr]), m];
}

/** One step towards the nearest orthogonal matrix; the Gram matrix is taken over the shorter side. */
function newtonSchulz(b: GraphBuilder, x: Tensor, isWide: boolean): Tensor {
  const product = (left: Tensor, right: Tensor, transA = false, transB = false, addend: Tensor | null = null): Tensor => b.one('matmul', { transA, transB }, [left, right, addend]);
  const gram = isWide ? product(x, x, false, true) : product(x, x, true, false);
  const polynomial = b.map(expression(2, (e, one, two) => e.call('fma', e.constant(NEWTON_SCHULZ.c), two!, e.call('mul', e.constant(NEWTON_SCHULZ.b), one!))), [gram, product(gram, gram)]);
  const kept = b.call('mul', x, NEWTON_SCHULZ.a);
  return isWide ? product(polynomial, x, false, false, kept) : product(x, polynomial, false, false, kept);
}
