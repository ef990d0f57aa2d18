// What several measurements of the machine's limits say together. Layer: backends (pure).

import type { Peak } from './addon.ts';

/** The best of each: a machine is never faster than it can be. */
export function bestPeak(tries: readonly Peak[]): Peak {
  const best = (of: (peak: Peak) => number): number => Math.max(...tries.map(of));
  return { f32Flops: best((peak) => peak.f32Flops), bf16Flops: best((peak) => peak.bf16Flops), readBytes: best((peak) => peak.readBytes) };
}
