// Other people's software that some tests run our files with. It is too large for every checkout: `npm install --no-save` it,
// or name a folder whose node_modules has it in ATHANOR_PEERS. Tests without it skip.

import { createRequire } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const CHECKOUT = fileURLToPath(new URL('..', import.meta.url));
const resolver = createRequire(join(process.env['ATHANOR_PEERS'] ?? CHECKOUT, 'from.js'));

/** Where a file of a package is, or undefined if it is not installed. */
export function strangerPath(specifier: string): string | undefined {
  try {
    return resolver.resolve(specifier);
  } catch {
    return undefined;
  }
}
