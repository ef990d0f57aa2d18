// The machine's limits, for the `limit` of other benches' lines.

import { bestPeak, NativeExecutor, type Peak } from 'athanor/backends';

export type { Peak } from 'athanor/backends';

/** Under a real-time priority the threads of one executor can share a core for a while, so each try has new ones. */
const TRIES = 3;

/**
 * The best of some tries. Measured in this process, not in the one whose memory is reported: the measurement reads a large
 * block.
 */
export async function measurePeak(threads: number): Promise<Peak> {
  const tries: Peak[] = [];
  for (let i = 0; i < TRIES; i++) {
    const executor = NativeExecutor.open({ threads });
    try {
      tries.push(await executor.measurePeak());
    } finally {
      await executor.close();
    }
  }
  return bestPeak(tries);
}

/** The rate that bounds products of a precision; without an instruction for bf16 they are done in fp32. */
export function peakFlops(peak: Peak, precision: 'fp32' | 'bf16'): number {
  return precision === 'bf16' && peak.bf16Flops > 0 ? peak.bf16Flops : peak.f32Flops;
}
