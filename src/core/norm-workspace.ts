// Scratch of the backward norms: partial sums of the weights' gradients by chunk of rows. Layer: core.
import type { Target } from './target.ts';
export function normBackwardWorkspace(rows: number, cols: number, sums: number, _t: Target): number { return 4 * sums * cols * Math.max(1, Math.ceil(rows / 32)); }
