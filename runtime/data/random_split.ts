import { rejectUnknownOptions } from "../core/suggest.ts";
import { Random } from "../seed/random.ts";
import { globalSeed } from "../seed/seed_everything.ts";
import type { Dataset } from "./dataset.ts";
import { checkSeed } from "./samplers/sampler.ts";
import { Subset } from "./subset.ts";

/** Options of {@linkcode randomSplit}. */
export interface RandomSplitOptions {
  /** Decides which sample goes where; all ranks must use the same. Default: the seed of `seed_everything`, else 0. */
  seed?: number;
}

/**
 * Cuts a dataset into parts at random, each sample in one of them.
 *
 * @param lengths samples in each part, which add up to the dataset's; or fractions that add up to 1, rounded down, what remains going to
 * the first parts, one each
 * @throws {RangeError} if they do not add up
 *
 * @example
 * ```ts
 * const [train, val] = randomSplit({ length: 60, get: (i: number) => i }, [0.9, 0.1], { seed: 42 });
 * console.assert(train.length === 54 && val.length === 6);
 * ```
 */
export function randomSplit<T>(
  dataset: Dataset<T>,
  lengths: readonly number[],
  options: RandomSplitOptions = {},
): Subset<T>[] {
  rejectUnknownOptions("randomSplit", options, ["seed"]);
  const sizes = sizesOf(dataset.length, lengths);
  const order = new Random(checkSeed("randomSplit", options.seed ?? globalSeed() ?? 0)).permutation(dataset.length);
  let at = 0;
  return sizes.map((size) => new Subset(dataset, order.subarray(at, at += size)));
}

function sizesOf(total: number, lengths: readonly number[]): number[] {
  if (lengths.length === 0 || !lengths.every((length) => Number.isFinite(length) && length >= 0)) {
    throw new RangeError(`randomSplit: lengths must be numbers from 0, but got [${lengths}]`);
  }
  const sum = lengths.reduce((a, b) => a + b, 0);
  if (Math.abs(sum - 1) < 1e-9 && sum !== total) {
    const sizes = lengths.map((fraction) => Math.floor(total * fraction + 1e-9));
    let remaining = total - sizes.reduce((a, b) => a + b, 0);
    for (let i = 0; remaining > 0; i = (i + 1) % sizes.length, remaining--) sizes[i]++;
    return sizes;
  }
  if (sum !== total || !lengths.every(Number.isInteger)) {
    throw new RangeError(
      `randomSplit: lengths must be integers that add up to the ${total} samples, or fractions that add up to 1, ` +
        `but [${lengths}] adds up to ${sum}`,
    );
  }
  return [...lengths];
}
