// The version of this package. Layer: cli.

import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** The package's folder, seen from src/ and from dist/ alike. */
export const PACKAGE_FOLDER = fileURLToPath(new URL('../../', import.meta.url));

/** As in package.json. */
export function version(): string {
  return (JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as { version: string }).version;
}
