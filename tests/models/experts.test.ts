// Models with experts: what a token uses, weights in narrower types, batches, names, and how large such a model may be.

import { afterAll, describe, expect, it } from 'vitest';
import { NativeExecutor } from '../../src/backends/native/index.ts';
import { ReferenceExecutor } from '../../src/backends/reference/index.ts';
import type { Executor } from '../../src/backends/executor.ts';
import { compile, decodeProgram, REFERENCE_TARGET, type DType, type State } from '../../src/core/index.ts';
import { Engine } from '../../src/engine/index.ts';
import { asBytes, cachedGraph, countParameters, createModel, decodeWeights, encodeWeights, FAMILIES, initialise, lossGraph, parseConfig, stateName, weightName, withWeightTypes, type Model } from '../../src/models/index.ts';
import { relativeError } from './run-model.ts';

const executors: Executor[] = [];
function open(threads = 2): Executor {
  let executor: Executor;
  try {
    executor = NativeExecutor.open({ threads });
  } catch {
    executor = new ReferenceExecutor();
  }
  executors.push(executor);
  return executor;
}
afterAll(async () => void (await Promise.all(executors.map((executor) => executor.close()))));

const tinyOf = (name: string, changes: object = {}): Model => createModel(FAMILIES[name]!, { ...FAMILIES[name]!.tiny, ...changes });
const grown = (state: State): Float32Array => initialise({ ...state, init: state.init.kind === 'normal' ? { kind: 'normal', std: 0.4 } : state.init }, 3);
const prompt = [5, 3, 9, 1, 1, 2, 7, 11, 4, 6, 8];

/** Logits of every position of the prompt. */
async function logitsOf(engine: Engine, ids = prompt): Promise<Float32Array[]> {
  const rows: Float32Array[] = [];
  for await (const [, row] of engine.logits(ids, 0)) rows.push(Float32Array.from(row));
  return rows;
}

describe.each(['qwen3_moe', 'deepseek_v3'])('%s', (name) => {
  const family = FAMILIES[name]!, model = tinyOf(name);

  it('names an expert by its layer and its number', () => {
    const id = 'blocks.1.mlp.experts.4.down.weight', stored = 'model.layers.1.mlp.experts.4.down_proj.weight';
    expect(weightName(family, id)).toEqual({ name: stored, transposed: false });
    expect(stateName(family, stored)).toBe(id);
    for (const wrong of ['blocks.1.mlp.experts.04.down.weight', 'blocks.1.mlp.experts..down.weight', 'blocks.1.mlp.experts.4.down.weight.5', 'blocks.1.mlp.experts.down.weight']) expect(weightName(family, wrong)).toBeUndefined();
  });

  it('gives a token the same bits alone, beside others, in pieces and with one thread', async () => {
    const options = { read: grown, maxTokens: 16, maxSeqs: 4, maxLength: 32 };
    const alone = await logitsOf(new Engine(model, { ...options, executor: open() }));
    const pieces = await logitsOf(new Engine(model, { ...options, maxTokens: 3, executor: open(1) }));
    const engine = new Engine(model, { ...options, executor: open() });
    const [beside] = await Promise.all([logitsOf(engine), ...[[1, 2, 3], [9], [4, 4, 4, 4]].map((ids) => engine.complete(ids, { temperature: 0, maxTokens: 6 }))]);
    expect(pieces).toEqual(alone);
    expect(beside).toEqual(alone);
  });

  it.each(['bf16', 'q8_0', 'q4_0'] as const)("computes with experts' weights in %s", async (dtype) => {
    // Rows of whole blocks, in latents and experts too.
    const wide = tinyOf(name, { hidden_size: 64, intermediate_size: 64, head_dim: 16, moe_intermediate_size: 32, ...(name === 'deepseek_v3' ? { q_lora_rank: 32, kv_lora_rank: 32, v_head_dim: 8 } : {}) });
    const typed = withWeightTypes(wide, ({ id }): DType => (id.includes('.experts.') ? dtype : 'f32'));
    const narrowed = (state: State) => (state.id.includes('.experts.') ? encodeWeights(dtype, grown(state)) : grown(state));
    const widened = (state: State): Float32Array => {
      const values = narrowed(state);
      return values instanceof Float32Array ? values : decodeWeights(dtype, asBytes(values), new Float32Array(grown(state).length));
    };
    const options = { maxTokens: 16, maxSeqs: 1, maxLength: 32 };
    const narrow = await logitsOf(new Engine(typed, { ...options, executor: open(), read: narrowed }));
    const exact = await logitsOf(new Engine(wide, { ...options, executor: open(), read: widened }));
    // What rounding activations to bytes costs, as for `linear` (tests/conformance/tolerance.ts); nothing for bf16.
    narrow.forEach((row, i) => expect(relativeError(row, exact[i]!)).toBeLessThan(dtype === 'bf16' ? 1e-5 : 0.05));
  });

  it.each([['f32', false], ['bf16', true]] as const)('compiles a training step of several layers of experts, %s, accumulating %s', (compute, accumulate) => {
    const deep = tinyOf(name, { num_hidden_layers: 4 }), graph = lossGraph(deep, 24);
    const { plan } = compile(graph, { target: { ...REFERENCE_TARGET, backend: 'native' }, compute, gradients: { loss: 'loss', accumulate } });
    expect(plan.parameters).toBe(countParameters(deep).total);
    expect(plan.instructions.filter(({ op }) => op === 'groupedLinearGrad')).toHaveLength(3 * 3);
  });

  it('counts what a token uses', () => {
    const { total, active } = countParameters(model), { all, used } = model.dims.experts!;
    const inExperts = model.states.filter(({ id }) => id.includes('.experts.')).reduce((n, { meta }) => n + (meta.shape[0] as number) * (meta.shape[1] as number), 0);
    expect(inExperts).toBeGreaterThan(0);
    expect(active).toBe(total - inExperts + (inExperts * used) / all);
  });
});

