// Learning rates by step: warm-up, then cosine, or stable and decay, or constant. Pure functions. Layer: train (pure).

import { z } from 'zod';

/** The `train.schedule` section of a recipe. */
export const scheduleSchema = z.strictObject({
  kind: z.enum(['cosine', 'wsd', 'constant']).default('cosine').describe('what follows the warm-up: half a cosine; stable, then decay; or the peak'),
  warmupSteps: z.int().min(0).default(100).describe('steps of linear warm-up'),
  decayFraction: z.number().min(0).max(1).default(0.2).describe('wsd: share of all steps that the decay takes, at the end'),
  finalRatio: z.number().min(0).max(1).optional().describe('last rate over the peak (default: cosine 0.1, wsd 0)'),
});

export type ScheduleConfig = z.infer<typeof scheduleSchema>;

/**
 * The learning rate of a step.
 * - warm-up over W steps: peak · step / (W + 1), as in nanoGPT;
 * - cosine: from the peak to a tenth of it by half a cosine over the rest (Hoffmann et al. 2022, arXiv 2203.15556, §B);
 * - wsd: the peak, and in the last fifth of all steps a decay by 1 − √x to zero (Hu et al. 2024, arXiv 2404.06395, §4;
 *   the form and length of the decay from Hägele et al. 2024, arXiv 2405.18392, §4);
 * - constant: the peak.
 *
 * @param step from 1 to `steps`; later ones have the last rate
 * @param peak the highest rate
 */
export function learningRate(step: number, steps: number, peak: number, schedule: ScheduleConfig): number {
  const { kind, warmupSteps } = schedule;
  if (step <= warmupSteps) return (peak * step) / (warmupSteps + 1);
  switch (kind) {
    case 'constant':
      return peak;
    case 'cosine': {
      const last = peak * (schedule.finalRatio ?? 0.1), progress = shareOf(step - 1 - warmupSteps, steps - 1 - warmupSteps);
      return last + (peak - last) * 0.5 * (1 + Math.cos(Math.PI * progress));
    }
    case 'wsd': {
      const last = peak * (schedule.finalRatio ?? 0), decaySteps = Math.round(steps * schedule.decayFraction);
      const progress = shareOf(step - (steps - decaySteps), decaySteps);
      return step <= steps - decaySteps ? peak : last + (peak - last) * (1 - Math.sqrt(progress));
    }
    default:
      return kind satisfies never;
  }
}

const shareOf = (done: number, all: number): number => (all <= 0 ? 1 : Math.min(1, Math.max(0, done / all)));
