// The machine's limits, for the `limit` of other benches' lines.

import { NativeExecutor, type Peak } from 'athanor/backends';

export type { Peak } from 'athanor/backends';

/** Measures in this process, not in the one whose memory is reported: the measurement reads a large block. */
export async function measurePeak(threads: number): Promise<Peak> {
  const executor = NativeExecutor.open({ threads });
  try {
    return await executor.measurePeak();
  } finally {
    await executor.close();
  }
}

/** The rate that bounds products of a precision; without an instruction for bf16 they are done in fp32. */
export function peakFlops(peak: Peak, precision: 'fp32' | 'bf16'): number {
  return precision === 'bf16' && peak.bf16Flops > 0 ? peak.bf16Flops : peak.f32Flops;
}
