// Every command once, on one small run, and what scripts rely on: exit codes, pure JSON lines, suggestions.

import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { athanor, bilingualFolder, jsonLines, read, temporaryFolder, TINY_RECIPE, write } from './command-line.ts';
import { FAMILIES } from '../../src/models/registry.ts';

const cwd = temporaryFolder(), run = join(cwd, 'run');
let text: string, recipe: string;

beforeAll(async () => {
  text = bilingualFolder();
  recipe = write(join(cwd, 'tiny.yaml'), TINY_RECIPE);
  const { code, stdout, stderr } = await athanor(['train', recipe, '--data.path', text, '--dir', run, '--json'], { cwd });
  expect(stderr, stderr).toContain('Done: 12 steps');
  expect(code).toBe(0);
  const steps = jsonLines(stdout);
  expect(steps.map(({ step }) => step)).toEqual(Array.from({ length: 12 }, (_, i) => i + 1));
});

describe('athanor train', () => {
  it('prints the lines of metrics.jsonl, and leaves recipe, samples and a model folder', () => {
    const lines = jsonLines(read(join(run, 'metrics.jsonl')));
    for (const line of lines) for (const key of ['step', 'loss', 'lr', 'gradNorm', 'tokensPerSecond']) expect(line[key], key).toBeTypeOf('number');
    expect(lines.filter(({ valLoss }) => valLoss !== undefined).map(({ step }) => step)).toEqual([5, 10, 12]);
    expect(read(join(run, 'recipe.yaml'))).toContain('model_type: llama');
    expect(readdirSync(join(run, 'samples'))).toEqual(['step-000006.txt', 'step-000012.txt']);
    expect(readdirSync(join(run, 'model')).sort()).toEqual(['athanor.json', 'config.json', 'generation_config.json', 'model.safetensors', 'tokenizer.json']);
  });

  it('refuses a folder that has a run, and names --resume', async () => {
    const { code, stderr } = await athanor(['train', recipe, '--data.path', text, '--dir', run], { cwd });
    expect(code).toBe(2);
    expect(stderr).toMatch(/there is one already.*--resume/);
  });
});

describe('athanor tokenize', () => {
  it.each(['hello, world\n', '春天的早晨 and spring', '\ufeffBOM, \u{1f600} and <|endoftext|>\r\n\ttabs  '])('gives %j back as it was', async (input) => {
    const { stdout, code } = await athanor(['tokenize', run, '--json'], { cwd, input });
    expect(code).toBe(0);
    expect(jsonLines(stdout)).toHaveLength(1);
    expect((await athanor(['tokenize', run, '--decode'], { cwd, input: stdout })).stdout).toBe(input);
    const plain = await athanor(['tokenize', run], { cwd, input });
    expect((await athanor(['tokenize', run, '--decode'], { cwd, input: plain.stdout })).stdout).toBe(input);
  });

  it('refuses input that is not UTF-8', async () => {
    const { code, stderr } = await athanor(['tokenize', run], { cwd, input: Buffer.from([0x61, 0xff, 0x62]) });
    expect(code).toBe(2);
    expect(stderr).toContain('not UTF-8');
  });
});