describe('configurations', () => {
  const family = FAMILIES.deepseek_v3!;
  const wrong = (name: string, changes: object): string => {
    try {
      parseConfig({ ...FAMILIES[name]!.tiny, ...changes, model_type: name }, 'config.json');
      return 'accepted';
    } catch (error) {
      return (error as Error).message;
    }
  };

  it.each([
    ['qwen3_moe', { num_experts_per_tok: 6 }, /num_experts_per_tok 6 must be at most num_experts 5/],
    ['qwen3_moe', { num_experts: 0 }, /num_experts is 0/],
    ['qwen3_moe', { mlp_only_layers: [-1] }, /mlp_only_layers\.0 is -1/],
    ['deepseek_v3', { n_group: 4 }, /n_routed_experts 6 must be a multiple of n_group 4/],
    ['deepseek_v3', { topk_group: 4 }, /topk_group 4 must be at most n_group 3/],
    ['deepseek_v3', { num_experts_per_tok: 5 }, /num_experts_per_tok 5 must be at most/],
    ['deepseek_v3', { num_key_value_heads: 2 }, /num_key_value_heads 2 must be num_attention_heads 4/],
    ['deepseek_v3', { qk_rope_head_dim: 3 }, /qk_rope_head_dim 3 must be even/],
    ['deepseek_v3', { scoring_func: 'softmax' }, /scoring_func is "softmax", which is not supported; supported: "sigmoid"/],
  ])('%s refuses %j', (name, changes, words) => expect(wrong(name, changes)).toMatch(words));

  it('reads what transformers 4 and 5 write', () => {
    const { num_experts: all, mlp_only_layers: _, ...rest } = FAMILIES.qwen3_moe!.tiny as unknown as Record<string, unknown>;
    const { config } = parseConfig({ ...rest, model_type: 'qwen3_moe', num_local_experts: all, mlp_only_layers: null }, 'config.json');
    expect(config).toMatchObject({ num_experts: 5, mlp_only_layers: [] });
    const yarn = { type: 'yarn', factor: 40, beta_fast: 32, beta_slow: 1, mscale: 1, mscale_all_dim: 1, original_max_position_embeddings: 4096 };
    const published = parseConfig({ ...family.tiny, model_type: 'deepseek_v3', rope_scaling: yarn, ep_size: 1, topk_method: 'noaux_tc' }, 'config.json');
    expect(published.config).toMatchObject({ rope_scaling: { rope_type: 'yarn', mscale_all_dim: 1 } });
  });
});

describe('a model with 256 experts', () => {
  it('compiles to instructions of more than 255 operands', () => {
    const model = tinyOf('deepseek_v3', { n_routed_experts: 256, n_group: 8, topk_group: 4, num_experts_per_tok: 8 }), executor = open();
    const program = compile(cachedGraph(model, { maxTokens: 4, maxSeqs: 1, maxLength: 8, slots: 8 }), { target: executor.target() });
    const operands = decodeProgram(program.bytes).instructions.filter(({ op }) => op === 'groupedLinear').map(({ inputs }) => inputs.length);
    expect(operands).toEqual([258, 258, 258]);
    executor.unload(executor.load(program));
  });
});
