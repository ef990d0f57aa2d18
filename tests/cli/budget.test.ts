import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { fitSteps } from '../../src/cli/quickstart/budget.ts';

describe('fitSteps()', () => {
  it('leaves time for the validations, the last one and what comes after', () => {
    fc.assert(fc.property(fc.double({ min: 30, max: 600, noNaN: true }), fc.double({ min: 0.01, max: 1, noNaN: true }), fc.integer({ min: 1, max: 500 }), (secondsLeft, secondsPerStep, evaluations) => {
      const secondsPerEvaluation = secondsPerStep / 4;
      const { steps, batches, everySteps, finalBatches = evaluations } = fitSteps({ secondsLeft, secondsPerStep, secondsPerEvaluation, evaluations, stepsPerEpoch: Infinity });
      const spent = steps * secondsPerStep + Math.floor(steps / everySteps) * batches * secondsPerEvaluation + finalBatches * secondsPerEvaluation;
      if (steps > 10) expect(spent).toBeLessThan(secondsLeft - 5);
    }));
  });

  it('does not read a little text for ever', () => {
    expect(fitSteps({ secondsLeft: 200, secondsPerStep: 0.01, secondsPerEvaluation: 0.01, evaluations: 1, stepsPerEpoch: 5 })).toMatchObject({ steps: 80, bound: 'text' });
  });
});
