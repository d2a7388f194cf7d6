/** Values counted in buckets. */
export interface Histogram {
  readonly min: number;
  readonly max: number;
  readonly count: number;
  readonly sum: number;
  readonly sumOfSquares: number;
  /** Upper end of each bucket, rising. */
  readonly limits: readonly number[];
  /** Values in each bucket. */
  readonly counts: readonly number[];
}

/**
 * Counts values in TensorFlow's buckets, each ten percent wider than the one before, from 1e-12 on to both sides of zero.
 * Values that are not finite are left out; without any other the histogram is empty.
 */
export function histogram(values: ArrayLike<number>): Histogram {
  const counts = new Float64Array(LIMITS.length);
  let min = Infinity, max = -Infinity, count = 0, sum = 0, sumOfSquares = 0;
  for (let i = 0; i < values.length; i++) {
    const value = values[i];
    if (!Number.isFinite(value)) continue;
    if (value < min) min = value;
    if (value > max) max = value;
    count++;
    sum += value;
    sumOfSquares += value * value;
    counts[bucketOf(value)]++;
  }
  if (count === 0) return { min: 0, max: 0, count: 0, sum: 0, sumOfSquares: 0, limits: [], counts: [] };
  const first = Math.max(0, counts.findIndex((n) => n > 0) - 1);
  const last = counts.findLastIndex((n) => n > 0);
  return {
    min,
    max,
    count,
    sum,
    sumOfSquares,
    limits: LIMITS.slice(first, last + 1),
    counts: Array.from(counts.slice(first, last + 1)),
  };
}

const LIMITS = buildLimits();

function buildLimits(): number[] {
  const positive: number[] = [];
  for (let limit = 1e-12; limit < 1e20; limit *= 1.1) positive.push(limit);
  positive.push(Number.MAX_VALUE);
  return [...positive.map((limit) => -limit).reverse(), 0, ...positive];
}

/** The first bucket whose limit is above the value. */
function bucketOf(value: number): number {
  let low = 0, high = LIMITS.length - 1;
  while (low < high) {
    const middle = low + high >> 1;
    if (value < LIMITS[middle]) high = middle;
    else low = middle + 1;
  }
  return low;
}
