// The native core: programs on the processor's SIMD units. Layer: backends.

export type { Machine, Peak } from './addon.ts';
export { NativeExecutor, type NativeOptions } from './executor.ts';
export { mapFile } from './map-file.ts';
export { bestPeak } from './peak.ts';
