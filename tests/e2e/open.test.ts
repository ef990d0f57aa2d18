// athanor open: what it says of models that it knows, and why it cannot use others.

import { cpSync, readFileSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { saveTokenizer, trainChars } from '../../src/tokenizer/index.ts';
import { LoopbackHub } from '../models/loopback-hub.ts';
import { athanor, jsonLines, temporaryFolder, write } from './command-line.ts';

const golden = new URL('../golden/models/llama-tied', import.meta.url).pathname;
const cwd = temporaryFolder();

function copy(name: string, config: object = {}): string {
  const folder = join(cwd, name);
  cpSync(golden, folder, { recursive: true });
  write(join(folder, 'config.json'), JSON.stringify({ ...JSON.parse(readFileSync(join(folder, 'config.json'), 'utf8')), ...config }));
  return folder;
}

async function opened(path: string): Promise<Record<string, unknown>> {
  const { code, stdout, stderr } = await athanor(['open', path, '--json'], { cwd });
  expect(stderr.replace(/^fetching .*\n/gm, '')).toBe('');
  expect(code).toBe(0);
  return jsonLines(stdout)[0]!;
}

describe('athanor open', () => {
  it('says what a folder is and what it needs, to the byte where that can be counted', async () => {
    const folder = copy('card');
    write(join(folder, 'README.md'), '---\nlicense: apache-2.0\ntags: [a]\n---\n# A model\n');
    write(join(folder, 'tokenizer_config.json'), JSON.stringify({ chat_template: [{ name: 'default', template: '{{ messages }}' }, { name: 'tool_use', template: '{{ tools }}' }] }));
    const it = await opened(folder), parameters = 18_592;
    expect(it).toMatchObject({ family: 'llama', format: 'safetensors', parameters, dtypes: { f32: parameters }, context: 96, licence: 'apache-2.0', chatTemplates: ['default', 'tool_use'], supported: true, reasons: [] });
    expect(it['fileBytes']).toBe(statSync(join(folder, 'model.safetensors')).size);
    const [run] = it['run'] as Record<string, number>[], cachePerToken = 4 * 2 * 2 * 2 * 8; // f32, layers, keys and values, heads, size
    expect(it['cacheBytesPerToken']).toBe(cachePerToken);
    expect(run).toMatchObject({ context: 96, kvCache: 96 * cachePerToken, fits: true });
    expect(it['train']).toMatchObject({ weights: 4 * parameters, gradients: 4 * parameters, moments: 8 * parameters });
  });

  it('says which field keeps a model from being used, and still what it is', async () => {
    const folder = copy('unknown', { model_type: 'mamba9' });
    const it = await opened(folder);
    expect(it).toMatchObject({ family: 'mamba9', parameters: 18_592, context: 96, supported: false });
    expect((it['reasons'] as string[])[0]).toMatch(/model_type "mamba9" is not supported; supported: .*llama/);
    expect((await opened(copy('quantised', { quantization_config: { quant_method: 'gptq' } })))['reasons']).toEqual([expect.stringMatching(/quantization_config .*gptq/)]);
  });

  it('refuses pickles by folder and by file, with a way out', async () => {
    const folder = copy('pickle');
    rmSync(join(folder, 'model.safetensors'));
    write(join(folder, 'pytorch_model.bin'), 'PK\u0003\u0004 and more');
    expect((await opened(folder))['reasons']).toEqual([expect.stringMatching(/pytorch_model.bin.*never read.*safetensors/)]);
    const { code, stderr } = await athanor(['open', join(folder, 'pytorch_model.bin')], { cwd });
    expect(code).toBe(1);
    expect(stderr).toMatch(/a zip file, as PyTorch writes its pickles/);
  });
});

describe('athanor generate --message', () => {
  it("puts a message into the model's chat template, where it steers nothing", async () => {
    const folder = copy('chat'), alphabet = `\n${Array.from({ length: 93 }, (_, i) => String.fromCharCode(32 + i)).join('')}`, special = ['<|im_start|>', '<|im_end|>'];
    saveTokenizer(await trainChars((async function* text() {
      yield alphabet;
    })(), { specialTokens: special }), folder);
    const template = `{% for m in messages %}{{ '<|im_start|>' + m.role + '\n' + m.content + '<|im_end|>' }}{% endfor %}{{ '<|im_start|>assistant\n' }}`;
    write(join(folder, 'tokenizer_config.json'), JSON.stringify({ chat_template: template }));
    const run = (...args: string[]) => athanor(['generate', folder, '--max-tokens', '3', '--temperature', '0', '--json', ...args], { cwd });
    const tokenize = async (text: string, ...args: string[]): Promise<number[]> => jsonLines((await athanor(['tokenize', folder, '--json', ...args], { cwd, input: text })).stdout)[0]!['ids'] as number[];
    const around = async (text: string): Promise<number[]> => [...await tokenize('<|im_start|>user\n', '--special'), ...await tokenize(text), ...await tokenize('<|im_end|><|im_start|>assistant\n', '--special')];
    const text = 'Hello<|im_end|>', ids = await around(text);
    const [asMessage, asIds] = await Promise.all([run('--message', text), run('--prompt-ids', ids.join(','))]);
    expect(asMessage.stderr).toBe('');
    expect(asMessage.stdout).toBe(asIds.stdout);
    expect((await run('--message', 'Hello', '--prompt', 'x')).code).toBe(2);
    expect((await run('--system', 'B')).stderr).toMatch(/--system without --message/);
  });
});

describe('hub: names', async () => {
  const hub = await LoopbackHub.start();
  afterAll(() => hub.close());

  it('are taken by open and by every command that takes a model, and offline from the cache', async () => {
    hub.add('ann/tiny', Object.fromEntries(['config.json', 'model.safetensors'].map((name) => [name, readFileSync(join(golden, name))])));
    Object.assign(process.env, { HF_ENDPOINT: hub.endpoint, HF_HOME: join(cwd, 'hf'), HF_TOKEN: 'hf_secret' });
    const it = await opened('hub:ann/tiny');
    expect(it).toMatchObject({ model: 'hub:ann/tiny', commit: hub.commitOf('ann/tiny'), supported: true, parameters: 18_592 });
    for (const { host, authorization } of hub.requests) expect(authorization).toBe(host === 'hub' ? 'Bearer hf_secret' : undefined);
    hub.requests.length = 0;
    process.env['HF_HUB_OFFLINE'] = '1';
    const fromHub = await athanor(['logits', 'hub:ann/tiny', '--ids', '1,2,3', '--json'], { cwd }), fromFolder = await athanor(['logits', golden, '--ids', '1,2,3', '--json'], { cwd });
    expect(fromHub.stdout).toBe(fromFolder.stdout);
    expect(hub.requests).toEqual([]);
    expect((await athanor(['open', 'hub:ann/other'], { cwd })).stderr).toMatch(/HF_HUB_OFFLINE.*has no copy of it/);
    for (const name of ['HF_ENDPOINT', 'HF_HOME', 'HF_TOKEN', 'HF_HUB_OFFLINE']) delete process.env[name];
  });
});

describe('athanor export --to safetensors', () => {
  it('writes shards of the type that is asked for, with what lies beside the weights', async () => {
    const folder = copy('source'), out = join(cwd, 'written');
    write(join(folder, 'chat_template.jinja'), '{{ messages }}');
    const { code, stdout, stderr } = await athanor(['export', folder, '--to', 'safetensors', '--dtype', 'bf16', '--shard-bytes', '15000', '--out', out, '--json'], { cwd });
    expect(stderr).toBe('');
    expect(code).toBe(0);
    expect(jsonLines(stdout)).toEqual([{ path: out, to: 'safetensors', dtype: 'bf16' }]);
    expect(await opened(out)).toMatchObject({ dtypes: { bf16: 18_592 }, files: 3, chatTemplates: ['default'], supported: true });
    expect((await athanor(['export', folder, '--to', 'safetensors', '--dtype', 'q8_0', '--out', out], { cwd })).stderr).toMatch(/written in f32, bf16, f16/);
  });
});
