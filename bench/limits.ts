// limits: what the machine can do at most. Every other bench's `limit` is made of these.

import { NativeExecutor } from 'athanor/backends';
import { median, type Unit } from './bench-line.ts';
import { isAsked, type Bench } from './harness.ts';

/** A measurement takes half a second; the best of them is the machine's, as it never runs faster than it can. */
const REPETITIONS = 5;

export const limits: Bench = {
  about: 'peak multiply-add rate in fp32 and bf16, and memory bandwidth, measured by the native core',
  async run({ report, note, threads, only }) {
    const executor = NativeExecutor.open({ threads }), { cpuModel, isa } = executor.machine();
    try {
      note(`${cpuModel}, ${isa}, ${threads} threads`);
      const peaks = [];
      for (let i = 0; i < REPETITIONS; i++) peaks.push(await executor.measurePeak());
      const rows: [string, Unit, number[]][] = [
        ['fma fp32', 'GFLOP/s', peaks.map((p) => p.f32Flops / 1e9)],
        ['fma bf16', 'GFLOP/s', peaks.map((p) => p.bf16Flops / 1e9)],
        ['read', 'GB/s', peaks.map((p) => p.readBytes / 1e9)],
      ];
      for (const [name, unit, values] of rows) {
        if (!isAsked({ only }, name)) continue;
        const value = Math.max(...values);
        if (value === 0) {
          note(`${name}: the processor has no instruction for it`);
          report({ bench: 'limits', case: name, value: null, unit, limit: null, peer: null, peerValue: null, ratio: null });
          continue;
        }
        note(`${name}: median ${median(values).toPrecision(4)}, best ${value.toPrecision(4)} ${unit}`);
        report({ bench: 'limits', case: name, value, unit, limit: value, peer: null, peerValue: null, ratio: null });
      }
    } finally {
      await executor.close();
    }
  },
};
