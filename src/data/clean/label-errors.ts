// Labels that are probably wrong, by confident learning. Layer: data (pure).
// Northcutt, Jiang & Chuang 2021, arXiv 1911.00068. Scores are those of its authors' library (Kuan & Mueller 2022, "Model-agnostic
// label quality scoring to detect real-world label errors"), so that rankings can be compared.

import { ShapeError } from '../../base/errors.ts';

/** How examples are ranked, worst first; `adjusted` first takes each class's mean confidence off (for classes of unequal size or difficulty). */
export type LabelScore = 'self-confidence' | 'normalized-margin' | 'confidence-weighted-entropy' | 'adjusted-self-confidence' | 'adjusted-normalized-margin';
/** Which examples are called errors: see {@link findLabelErrors}. */
export type LabelFilter = 'confident-learning' | 'prune-by-class' | 'prune-by-noise-rate' | 'both' | 'predicted-neq-given';

type Rows = readonly ArrayLike<number>[];
export type LabelError = { readonly index: number; readonly given: number; readonly suggested: number; readonly score: number };

/** The least that is divided by or put in a logarithm. */
const TINY = 1e-6;

/**
 * The quality of each label, from 0 (surely wrong) to 1.
 *
 * @param labels class of each example, 0 … classes - 1
 * @param probabilities out-of-sample, [examples][classes]
 * @throws {ShapeError} if the two do not fit
 */
export function labelQuality(labels: ArrayLike<number>, probabilities: Rows, method: LabelScore = 'self-confidence'): Float64Array {
  const classes = checkShapes(labels, probabilities), adjusted = method.startsWith('adjusted-');
  const rows = adjusted ? lessThresholds(probabilities, confidentThresholds(labels, probabilities, classes)) : probabilities;
  return Float64Array.from(rows, (row, i) => {
    const own = row[labels[i]!]!;
    if (method === 'confidence-weighted-entropy') return confidenceWeightedEntropy(row, own);
    if (method === 'self-confidence' || method === 'adjusted-self-confidence') return own;
    let other = -Infinity;
    for (let k = 0; k < classes; k++) if (k !== labels[i] && row[k]! > other) other = row[k]!;
    return (own - other + 1) / 2;
  });
}

function confidenceWeightedEntropy(row: ArrayLike<number>, own: number): number {
  let entropy = 0;
  for (let k = 0; k < row.length; k++) if (row[k]! > 0) entropy -= row[k]! * Math.log(row[k]!);
  const weighted = entropy / Math.log(row.length) / Math.max(own, TINY);
  return Math.log(weighted + 1) / Math.max(weighted, TINY);
}

/** Mean probability of a class over the examples labelled so (eq. 2 of the paper); 1e-6 at least, and what nothing reaches for an empty class. */
export function confidentThresholds(labels: ArrayLike<number>, probabilities: Rows, classes: number): Float64Array {
  const sums = new Float64Array(classes), counts = new Float64Array(classes);
  probabilities.forEach((row, i) => {
    sums[labels[i]!]! += row[labels[i]!]!;
    counts[labels[i]!]!++;
  });
  return sums.map((sum, k) => (counts[k] === 0 ? 2 : Math.max(TINY, sum / counts[k]!)));
}

/** Probabilities less the thresholds, lifted to be positive, with the sum 1 again. */
function lessThresholds(probabilities: Rows, thresholds: Float64Array): Float64Array[] {
  const lift = thresholds.reduce((most, value) => Math.max(most, value), 0);
  return probabilities.map((row) => {
    const shifted = Float64Array.from(row, (value, k) => value - thresholds[k]! + lift), sum = shifted.reduce((total, value) => total + value, 0);
    return shifted.map((value) => value / sum);
  });
}

/**
 * The confident joint: how many examples labelled i are confidently of class j (eq. 1 of the paper), calibrated so that row i
 * sums to the number of labels i (eq. 3).
 *
 * @returns counts [classes][classes], and for each example its confident class or -1
 */
export function confidentJoint(labels: ArrayLike<number>, probabilities: Rows): { joint: Float64Array[]; confident: Int32Array } {
  const classes = checkShapes(labels, probabilities), thresholds = confidentThresholds(labels, probabilities, classes);
  const joint = Array.from({ length: classes }, () => new Float64Array(classes)), counts = new Float64Array(classes);
  const confident = Int32Array.from(probabilities, (row, i) => {
    let best = -1;
    for (let k = 0; k < classes; k++) if (row[k]! >= thresholds[k]! - TINY && (best < 0 || row[k]! > row[best]!)) best = k;
    counts[labels[i]!]!++;
    if (best >= 0) joint[labels[i]!]![best]!++;
    return best;
  });
  joint.forEach((row, i) => {
    if (counts[i]! > 0 && row[i] === 0) row[i] = 1; // a class of which no label is right would prune itself away
    const sum = row.reduce((total, value) => total + value, 0);
    if (sum > 0) { for (let j = 0; j < classes; j++) row[j]! *= counts[i]! / sum; }
  });
  return { joint, confident };
}

