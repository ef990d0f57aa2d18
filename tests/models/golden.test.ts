// Checkpoints made by transformers (tests/golden/models/make.py): the same logits, hidden states and greedy continuation.

import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { spawnSync } from 'node:child_process';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { State } from '../../src/core/index.ts';
import { createModel, FAMILIES, initialise, loadModel, modelOfSection, saveModel, type Model } from '../../src/models/index.ts';
import { argmax, Decoder, relativeError, scoreAll, values, type Values } from './run-model.ts';
import { GOLDEN_MODELS, goldenFolder, readGolden } from '../golden-models.ts';

const scratch = mkdtempSync(join(tmpdir(), 'athanor-golden-'));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

it('every family has a golden model', () => {
  const covered = new Set(GOLDEN_MODELS.map((name) => (JSON.parse(readFileSync(join(goldenFolder(name), 'config.json'), 'utf8')) as { model_type: string }).model_type));
  for (const modelType of Object.keys(FAMILIES)) expect(covered, modelType).toContain(modelType);
});

describe.each(GOLDEN_MODELS)('%s', (name) => {
  const golden = readGolden(name);
  const loaded = loadModel(goldenFolder(name)), { model } = loaded;
  const weights: Values = Object.fromEntries(model.states.map((state) => [state.id, values(state.meta.shape, loaded.read(state))]));
  afterAll(() => loaded.close());

  it('gives the hidden states and logits of transformers', () => {
    const { hidden, logits } = scoreAll(model, weights, [golden.prompt]);
    // transformers keeps norms and rotary tables in f32 even in float64: hence no better than 1e-6.
    expect(relativeError(hidden!.data, golden.hidden)).toBeLessThan(1e-5);
    expect(relativeError(logits!.data, golden.logits)).toBeLessThan(1e-5);
  });

  it('continues greedily as transformers does, from a prefill in chunks', () => {
    const decoder = new Decoder(model, weights, { maxTokens: 8, maxSeqs: 1, maxLength: 80, slots: 90 });
    decoder.step([{ seq: 0, tokens: golden.prompt.slice(0, 5) }]);
    let [logits] = decoder.step([{ seq: 0, tokens: golden.prompt.slice(5) }]);
    const greedy: number[] = [];
    while (greedy.length < golden.greedy.length) {
      greedy.push(argmax(logits!));
      if (greedy.length === golden.greedy.length) expect(relativeError(logits!, golden.last)).toBeLessThan(1e-5);
      [logits] = decoder.step([{ seq: 0, tokens: greedy.slice(-1) }]);
    }
    expect(greedy).toEqual(golden.greedy);
  });

  it('loaded, saved and loaded again is the same to the byte', () => {
    const folder = join(scratch, name);
    saveModel(folder, model, loaded.read, loaded.rest);
    const again = loadModel(folder);
    expect(again.model.config).toEqual(model.config);
    expect(again.rest).toMatchObject({ bos_token_id: loaded.rest.bos_token_id, eos_token_id: loaded.rest.eos_token_id });
    for (const state of model.states) expect(Buffer.compare(Buffer.from(again.read(state).buffer), Buffer.from(loaded.read(state).buffer)), state.id).toBe(0);
    const first = readFileSync(join(folder, 'model.safetensors'));
    saveModel(folder, again.model, again.read, again.rest);
    again.close();
    expect(readFileSync(join(folder, 'model.safetensors')).equals(first)).toBe(true);
  });
});

const python = process.env.ATHANOR_PYTHON ?? 'python3';
const FIND = 'import importlib.util, sys; sys.exit(not all(map(importlib.util.find_spec, ("torch", "transformers"))))';
const hasTransformers = spawnSync(python, ['-c', FIND]).status === 0;

/** Loads folders with transformers and prints their logits; a weight that is missing, unknown or wrongly shaped fails. */
const ORACLE = `
import json, sys, torch, transformers
tokens, results = json.loads(sys.argv[1]), []
for folder in sys.argv[2:]:
    model, info = transformers.AutoModelForCausalLM.from_pretrained(folder, experts_implementation="eager", output_loading_info=True, attn_implementation='eager')
    assert not any(info[key] for key in ("missing_keys", "unexpected_keys", "mismatched_keys")), (folder, info)
    with torch.no_grad(): results.append(model.double().eval()(torch.tensor([tokens])).logits[0].flatten().tolist())
print(json.dumps(results))
`;

// Skipped where Python has no transformers (ATHANOR_PYTHON names another interpreter).
describe.skipIf(!hasTransformers)('transformers loads what was saved', () => {
  const llama = FAMILIES.llama!, tokens = [3, 14, 15, 9, 26, 5, 35, 8, 9, 7];
  const tiny = (changes: object): Model => createModel(llama, { ...llama.tiny, ...changes } as typeof llama.tiny);
  const scaling = { rope_type: 'llama3', factor: 4, low_freq_factor: 1, high_freq_factor: 4, original_max_position_embeddings: 16 };
  const cases: [string, Model][] = [
    ...Object.entries(FAMILIES).map(([name, family]): [string, Model] => [name, createModel(family, family.tiny)]),
    ['llama with scaled frequencies, tied', tiny({ tie_word_embeddings: true, rope_theta: 500, rope_scaling: scaling })],
    ['llama with linear scaling and biases', tiny({ attention_bias: true, mlp_bias: true, rope_scaling: { rope_type: 'linear', factor: 2 } })],
    ['llama with yarn', tiny({ rope_scaling: { rope_type: 'yarn', factor: 4, original_max_position_embeddings: 16, beta_fast: 4, attention_factor: 1.3 } })],
    ['gpt2 without biases', modelOfSection({ preset: 'char-4x128', n_layer: 2 }, { vocabSize: 65 })],
  ];
  /** Starting weights, but larger. */
  const grown = (state: State): Float32Array => initialise(state, 3).map((w) => (state.init.kind === 'normal' ? 8 * w : w));
  let logits: number[][] = [];

  beforeAll(() => {
    const folders = cases.map(([, model], i) => {
      const folder = join(scratch, `saved-${i}`);
      saveModel(folder, model, grown);
      return folder;
    });
    const { status, stdout, stderr } = spawnSync(python, ['-c', ORACLE, JSON.stringify(tokens), ...folders], { encoding: 'utf8' });
    expect(status, stderr).toBe(0);
    logits = JSON.parse(stdout) as number[][];
  }, 180_000);

  it.each(cases.map(([name, model], i) => [name, model, i] as const))('%s', (_name, model, i) => {
    const weights: Values = Object.fromEntries(model.states.map((state) => [state.id, values(state.meta.shape, grown(state))]));
    expect(relativeError(scoreAll(model, weights, [tokens]).logits!.data, logits[i]!)).toBeLessThan(1e-5);
  });
});
