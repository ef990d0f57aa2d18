// Training and validation: which documents go where. Layer: data (pure).

import { createHash } from 'node:crypto';

/**
 * What is kept together:
 * - `package`: packages under node_modules, elsewhere folders (the document's group);
 * - `folder`, `file`, `document` (a piece of a long file): finer;
 * - `auto`: the coarsest of these that gives validation at least half of what was asked for.
 */
export type SplitLevel = 'package' | 'folder' | 'file' | 'document' | 'auto';

/** What the split looks at. */
export type SplitItem = { id: string; path: string; group: string; bytes: number };

/** Who goes to validation, and what was kept together. */
export type SplitResult = { isValidation: boolean[]; level: Exclude<SplitLevel, 'auto'> };

/** From the coarsest on. */
export const LEVELS = ['package', 'folder', 'file', 'document'] as const;

/** What is kept together at a level. */
export const KEYS: Record<(typeof LEVELS)[number], (item: Omit<SplitItem, 'bytes'>) => string> = {
  package: (item) => item.group,
  folder: (item) => item.path.slice(0, Math.max(0, item.path.lastIndexOf('/'))),
  file: (item) => item.path,
  document: (item) => item.id,
};

/** A group may overshoot validation's share by this much; larger ones stay in training whole. */
const OVERSHOOT = 1.25;

/**
 * Splits by hash: groups are taken in the order of hash(seed, name) until validation has its share of the bytes; one that
 * would overshoot is passed over. Depends on names, sizes and seed, not on the order of the items.
 *
 * @param options `fraction`: share of the bytes for validation, 0 … 1
 */
export function splitByHash(items: readonly SplitItem[], options: { fraction: number; seed: number; level?: SplitLevel }): SplitResult {
  const { fraction, seed, level = 'auto' } = options;
  const target = fraction * items.reduce((sum, item) => sum + item.bytes, 0);
  const levels = level === 'auto' ? LEVELS : [level];
  let best: SplitResult & { bytes: number } = { isValidation: items.map(() => false), level: levels[0]!, bytes: -1 };
  for (const candidate of levels) {
    const result = splitAt(items, candidate, target, seed);
    if (result.bytes > best.bytes) best = result;
    if (best.bytes >= target / 2) break;
  }
  return { isValidation: best.isValidation, level: best.level };
}

function splitAt(items: readonly SplitItem[], level: (typeof LEVELS)[number], target: number, seed: number): SplitResult & { bytes: number } {
  const sizes = new Map<string, number>(), key = KEYS[level];
  for (const item of items) sizes.set(key(item), (sizes.get(key(item)) ?? 0) + item.bytes);
  const order = [...sizes].map(([name, size]) => ({ name, size, hash: createHash('sha256').update(`${seed}\0${name}`).digest('hex') }));
  order.sort((a, b) => (a.hash < b.hash ? -1 : 1));
  const chosen = new Set<string>();
  let bytes = 0;
  for (const { name, size } of order) {
    if (bytes >= target) break;
    if (bytes + size > OVERSHOOT * target) continue;
    chosen.add(name);
    bytes += size;
  }
  return { isValidation: items.map((item) => chosen.has(key(item))), level, bytes };
}