/**
 * Examples whose labels are probably wrong, worst first.
 *
 * Filters, all of section 3.2 of the paper: `confident-learning` takes those off the confident joint's diagonal,
 * `prune-by-class` for each class as many as lie off it, by the lowest self-confidence, `prune-by-noise-rate` for each pair
 * i, j as many as the joint says, by the largest margin p_j - p_i, `both` what the last two agree on, and
 * `predicted-neq-given` all whose most probable class is another.
 *
 * @throws {ShapeError} if labels and probabilities do not fit
 */
export function findLabelErrors(
  labels: ArrayLike<number>,
  probabilities: Rows,
  { filter = 'prune-by-noise-rate', score = 'self-confidence' }: { filter?: LabelFilter; score?: LabelScore } = {},
): LabelError[] {
  const quality = labelQuality(labels, probabilities, score), predicted = probabilities.map((row) => indexOfMost(row));
  const chosen = chooseErrors(labels, probabilities, filter, predicted);
  return [...chosen]
    .filter((index) => predicted[index] !== labels[index]) // what the model itself believes is no error
    .map((index) => ({ index, given: labels[index]!, suggested: predicted[index]!, score: quality[index]! }))
    .sort((a, b) => a.score - b.score || a.index - b.index);
}

function chooseErrors(labels: ArrayLike<number>, probabilities: Rows, filter: LabelFilter, predicted: readonly number[]): Set<number> {
  const all = probabilities.map((_, i) => i);
  if (filter === 'predicted-neq-given') return new Set(all.filter((i) => predicted[i] !== labels[i]));
  const { joint, confident } = confidentJoint(labels, probabilities);
  if (filter === 'confident-learning') return new Set(all.filter((i) => confident[i]! >= 0 && confident[i] !== labels[i]));
  const byClass = new Set<number>(), byRate = new Set<number>();
  joint.forEach((row, given) => {
    const members = all.filter((i) => labels[i] === given);
    const sorted = (key: (i: number) => number): number[] => members.map((i) => [key(i), i] as const).sort(([a, i], [b, j]) => a - b || i - j).map(([, i]) => i);
    const off = row.reduce((total, value, j) => total + (j === given ? 0 : Math.round(value)), 0);
    if (filter !== 'prune-by-noise-rate') { for (const i of sorted((i) => probabilities[i]![given]!).slice(0, off)) byClass.add(i); }
    if (filter === 'prune-by-class') return;
    row.forEach((value, j) => {
      if (j === given || Math.round(value) === 0) return;
      for (const i of sorted((i) => probabilities[i]![given]! - probabilities[i]![j]!).slice(0, Math.round(value))) byRate.add(i);
    });
  });
  if (filter === 'both') return new Set([...byClass].filter((i) => byRate.has(i)));
  return filter === 'prune-by-class' ? byClass : byRate;
}

function indexOfMost(row: ArrayLike<number>): number {
  let best = 0;
  for (let k = 1; k < row.length; k++) if (row[k]! > row[best]!) best = k;
  return best;
}

function checkShapes(labels: ArrayLike<number>, probabilities: Rows): number {
  const classes = probabilities[0]?.length ?? 0;
  const fail = (what: string): never => {
    throw new ShapeError(`Cannot look for label errors: ${what}.`, { op: 'findLabelErrors', shapes: [`[${labels.length}]`, `[${probabilities.length}, ${classes}]`] });
  };
  if (labels.length !== probabilities.length) fail(`there are ${labels.length} labels for ${probabilities.length} rows of probabilities`);
  if (classes < 2 && labels.length > 0) fail(`there must be two classes at least, not ${classes}`);
  for (let i = 0; i < labels.length; i++) {
    const label = labels[i]!;
    if (!Number.isInteger(label) || label < 0 || label >= classes) fail(`label ${i} is ${label}, not a class from 0 to ${classes - 1}`);
    if (probabilities[i]!.length !== classes) fail(`row ${i} has ${probabilities[i]!.length} probabilities, the first ${classes}`);
    for (let k = 0; k < classes; k++) if (!(probabilities[i]![k]! >= 0 && probabilities[i]![k]! <= 1 + TINY)) fail(`probability ${k} of row ${i} is ${probabilities[i]![k]}, not from 0 to 1`);
  }
  return classes;
}
