// Configurations of models, right and wrong, out of recipes and out of config.json.

import { describe, expect, it } from 'vitest';
import { ConfigError, FormatError } from '../../src/base/errors.ts';
import { configText, countParameters, createModel, FAMILIES, modelOfSection, parseConfig, PRESETS } from '../../src/models/index.ts';

function failure(run: () => unknown): Error & { path?: string } {
  try {
    run();
  } catch (error) {
    return error as Error & { path?: string };
  }
  throw new Error('it was accepted');
}

describe('modelOfSection()', () => {
  it('takes a preset by name, the vocabulary from the tokenizer', () => {
    const model = modelOfSection('quickstart', { vocabSize: 4096 });
    expect(model.dims).toEqual({ nLayers: 5, nEmbd: 192, nHeads: 6, nKvHeads: 3, headSize: 32, vocabSize: 4096, maxPositions: 512 });
    expect(countParameters(model).total).toBe(4096 * 192 + 5 * (2 * 192 * 192 + 2 * 192 * 96 + 3 * 192 * 512 + 2 * 192) + 192);
  });

  it('has the published numbers of parameters', () => {
    expect(countParameters(modelOfSection('gpt2-124m')).total).toBe(124_439_808); // openai-community/gpt2
    // nanoGPT prints 0.80M: without the 64·128 positions, this.
    expect(countParameters(modelOfSection('char-4x128', { vocabSize: 65 })).total - 64 * 128).toBe(795_904);
  });

  it('changes a preset, and does without one', () => {
    expect(modelOfSection({ preset: 'quickstart', num_hidden_layers: 2, head_dim: 16 }, { vocabSize: 300 }).dims).toMatchObject({ nLayers: 2, headSize: 16 });
    const plain = { model_type: 'llama', vocab_size: 50, hidden_size: 8, intermediate_size: 16, num_hidden_layers: 1, num_attention_heads: 2 };
    expect(modelOfSection(plain).dims).toMatchObject({ nKvHeads: 2, headSize: 4 });
    expect(modelOfSection({ ...plain, vocab_size: 64 }, { vocabSize: 50 }).dims.vocabSize).toBe(64);
  });

  it.each(Object.keys(PRESETS))('preset %s can be built', (preset) => expect(modelOfSection({ preset }, { vocabSize: 256 }).states.length).toBeGreaterThan(10));

  const small = { preset: 'quickstart', vocab_size: 64 };
  it.each<[string, unknown, string, RegExp]>([
    ['a mistyped field', { ...small, num_hiden_layers: 3 }, 'model.num_hiden_layers', /llama has no field "num_hiden_layers": did you mean "num_hidden_layers"\?/],
    ['a field of another family', { preset: 'char-4x128', vocab_size: 65, num_key_value_heads: 2 }, 'model.num_key_value_heads', /gpt2 has no field "num_key_value_heads"; known: .*n_head/],
    ['a mistyped preset', 'quickstrat', 'model.preset', /no preset "quickstrat": did you mean "quickstart"\?/],
    ['an inherited name as preset', 'constructor', 'model.preset', /no preset "constructor"/],
    ['neither preset nor type', { hidden_size: 8 }, 'model.model_type', /needs a preset \(.*quickstart.*\) or a model_type \(.*gpt2, llama, .*\)/],
    ['an unknown type', { model_type: 'lama' }, 'model.model_type', /model_type "lama" is not supported; supported: .*gpt2, llama, /],
    ['another type than the preset', { ...small, model_type: 'gpt2' }, 'model.model_type', /"quickstart" is a "llama" model, not "gpt2"/],
    ['a width that heads do not divide', { ...small, hidden_size: 100 }, 'model.hidden_size', /hidden_size 100 must be a multiple of num_attention_heads 6/],
    ['heads that key heads do not divide', { ...small, num_key_value_heads: 4 }, 'model.num_attention_heads', /num_attention_heads 6 must be a multiple of num_key_value_heads 4/],
    ['an odd head', { ...small, head_dim: 7 }, 'model.head_dim', /the head size 7 must be even/],
    ['an odd width of GPT-2', { preset: 'char-4x128', vocab_size: 65, n_head: 3 }, 'model.n_embd', /n_embd 128 must be a multiple of n_head 3/],
    ['a text for a number', { ...small, hidden_size: '256' }, 'model.hidden_size', /hidden_size is "256": expected number/],
    ['half a layer', { ...small, num_hidden_layers: 1.5 }, 'model.num_hidden_layers', /num_hidden_layers is 1.5: expected int/],
    ['no layers', { ...small, num_hidden_layers: 0 }, 'model.num_hidden_layers', /num_hidden_layers is 0/],
    ['a billion layers', { ...small, num_hidden_layers: 1e9 }, 'model.num_hidden_layers', /4096/],
    ['a missing vocabulary', { preset: 'quickstart' }, 'model.vocab_size', /vocab_size is missing/],
    ['what is not supported', { preset: 'char-4x128', vocab_size: 65, activation_function: 'relu' }, 'model.activation_function', /activation_function is "relu", which is not supported; supported: /],
    ['an unknown scaling', { ...small, rope_scaling: { rope_type: 'ntk', factor: 2 } }, 'model.rope_scaling.rope_type', /"ntk"/],
    ['divisors for another number of channels', { ...small, rope_scaling: { rope_type: 'longrope', short_factor: [1, 1], long_factor: [1, 1], original_max_position_embeddings: 64 } }, 'model.rope_scaling.short_factor', /short_factor has 2 numbers, but 16 pairs of channels turn/],
    ['layer types for another number of layers', { model_type: 'qwen2', vocab_size: 9, hidden_size: 8, intermediate_size: 8, num_hidden_layers: 2, num_attention_heads: 2, layer_types: ['full_attention'] }, 'model.layer_types', /layer_types has 1 entries, but there are 2 layers/],
    ['a window without a size', { model_type: 'qwen3', vocab_size: 9, hidden_size: 8, intermediate_size: 8, num_hidden_layers: 1, num_attention_heads: 2, num_key_value_heads: 2, use_sliding_window: true, layer_types: ['sliding_attention'] }, 'model.sliding_window', /there is no sliding_window/],
    ['a list', [], 'model', /should hold fields by name, but is \[\]/],
    ['nothing', null, 'model', /but is null/],
  ])('refuses %s', (_what, section, path, message) => {
    const error = failure(() => modelOfSection(section));
    expect(error).toBeInstanceOf(ConfigError);
    expect(error.message).toMatch(message);
    expect(error.path).toBe(path);
  });

  it("refuses a vocabulary smaller than the tokenizer's", () => {
    expect(failure(() => modelOfSection(small, { vocabSize: 65 })).message).toMatch(/vocab_size is 64, but the tokenizer has 65 tokens/);
  });

  it('refuses tensors that cannot be addressed', () => {
    const enormous = { ...small, intermediate_size: 2 ** 31 - 1, hidden_size: 6 * 2 ** 28 };
    expect(failure(() => modelOfSection(enormous)).message).toMatch(/would be .*×.*, more numbers than can be addressed/);
  });
});

