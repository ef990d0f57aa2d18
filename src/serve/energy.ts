// Energy that the processor says it used: RAPL, where Linux lets it be read. Layer: serve (file access).
// See https://docs.kernel.org/power/powercap/powercap.html.

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const POWERCAP = '/sys/class/powercap';

export interface Energy {
  /** Joules of all packages since some moment; counters that went round are followed. */
  joules(): number | undefined;
}

/** A reader of the packages' counters; undefined where there are none, or they may not be read. */
export function openEnergy(folder = POWERCAP): Energy | undefined {
  const zones = packagesIn(folder).map((path) => ({ path, last: 0, sum: 0, most: 0 }));
  try {
    for (const zone of zones) {
      zone.last = readNumber(join(zone.path, 'energy_uj'));
      zone.most = readNumber(join(zone.path, 'max_energy_range_uj'));
    }
  } catch {
    return undefined;
  }
  if (zones.length === 0) return undefined;
  return {
    joules() {
      try {
        for (const zone of zones) {
          const now = readNumber(join(zone.path, 'energy_uj'));
          zone.sum += now >= zone.last ? now - zone.last : now + zone.most - zone.last;
          zone.last = now;
        }
        return zones.reduce((sum, zone) => sum + zone.sum, 0) / 1e6;
      } catch {
        return undefined;
      }
    },
  };
}

function packagesIn(folder: string): string[] {
  try {
    return readdirSync(folder).filter((name) => /^intel-rapl:\d+$/.test(name)).map((name) => join(folder, name));
  } catch {
    return [];
  }
}

function readNumber(path: string): number {
  const value = Number(readFileSync(path, 'utf8'));
  if (!Number.isFinite(value)) throw new RangeError(path);
  return value;
}