describe('athanor export', () => {
  const logits = async (model: string): Promise<number[]> => {
    const { code, stdout, stderr } = await athanor(['logits', model, '--text', 'The miller', '--json'], { cwd });
    expect(code, stderr).toBe(0);
    return jsonLines(stdout)[0]!.logits as number[];
  };

  it('writes a GGUF file that every command takes, and a model folder of it again', async () => {
    const file = join(cwd, 'run.gguf'), folder = join(cwd, 'again'), exported = await athanor(['export', run, '--to', 'gguf', '--out', file, '--json'], { cwd });
    expect(exported.code, exported.stderr).toBe(0);
    expect(jsonLines(exported.stdout)).toEqual([{ path: file, to: 'gguf', dtype: 'f32' }]);
    const expected = await logits(run);
    expect(await logits(file)).toEqual(expected);
    expect((await athanor(['export', file, '--to', 'safetensors', '--out', folder], { cwd })).code).toBe(0);
    expect(await logits(folder)).toEqual(expected);
    const input = 'The miller has 1234 sacks.\n';
    const { stdout: ids } = await athanor(['tokenize', run, '--json'], { cwd, input });
    expect((await athanor(['tokenize', file, '--json'], { cwd, input })).stdout).toBe(ids);
    const continuation = ['--prompt', 'The miller', '--max-tokens', '8', '--seed', '3', '--json'];
    expect((await athanor(['generate', file, ...continuation], { cwd })).stdout).toBe((await athanor(['generate', run, ...continuation], { cwd })).stdout);
    const pair = '{"prompt": "The", "completion": " miller"}\n';
    expect((await athanor(['score', file, '--json'], { cwd, input: pair })).stdout).toBe((await athanor(['score', run, '--json'], { cwd, input: pair })).stdout);
  });

  it('computes with what it stores in fewer bits', async () => {
    const expected = await logits(run), size = Math.max(...expected.map(Math.abs));
    for (const [dtype, bound] of [['bf16', 0.01], ['q8_0', 0.03]] as const) {
      const file = join(cwd, `run-${dtype}.gguf`);
      expect((await athanor(['export', run, '--to', 'gguf', '--dtype', dtype, '--out', file], { cwd })).code).toBe(0);
      const difference = Math.max(...(await logits(file)).map((value, i) => Math.abs(value - expected[i]!)));
      expect(difference).toBeGreaterThan(0);
      expect(difference, dtype).toBeLessThan(bound * size);
    }
  });

  it.each([
    [['export', 'MODEL', '--to', 'gguff', '--out', 'x'], 'did you mean "gguf"'],
    [['export', 'MODEL', '--to', 'gguf', '--dtype', 'q4_k', '--out', 'x'], 'q4_k_m'],
    [['export', 'MODEL', '--to', 'gguf'], '--out PATH'],
    [['export', 'MODEL', '--out', 'x'], '--to gguf|safetensors'],
    [['export', 'MODEL', '--to', 'safetensors', '--dtype', 'q8_0', '--out', 'x'], 'written in f32, bf16, f16'],
    [['export', 'MODEL', '--to', 'onnx', '--dtype', 'q8_0', '--out', 'x'], 'stored in f32 or f16'],
  ])('refuses %j', async (args, message) => {
    const { code, stderr } = await athanor(args.map((word) => (word === 'MODEL' ? run : word)), { cwd });
    expect(code).toBe(2);
    expect(stderr).toContain(message);
  });
});

describe('athanor generate', () => {
  it('gives the same text for the same seed, and what --json promises', async () => {
    const args = ['generate', run, '--prompt', 'The miller', '--max-tokens', '8', '--seed', '3', '--json'];
    const [a, b] = await Promise.all([athanor(args, { cwd }), athanor(args, { cwd })]);
    expect(a.code, a.stderr).toBe(0);
    const [line] = jsonLines(a.stdout);
    expect(Object.keys(line!).sort()).toEqual(['finishReason', 'ids', 'logprobs', 'text']);
    expect((line!['ids'] as number[]).length).toBe((line!['logprobs'] as number[]).length);
    expect(b.stdout).toBe(a.stdout);
  });

  it('continues ids, and refuses ids that are none', async () => {
    expect((await athanor(['generate', run, '--prompt-ids', '5,6,7', '--max-tokens', '2', '--json'], { cwd })).code).toBe(0);
    for (const ids of ['5,x', '999999', '-1']) {
      const { code, stderr } = await athanor(['generate', run, `--prompt-ids=${ids}`], { cwd });
      expect(code, ids).toBe(2);
      expect(stderr).toMatch(/^Error: .+\n$/);
    }
  });
});

interface Phase {
  phase: string;
  seconds: number;
  runs: number;
  operators: { operator: string; type: string; seconds: number; calls: number; share: number; gflopsPerSecond: number; gbPerSecond: number; limitShare: number | null }[];
  dispatchSeconds: number;
  outsideSeconds: number;
}

/** All time of a phase is somewhere, and its rates are numbers. */
function expectWhole(phase: Phase): void {
  expect(phase.operators.reduce((sum, { seconds }) => sum + seconds, 0) + phase.dispatchSeconds + phase.outsideSeconds).toBeCloseTo(phase.seconds, 6);
  for (const { calls, gflopsPerSecond, gbPerSecond, limitShare } of phase.operators) {
    expect(calls % phase.runs === 0 || phase.phase === 'step').toBe(true);
    expect([gflopsPerSecond, gbPerSecond, limitShare].every((rate) => Number.isFinite(rate) && rate! >= 0)).toBe(true);
  }
}

