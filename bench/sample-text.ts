// Real text for benches of tokenizers and data, the same on any machine with this checkout's packages: documentation,
// type declarations and sources out of node_modules. ATHANOR_BENCH_TEXT names a file to take instead.

import { readFileSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { checkout } from './places.ts';

const KINDS = /\.(md|d\.ts|js|mjs|cjs|ts)$/;
/** Longer files are bundles, and one of them would be half of the text. */
const LONGEST = 400_000;

/**
 * Documents of about so many bytes in all, in the order of their paths.
 *
 * @param bytes where to stop
 */
export function sampleTexts(bytes: number): string[] {
  const named = process.env['ATHANOR_BENCH_TEXT'];
  if (named !== undefined) return [readFileSync(named, 'utf8').slice(0, bytes)];
  const root = join(checkout(), 'node_modules'), texts: string[] = [];
  const paths = (readdirSync(root, { recursive: true }) as string[]).filter((path) => KINDS.test(path)).sort();
  let total = 0;
  for (const path of paths) {
    if (total >= bytes) break;
    if (statSync(join(root, path)).isDirectory()) continue; // punycode.js is one
    const text = readFileSync(join(root, path), 'utf8');
    if (text.length > LONGEST || text.length === 0) continue;
    texts.push(text);
    total += Buffer.byteLength(text);
  }
  return texts;
}
