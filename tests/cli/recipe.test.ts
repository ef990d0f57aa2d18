import { readdirSync } from 'node:fs';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { stringify } from 'yaml';
import { afterAll, describe, expect, it } from 'vitest';
import { checkRecipe, loadDataRecipe, loadRecipe } from '../../src/cli/recipe.ts';
import { modelOf, resolved } from '../../src/cli/train-run.ts';

const RECIPES = fileURLToPath(new URL('../../recipes/', import.meta.url)), folder = mkdtempSync(join(tmpdir(), 'athanor-recipe-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const file = (name: string, content: string): string => {
  writeFileSync(join(folder, name), content);
  return join(folder, name);
};

describe('loadRecipe()', () => {
  it.each(readdirSync(RECIPES))('%s is valid, and its resolved form says the same again', async (name) => {
    const recipe = await loadRecipe(join(RECIPES, name)), whole = resolved(recipe, modelOf(recipe, 300));
    expect(await loadRecipe(file(`again-${name}`, stringify(whole)))).toEqual(JSON.parse(JSON.stringify(whole)));
  });

  it('sets what the command line says, text as text', async () => {
    const recipe = await loadRecipe(file('a.yaml', 'model: quickstart\ntrain: {steps: 3}\n'), [['train.steps', '500'], ['data.dir', '2024'], ['data.raw', 'true'], ['model.num_hidden_layers', '2'], ['data.path', '[a, b]']]);
    expect(recipe).toMatchObject({ train: { steps: 500 }, data: { dir: '2024', raw: true, path: ['a', 'b'] }, model: { preset: 'quickstart', num_hidden_layers: 2 } });
  });

  it('reads JavaScript', async () => {
    expect((await loadRecipe(file('b.mjs', 'export default { model: "quickstart", train: { steps: 1 + 1 } };'))).train.steps).toBe(2);
  });

  it.each([
    ['model: a\ntrain:\n  steps: 3\n  stpes: 4\n', 'line 4): did you mean "steps"?'],
    ['model: a\ntrain: {}\n', 'train.steps is missing'],
    ['model: a\ntrain:\n  steps: many\n', 'line 3): expected number'],
    ['model: a\nmodel: b\n', 'line 2'],
    ['__proto__: {a: 1}\nmodel: a\ntrain: {steps: 1}\n', 'Unknown key "__proto__"'],
    ['a: &a [x, x]\nb: &b [*a, *a, *a, *a, *a, *a, *a, *a, *a]\nc: &c [*b, *b, *b, *b, *b, *b, *b, *b, *b]\nd: [*c, *c, *c, *c, *c, *c, *c, *c, *c]\n', 'Cannot read the recipe'],
  ])('refuses %j, saying where', async (text, message) => {
    await expect(loadRecipe(file('c.yaml', text))).rejects.toThrow(message);
  });
});

describe('loadDataRecipe()', () => {
  it('needs neither a model nor its training, and refuses what it does not know', async () => {
    expect(await loadDataRecipe(file('d.yaml', 'seed: 3\ndata: {path: a}\n'))).toMatchObject({ seed: 3, data: { path: 'a' }, tokenizer: { kind: 'bpe' } });
    await expect(loadDataRecipe(file('e.yaml', 'data: {paths: a}\n'))).rejects.toThrow('did you mean "path"?');
  });
});

describe('checkRecipe()', () => {
  it('takes no key that reaches a prototype', () => {
    expect(() => checkRecipe({ model: 'a', train: { steps: 1 } }, [['train.__proto__.polluted', '1']])).toThrow('Unknown');
    expect(({} as { polluted?: number }).polluted).toBeUndefined();
  });
});