describe('--profile', () => {
  it('of generate tells prefill from decode', async () => {
    const args = ['generate', run, '--prompt', 'The miller went down', '--max-tokens', '6', '--seed', '3'];
    const json = await athanor([...args, '--profile', '--json'], { cwd });
    expect(json.code, json.stderr).toBe(0);
    const [line] = jsonLines(json.stdout) as [{ ids: number[]; profile: { peak: { f32Flops: number; readBytes: number }; phases: Phase[] } }];
    expect(line.profile.phases.map(({ phase, runs }) => [phase, runs])).toEqual([['prefill', 1], ['decode', line.ids.length - 1]]);
    expect(line.profile.peak.f32Flops).toBeGreaterThan(1e9);
    line.profile.phases.forEach(expectWhole);
    const text = await athanor([...args, '--profile'], { cwd });
    expect(text.stdout).toMatch(/^The miller went down.*\n\nprefill +seconds +share +calls +GFLOP\/s +GB\/s +of limit\n.*^decode .*^linear f32 .*^between instructions .*^outside \(JavaScript\) .*^Measured limits: /ms);
  });

  it('of train counts steps, validation and samples apart', async () => {
    const { code, stdout, stderr } = await athanor(['train', recipe, '--data.path', text, '--dir', join(cwd, 'profiled'), '--profile', '--json'], { cwd });
    expect(code, stderr).toBe(0);
    const lines = jsonLines(stdout);
    expect(lines.slice(0, -1).map(({ step }) => step)).toEqual(Array.from({ length: 12 }, (_, i) => i + 1));
    const { phases } = lines.at(-1)!['profile'] as { phases: Phase[] };
    expect(phases.map(({ phase }) => phase)).toEqual(['step', 'validation', 'samples']);
    phases.forEach(expectWhole);
    const [step] = phases as [Phase];
    expect(step.runs).toBe(12 * 3); // gradients, norm, update
    expect(step.operators.find(({ operator }) => operator === 'attentionBackward')?.calls).toBe(12 * 2);
    expect(read(join(cwd, 'profiled', 'metrics.jsonl'))).not.toContain('profile');
  });
});

describe('athanor logits and score', () => {
  it('agree on how likely a token is', async () => {
    const prompt = '春天', completion = '的';
    const { stdout } = await athanor(['score', run, '--json'], { cwd, input: `${JSON.stringify({ prompt, completion })}\n` });
    const [scored] = jsonLines(stdout) as [{ logprob: number; tokens: number }];
    const ids = async (input: string): Promise<number[]> => jsonLines((await athanor(['tokenize', run, '--json'], { cwd, input })).stdout)[0]!['ids'] as number[];
    const whole = await ids(prompt + completion), all = jsonLines((await athanor(['logits', run, '--ids', whole.join(','), '--all', '--json'], { cwd })).stdout) as { logits: number[] }[];
    expect(all).toHaveLength(whole.length);
    let expected = 0;
    for (let i = whole.length - scored.tokens; i < whole.length; i++) {
      const row = all[i - 1]!.logits, top = Math.max(...row);
      expected += row[whole[i]!]! - top - Math.log(row.reduce((sum, x) => sum + Math.exp(x - top), 0));
    }
    expect(scored.logprob).toBeCloseTo(expected, 3); // f32 logits in batches of another size
    const last = jsonLines((await athanor(['logits', run, '--ids', whole.join(','), '--json'], { cwd })).stdout)[0] as { logits: number[] };
    expect(last.logits).toEqual(all.at(-1)!.logits);
  });
});

describe('athanor plan', () => {
  it('counts what the model has, to the byte, and writes nothing', async () => {
    const dir = temporaryFolder();
    const { code, stdout, stderr } = await athanor(['plan', recipe, '--json', '--data.path', text], { cwd: dir });
    expect(code, stderr).toBe(0);
    const [value] = jsonLines(stdout) as [{ parameters: number; bytes: Record<string, number>; fits: boolean; tokensPerSecond: number; flopsPerStep: number }];
    // 300·32 embedding; a layer: q 32·32, k and v 16·32 each, o 32·32, three 32·64 matrices, two norms; a last norm.
    const layer = 2 * 32 * 32 + 2 * 16 * 32 + 3 * 32 * 64 + 2 * 32, parameters = 300 * 32 + 2 * layer + 32;
    expect(value.parameters).toBe(parameters);
    expect(value.bytes).toMatchObject({ weights: 4 * parameters, gradients: 4 * parameters, moments: 8 * parameters });
    expect(value.bytes['peak']).toBe(value.bytes['states']! + value.bytes['arena']!);
    expect(value.fits).toBe(true);
    expect(value.tokensPerSecond).toBeGreaterThan(0);
    expect(readdirSync(dir)).toEqual([]);
  });

  it('says that a model is too large before anything is allocated', async () => {
    const args = ['--model.hidden_size', '32768', '--model.num_hidden_layers', '64', '--data.path', text];
    const planned = await athanor(['plan', recipe, '--json', ...args], { cwd });
    expect(planned.code, planned.stderr).toBe(0);
    expect(jsonLines(planned.stdout)[0]).toMatchObject({ fits: false });
    const { code, stderr } = await athanor(['train', recipe, '--dir', join(cwd, 'large'), ...args], { cwd });
    expect(code).toBe(1);
    expect(stderr).toMatch(/Cannot train this model here: .* MiB are free/);
  });
});

