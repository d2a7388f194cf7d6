/**
 * Which rank owns which parameter, by index: the largest first, each to the rank that has the least so far. A function of the sizes alone, so that all
 * ranks come to the same. The fullest rank has at most one parameter's size more than an equal share.
 *
 * Source: R. L. Graham, "Bounds on Multiprocessing Timing Anomalies", 1969 (longest processing time first).
 *
 * @param sizes elements of each parameter
 */
export function planOwners(sizes: readonly number[], worldSize: number): number[] {
  const owners = new Array<number>(sizes.length).fill(0);
  const held = new Array<number>(worldSize).fill(0);
  const largestFirst = sizes.map((_, index) => index).sort((a, b) => sizes[b] - sizes[a] || a - b);
  for (const index of largestFirst) {
    const rank = held.indexOf(Math.min(...held));
    owners[index] = rank;
    held[rank] += sizes[index];
  }
  return owners;
}
