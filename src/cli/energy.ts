// The processor's own energy counter. Layer: cli (file access).

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const POWERCAP = '/sys/class/powercap';

/**
 * Joules that the processor packages have used since some moment; only differences mean something, and a counter wraps
 * round after hours.
 *
 * @returns undefined where there is no counter, or it may not be read (Linux gives it to root only)
 * @see Linux Documentation/power/powercap/powercap.rst: intel-rapl:N/energy_uj
 */
export function readJoules(): number | undefined {
  try {
    const packages = readdirSync(POWERCAP).filter((name) => /^intel-rapl:\d+$/.test(name));
    if (packages.length === 0) return undefined;
    return packages.reduce((sum, name) => sum + Number(readFileSync(join(POWERCAP, name, 'energy_uj'), 'utf8')) / 1e6, 0);
  } catch {
    return undefined;
  }
}
