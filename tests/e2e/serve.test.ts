// athanor serve and athanor chat as built: keys, the address, ends and exit codes.

import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { ask } from '../serve/raw-http.ts';
import { writeTinyModel } from '../serve/tiny-model.ts';
import { athanor, jsonLines, start, temporaryFolder } from './command-line.ts';

const cwd = temporaryFolder(), model = join(cwd, 'tiny');
beforeAll(async () => void await writeTinyModel(model));

describe('athanor serve', () => {
  it('serves behind a key, writes a line a request, and ends with 0 on SIGTERM', async () => {
    const { code, stdout } = await athanor(['serve', '--new-key', 'me', '--keys', 'keys.json', '--json'], { cwd }), { key } = jsonLines(stdout)[0] as { key: string };
    expect(code).toBe(0);
    expect(readFileSync(join(cwd, 'keys.json'), 'utf8')).not.toContain(key);
    const running = start(['serve', `mine=${model}`, '--port', '0', '--host', '0.0.0.0', '--keys', 'keys.json', '--json'], { cwd });
    let url = '';
    running.child.stdout!.on('data', (text: string) => {
      url ||= /"url":"([^"]+)"/.exec(text)?.[1]?.replace('0.0.0.0', '127.0.0.1') ?? '';
    });
    await running.lines(1);
    const body = JSON.stringify({ model: 'mine', prompt: 'The', max_tokens: 3 });
    expect((await ask(`${url}/v1/completions`, { body })).status).toBe(401);
    expect((await ask(`${url}/v1/completions`, { body, headers: { authorization: `Bearer ${key}` } })).status).toBe(200);
    running.child.kill('SIGTERM');
    const ended = await running.ended;
    expect(ended.code).toBe(0);
    expect(jsonLines(ended.stdout).filter(({ event }) => event === 'request').map(({ outcome, key: name }) => [outcome, name])).toEqual([['done', 'me']]);
  });

  it('refuses other addresses without a key, and two models of one name', async () => {
    expect(await athanor(['serve', model, '--host', '0.0.0.0'], { cwd })).toMatchObject({ code: 2, stderr: expect.stringContaining('without a key') });
    expect(await athanor(['serve', model, `tiny=${model}`], { cwd })).toMatchObject({ code: 2, stderr: expect.stringContaining('two models as "tiny"') });
    expect(existsSync(join(cwd, 'core'))).toBe(false);
  });
});

describe('athanor chat', () => {
  it('answers each line of its input, and remembers what was said', async () => {
    const { code, stdout, stderr } = await athanor(['chat', model, '--json', '--max-tokens', '4', '--seed', '3'], { cwd, input: 'Hello\nAgain\n/new\nHello\n' });
    expect(code, stderr).toBe(0);
    const answers = jsonLines(stdout) as unknown as { text: string; usage: { promptTokens: number } }[];
    expect(answers).toHaveLength(3);
    expect(answers[1]!.usage.promptTokens).toBeGreaterThan(answers[0]!.usage.promptTokens);
    expect(answers[2]!.text).toBe(answers[0]!.text);
  });
});
