// Where the project is, and failures that a user can do something about.

import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const ROOT = join(dirname(fileURLToPath(import.meta.url)), '..');

/** Printed without a stack: the message says what to do. */
export class BuildError extends Error {}