describe('parseConfig()', () => {
  const llama = { model_type: 'llama', vocab_size: 50, hidden_size: 8, intermediate_size: 16, num_hidden_layers: 1, num_attention_heads: 2 };

  it('keeps what it does not use', () => {
    const { config, rest } = parseConfig({ ...llama, bos_token_id: 1, torch_dtype: 'bfloat16' }, 'config.json');
    expect(rest).toEqual({ bos_token_id: 1, torch_dtype: 'bfloat16' });
    expect(config).not.toHaveProperty('bos_token_id');
  });

  it('understands older and newer ways to write rotary positions', () => {
    const scaling = { factor: 8, low_freq_factor: 1, high_freq_factor: 4, original_max_position_embeddings: 8192 };
    const spellings = [
      { rope_theta: 5e5, rope_scaling: { rope_type: 'llama3', ...scaling } },
      { rope_theta: 5e5, rope_scaling: { type: 'llama3', ...scaling } },
      { rope_parameters: { rope_theta: 5e5, rope_type: 'llama3', ...scaling } },
    ];
    for (const spelling of spellings) {
      expect(parseConfig({ ...llama, ...spelling }, 'c').config).toMatchObject({ rope_theta: 5e5, rope_scaling: { rope_type: 'llama3', ...scaling } });
    }
    for (const none of [{}, { rope_scaling: null }, { rope_parameters: { rope_type: 'default' } }]) expect(parseConfig({ ...llama, ...none }, 'c').config).toMatchObject({ rope_scaling: null });
  });

  it.each<[string, unknown, RegExp]>([
    ['no object', 7, /should hold fields by name, but is 7/],
    ['no type', {}, /model_type is missing; supported: .*gpt2, llama, /],
    ['an unknown type', { model_type: 'mamba' }, /"mamba" is not supported; supported: .*gpt2, llama, /],
    ['an inherited name as type', { model_type: '__proto__' }, /is not supported/],
    ['a missing field', { ...llama, hidden_size: undefined }, /hidden_size is missing/],
    ['another activation', { ...llama, hidden_act: 'relu' }, /hidden_act is "relu", which is not supported; supported: "silu"/],
    ['heads that do not divide', { ...llama, num_key_value_heads: 3 }, /num_attention_heads 2 must be a multiple of num_key_value_heads 3/],
    ['rotary parameters that are a list', { ...llama, rope_parameters: [1] }, /rope_scaling is \[1\]: expected object/],
    ['a part of the head turned', { ...llama, rope_parameters: { rope_type: 'default', partial_rotary_factor: 0.5 } }, /rope_scaling\.rope_type is "default"/],
    ['a field that changes a scaling', { ...llama, rope_scaling: { rope_type: 'linear', factor: 2, mscale: 1 } }, /mscale/],
  ])('refuses %s', (_what, value, message) => {
    const error = failure(() => parseConfig(value, 'dir/config.json'));
    expect(error).toBeInstanceOf(FormatError);
    expect(error.message).toMatch(/^Cannot read "dir\/config.json": /);
    expect(error.message).toMatch(message);
  });
});

