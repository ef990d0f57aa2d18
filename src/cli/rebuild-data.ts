// A built data folder built again with something changed. Layer: cli.

import { readDataJson } from '../data/index.ts';
import type { Io } from './command.ts';
import { prepareData, type PreparedData } from './prepare-data.ts';
import { checkRecipe, type Recipe } from './recipe.ts';
import { ConfigError } from '../base/errors.ts';

/** What `data.json` keeps of the recipe. */
type MadeFrom = { readonly seed: number; readonly data: Recipe['data']; readonly tokenizer: Recipe['tokenizer'] };

/** The data section that a folder was built from. @throws {ConfigError} if it was built from data.path: there is no pipeline to change */
export function builtFrom(dir: string): MadeFrom {
  const made = readDataJson<MadeFrom>(dir, 'data.json');
  if (made.data.sources === undefined) throw new ConfigError(`Cannot change the data in "${dir}": it was built from data.path. List data.sources and data.stages in the recipe, and build again.`, { path: 'data.sources' });
  return made;
}

/** Builds with a changed section; what does not depend on the change is taken from the folder. */
export async function rebuildData(dir: string, made: MadeFrom, change: Partial<Recipe['data']>, io: Io): Promise<PreparedData> {
  const recipe = checkRecipe({ seed: made.seed, data: { ...made.data, ...change }, tokenizer: made.tokenizer, model: 'quickstart', train: { steps: 1 } }, [], `${dir}/data.json`);
  return prepareData(recipe, dir, io);
}
