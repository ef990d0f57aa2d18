// A model: a family, its numbers, and the States that its parameters are. Layer: models.

import { ConfigError } from '../base/errors.ts';
import { GraphBuilder, sizeOf, type State, type Tensor } from '../core/index.ts';
import type { Context, Traced } from '../nn/index.ts';
import type { Family, ModelConfig, ModelDims } from './family.ts';

export interface Model {
  readonly family: Family;
  readonly config: ModelConfig;
  readonly dims: ModelDims;
  /** All parameters, in the order in which the family makes them. */
  readonly states: readonly State[];
}

/**
 * A model of a configuration that was checked (`parseConfig`), or of a family's `tiny`.
 *
 * @throws {ConfigError} if the numbers do not fit each other
 */
export function createModel(family: Family, config: ModelConfig): Model {
  const impossible = family.check(config);
  if (impossible !== undefined) throw new ConfigError(`Cannot build this ${family.modelType} model: ${impossible.why}.`, { path: impossible.key });
  const states = new Map<string, State>(), b = new GraphBuilder(), one = { shape: [1], dtype: 'i32' as const };
  buildIn({ b, tokens: b.input('tokens', one), positions: b.input('positions', one), attend: (_layer, q, _k, v) => b.fill(0, [...q.shape.slice(0, 2), v.shape[2]!]) }, family, config, states);
  return { family, config, dims: family.dims(config), states: [...states.values()] };
}

/** Traces a model's `build` into a graph whose attention is `attend`. */
export function traceInto(site: Site, model: Model): Traced {
  return buildIn(site, model.family, model.config, new Map(model.states.map((state) => [state.id, state])));
}

/** Where a model is traced: a graph, and the parts of the context that differ from use to use. */
export interface Site extends Pick<Context, 'tokens' | 'positions' | 'maxLength' | 'attend'> {
  readonly b: GraphBuilder;
}

/** @param states known parameters by id; new ones are added */
function buildIn(site: Site, family: Family, config: ModelConfig, states: Map<string, State>): Traced {
  const { b } = site, made = new Set<string>();
  const ctx: Context = {
    ...site,
    parameter(name, shape, init): Tensor {
      const id = b.scope === '' ? name : `${b.scope}.${name}`;
      if (made.has(id)) throw new ConfigError(`Cannot build ${family.modelType}: two parameters are named "${id}".`);
      made.add(id);
      const size = sizeOf(shape);
      if (!Number.isSafeInteger(4 * size)) throw new ConfigError(`Cannot build this ${family.modelType} model: "${id}" would be ${shape.join('×')}, more numbers than can be addressed.`);
      const state = states.get(id) ?? { id, meta: { shape, dtype: 'f32' }, role: 'parameter', init, trainable: true };
      states.set(id, state);
      return b.state(state);
    },
    buffer: (name, shape, values): Tensor => b.state({ id: name, meta: { shape, dtype: 'f32' }, role: 'buffer', init: { kind: 'values', values }, trainable: false }),
  };
  return family.build(ctx, config);
}

/** Numbers of parameters by what they do; `total` is their sum, `active` the part of it that a token uses. */
export interface ParameterCounts {
  readonly embedding: number;
  readonly attention: number;
  readonly mlp: number;
  readonly norm: number;
  readonly head: number;
  readonly total: number;
  readonly active: number;
}

/** Counts a model's parameters. Tied embeddings count once, as embedding. */
export function countParameters(model: Pick<Model, 'states' | 'dims'>): ParameterCounts {
  const counts = { embedding: 0, attention: 0, mlp: 0, norm: 0, head: 0, total: 0 }, { all, used } = model.dims.experts ?? { all: 1, used: 1 };
  let inExperts = 0;
  for (const { id, meta } of model.states) {
    const size = sizeOf(meta.shape);
    counts[groupOf(id)] += size;
    counts.total += size;
    if (id.includes('.experts.')) inExperts += size;
  }
  return { ...counts, active: counts.total - (inExperts / all) * (all - used) };
}

function groupOf(id: string): Exclude<keyof ParameterCounts, 'total' | 'active'> {
  const words = id.split('.');
  if (words.some((word) => /^(norm|.*Norm)$/.test(word))) return 'norm';
  if (words.includes('attn')) return 'attention';
  if (words.includes('mlp')) return 'mlp';
  return words[0] === 'head' ? 'head' : 'embedding';
}