describe('createModel()', () => {
  it('starts as published', () => {
    const gpt2 = createModel(FAMILIES.gpt2!, FAMILIES.gpt2!.tiny), std = (id: string): unknown => gpt2.states.find((state) => state.id === id)!.init;
    expect(std('blocks.0.attn.qkv.weight')).toEqual({ kind: 'normal', std: 0.02 });
    for (const id of ['blocks.1.attn.o.weight', 'blocks.1.mlp.down.weight']) expect(std(id)).toEqual({ kind: 'normal', std: 0.02 / Math.sqrt(4) });
    expect(std('norm.weight')).toEqual({ kind: 'ones' });
    expect(std('blocks.0.mlp.up.bias')).toEqual({ kind: 'zeros' });
  });

  it('refuses numbers that do not fit, and two parameters of one name', () => {
    const family = FAMILIES.llama!;
    expect(failure(() => createModel(family, { ...family.tiny, num_key_value_heads: 3 } as typeof family.tiny))).toBeInstanceOf(ConfigError);
    const twice: typeof family = { ...family, build: (ctx, config) => ({ hidden: ctx.parameter('x', [1, 1], { kind: 'zeros' }), head: ctx.parameter('x', [config.vocab_size, 1], { kind: 'zeros' }) }) };
    expect(failure(() => createModel(twice, family.tiny)).message).toMatch(/two parameters are named "x"/);
  });
});

describe('configText()', () => {
  it('writes a decimal point where transformers wants one, and nowhere else', () => {
    const text = configText({ reals: ['cap', 'other'] }, { cap: 30, count: 30, other: -2, text: 'x\n  "cap": 3', inner: { cap: 5 }, half: 0.5 });
    expect(text).toMatch(/^ {2}"cap": 30\.0,$/m);
    expect(text).toMatch(/^ {2}"count": 30,$/m);
    expect(text).toMatch(/^ {2}"other": -2\.0,$/m);
    expect(text).toMatch(/^ {4}"cap": 5$/m);
    expect(JSON.parse(text)).toEqual({ cap: 30, count: 30, other: -2, text: 'x\n  "cap": 3', inner: { cap: 5 }, half: 0.5 });
  });
});

describe('gemma3', () => {
  const text = { model_type: 'gemma3_text', hidden_size: 16, intermediate_size: 8, num_hidden_layers: 6, num_attention_heads: 2, num_key_value_heads: 1, head_dim: 8 };
  const whole = { model_type: 'gemma3', architectures: ['Gemma3ForConditionalGeneration'], eos_token_id: [1, 106], image_token_index: 9, vision_config: { hidden_size: 8 } };

  it('is read as its text part, with the defaults that published files count on', () => {
    const { family, config, rest } = parseConfig({ ...whole, text_config: { ...text, rope_scaling: { rope_type: 'linear', factor: 8 } } }, 'c');
    expect(family.modelType).toBe('gemma3_text');
    expect(config).toMatchObject({ vocab_size: 262208, rope_theta: 1e6, rope_local_base_freq: 10000, rope_scaling: { factor: 8 }, sliding_window_pattern: 6, tie_word_embeddings: true });
    expect(rest).toEqual({ eos_token_id: [1, 106] });
  });

  it('refuses what it cannot honour', () => {
    const bad = (fields: object): string => failure(() => parseConfig({ ...text, ...fields }, 'c')).message;
    expect(bad({ use_bidirectional_attention: true })).toMatch(/use_bidirectional_attention/);
    expect(bad({ rope_parameters: { full_attention: { rope_type: 'default' }, sliding_attention: { rope_type: 'linear', factor: 2 } } })).toMatch(/another rule for layers with windows/);
    expect(failure(() => parseConfig({ ...whole, text_config: 3 }, 'c')).message).toMatch(/but is 3/);
  });
});
