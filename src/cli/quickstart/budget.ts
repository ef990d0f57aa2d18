// How many steps fit the minutes that are left. Layer: cli (pure).

/** What is known when the number of steps is chosen. */
export interface Budget {
  /** Seconds until the command should have ended. */
  readonly secondsLeft: number;
  readonly secondsPerStep: number;
  /** Of one micro-batch of validation. */
  readonly secondsPerEvaluation: number;
  /** Micro-batches of the whole held-out text. */
  readonly evaluations: number;
  /** Optimizer steps that read the training text once. */
  readonly stepsPerEpoch: number;
}

/** What was chosen. */
export interface Fit {
  readonly steps: number;
  /** Steps between two validations. */
  readonly everySteps: number;
  /** Micro-batches of each of them. */
  readonly batches: number;
  /** Micro-batches of the last one; undefined for all of the held-out text. */
  readonly finalBatches: number | undefined;
  /** Why it is not more. */
  readonly bound: 'time' | 'text';
}

/** Five completions, saving the model and the last words. Measured at 3 s on two cores; twice that on a busy machine. */
const AFTER_SECONDS = 6;
/** What a machine that is not alone can lose against its measurement. */
const CAUTION = 0.85;
const VALIDATIONS = 6, VALIDATION_BATCHES = 4;
/** More passes over the same text only learn it by heart (Muennighoff et al. 2023, arXiv 2305.16264: up to 4 are as good as new text, 16 still help a little). */
const MAX_EPOCHS = 16;
const LEAST_STEPS = 10;

/** Chooses steps so that everything ends in time. */
export function fitSteps({ secondsLeft, secondsPerStep, secondsPerEvaluation, evaluations, stepsPerEpoch }: Budget): Fit {
  // The last validation may take a quarter of what is left.
  const affordable = Math.max(1, Math.floor((0.25 * secondsLeft) / secondsPerEvaluation)), final = Math.min(evaluations, affordable);
  const training = CAUTION * (secondsLeft - AFTER_SECONDS - final * secondsPerEvaluation - VALIDATIONS * VALIDATION_BATCHES * secondsPerEvaluation);
  const byTime = Math.max(LEAST_STEPS, Math.floor(training / secondsPerStep)), byText = Math.max(LEAST_STEPS, Math.ceil(MAX_EPOCHS * stepsPerEpoch));
  const steps = Math.min(byTime, byText);
  return {
    steps,
    everySteps: Math.max(1, Math.ceil(steps / VALIDATIONS)),
    batches: VALIDATION_BATCHES,
    finalBatches: final < evaluations ? final : undefined,
    bound: byTime <= byText ? 'time' : 'text',
  };
}
