// Scratch that the native attention kernels ask for. Layer: core. One formula here and in native/cpu/attention*.cc.
import type { Meta } from './tensor.ts';
import type { Target } from './target.ts';
export function attentionWorkspace(_x: readonly (Meta | null)[], t: Target): number { return t.threads * 1024 * 1024; }
export function attentionBackwardWorkspace(_x: readonly (Meta | null)[], t: Target): number { return t.threads * 1024 * 1024; }
export function pagedAttentionWorkspace(_x: readonly (Meta | null)[], t: Target): number { return t.threads * 1024 * 1024; }
