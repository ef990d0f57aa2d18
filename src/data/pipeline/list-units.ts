// The units of all sources, listed once and kept, so that a build that was cut off goes on with the same. Layer: data.

import { existsSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { writeDurable } from '../../base/durable.ts';
import { ConfigError } from '../../base/errors.ts';
import { streamOf } from '../../base/random.ts';
import type { Unit } from '../source-kind.ts';
import { Pacer, type WorkOptions } from '../work.ts';
import { openSource } from './sources.ts';
import { fingerprint, type SourceSpec } from './spec.ts';
import { countName, emptyTally, recordReason, type Tally } from './tally.ts';

/** A unit and the number of its source in the recipe. */
export type ListedUnit = { readonly source: number; readonly unit: Unit };

/** All units, in the order of sources and of each source. */
export type Listing = { readonly units: readonly ListedUnit[]; readonly tally: Tally };

/** Neighbours of one source that are read in one go. */
export type Batch = { readonly source: number; readonly units: readonly Unit[]; readonly bytes: number };

const FILE = 'units.json';
/** A part of a few megabytes: some milliseconds of flushing for a tenth of a second of work. */
const BATCH_BYTES = 8e6;
const BATCH_UNITS = 512;
/** Taken for the size of a unit that does not say. */
const UNKNOWN_BYTES = 1e6;
/** One name in so many ends a batch whatever its size: a new file then moves the borders of a few batches, not of all. */
const BORDER = 256;

/** Groups units, so that thousands of small files are no thousands of parts. Depends on names and sizes alone. */
export function intoBatches(units: readonly ListedUnit[]): Batch[] {
  const batches: { source: number; units: Unit[]; bytes: number }[] = [];
  let isOpen = false;
  for (const { source, unit } of units) {
    const bytes = unit.bytes ?? UNKNOWN_BYTES, last = batches.at(-1);
    const isRoom = isOpen && last!.source === source && last!.units.length < BATCH_UNITS && last!.bytes + bytes <= BATCH_BYTES;
    if (isRoom) {
      last!.units.push(unit);
      last!.bytes += bytes;
    } else batches.push({ source, units: [unit], bytes });
    isOpen = streamOf(unit.key) % BORDER !== 0;
  }
  return batches;
}

/** @throws {ConfigError} if there is nothing to read */
export async function listUnits(work: string, sources: readonly SourceSpec[], options: WorkOptions): Promise<Listing> {
  const path = join(work, FILE), key = fingerprint(sources);
  if (existsSync(path)) {
    try {
      const kept = JSON.parse(readFileSync(path, 'utf8')) as Listing & { key: string };
      if (kept.key === key) return kept;
    } catch {
      // cut off or damaged: listed again
    }
  }
  const listing = await listAll(sources, options);
  if (listing.units.length === 0) {
    const why = Object.entries(listing.tally.skipped).map(([reason, { count }]) => `${count} ${reason}`);
    throw new ConfigError(`Cannot build a corpus from ${sources.map(({ name }) => `"${name}"`).join(', ')}: there is nothing to read${why.length === 0 ? '' : ` (${why.join(', ')})`}. Look at data.sources.`, { path: 'data.sources' });
  }
  writeDurable(path, JSON.stringify({ key, ...listing }));
  return listing;
}

/** Forgets the list: a build that was finished reads its sources anew the next time. */
export function forgetUnits(work: string): void {
  rmSync(join(work, FILE), { force: true });
}

async function listAll(sources: readonly SourceSpec[], options: WorkOptions): Promise<Listing> {
  const units: ListedUnit[] = [], tally = emptyTally(), pacer = new Pacer('walk', 'files', undefined, options);
  let bytes = 0;
  for (const [source, spec] of sources.entries()) {
    const { kind, options: own } = await openSource(spec);
    const listed = kind.list(own, {
      name: spec.name,
      signal: options.signal,
      skip: ({ file, bytes = 0 }, reason, detail) => recordReason(tally.skipped, reason, { path: file, bytes, detail }),
      count: (name, by) => countName(tally, name, by),
    });
    for await (const unit of listed) {
      units.push({ source, unit });
      bytes += unit.bytes ?? 0;
      await pacer.step(units.length, bytes);
    }
  }
  return { units, tally };
}