describe('athanor data build, tokenizer train, info', () => {
  it('build data that a run then uses', async () => {
    const dir = join(cwd, 'data');
    const { code, stdout, stderr } = await athanor(['data', 'build', recipe, '--data.path', text, '--dir', dir, '--json'], { cwd });
    expect(code, stderr).toBe(0);
    expect(jsonLines(stdout)[0]).toMatchObject({ fresh: true, vocabSize: 300 });
    const trained = await athanor(['train', recipe, '--data.dir', dir, '--dir', join(cwd, 'second'), '--train.steps', '3', '--json'], { cwd });
    expect(trained.code, trained.stderr).toBe(0);
    expect(existsSync(join(cwd, 'second', 'data'))).toBe(false);
    expect(jsonLines(trained.stdout)).toHaveLength(3);
  });

  it('learn a vocabulary of both languages', async () => {
    const out = join(cwd, 'tokenizer.json');
    const { code, stdout, stderr } = await athanor(['tokenizer', 'train', text, '--vocab-size', '400', '--out', out, '--json'], { cwd });
    expect(code, stderr).toBe(0);
    expect(jsonLines(stdout)[0]).toMatchObject({ file: out, vocabSize: 400 });
    const ids = jsonLines((await athanor(['tokenize', out, '--json'], { cwd, input: '春天的早晨' })).stdout)[0]!['ids'] as number[];
    expect(ids.length).toBeLessThan(15); // 15 bytes: pairs were merged
  });

  it('describe the machine', async () => {
    const { code, stdout } = await athanor(['info', '--json'], { cwd });
    expect(code).toBe(0);
    expect(jsonLines(stdout)[0]).toMatchObject({ node: process.version, families: Object.keys(FAMILIES).sort() });
  });
});

describe('athanor', () => {
  it.each([
    [['trian'], 'Unknown command "trian": did you mean "train"?'],
    [['data', 'biuld'], 'did you mean "build"?'],
    [['train', 'x.yaml', '--resum'], 'Unknown option "resum": did you mean "resume"?'],
    [['generate', 'x', '--max-token', '3'], 'did you mean "max-tokens"?'],
    [['plan', 'tiny.yaml', '--train.schedule.warmupStep', '3'], 'did you mean "warmupSteps"?'],
    [['plan', 'tiny.yaml', '--train.warmupSteps', '3'], 'did you mean "train.schedule.warmupSteps"?'],
    [['generate'], 'MODEL is missing'],
    [['info', 'more'], '"more" is one word too many'],
    [['generate', 'x', '--max-tokens', 'many', '--prompt', 'a'], 'Cannot'],
  ])('%j: exit code 1 or 2, one paragraph, nothing on standard output', async (args, message) => {
    const { code, stdout, stderr } = await athanor(args, { cwd });
    expect([1, 2]).toContain(code);
    expect(stderr).toContain(message);
    expect(stderr.trimEnd().split('\n')).toHaveLength(1);
    expect(stdout).toBe('');
  });

  it('teaches every command', async () => {
    const overview = (await athanor(['--help'], { cwd })).stdout;
    for (const name of ['plan', 'data build', 'tokenizer train', 'tokenize', 'train', 'generate', 'logits', 'score', 'bench', 'info', 'quickstart']) {
      expect(overview).toContain(`  ${name} `);
      const { code, stdout } = await athanor([...name.split(' '), '--help'], { cwd });
      expect(code).toBe(0);
      expect(stdout).toContain('Examples:');
      expect(stdout).toContain('--json');
    }
  });
});
