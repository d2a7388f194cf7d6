import { deriveSeed } from "./derive_seed.ts";
import { Random, type RandomState } from "./random.ts";

const native = Math.random;
let generator: Random | undefined;
let rank = 0;

/** Makes `Math.random` the seeded generator of this process, from the start of its sequence. */
export function seedRandom(seed: number): void {
  generator = new Random(rank === 0 ? seed : deriveSeed(seed, "rank", rank));
  Math.random = () => generator!.uniform();
}

/** Gives `Math.random` back to the engine of the language, which cannot be seeded. For tests and for programs that end a seeded part. */
export function unseedRandom(): void {
  generator = undefined;
  rank = 0;
  Math.random = native;
}

/**
 * Where the seeded generator behind `Math.random` stands, for a checkpoint; null if `seed_everything` was not called.
 * Every rank has its own.
 */
export function randomState(): RandomState | null {
  return generator?.state ?? null;
}

/**
 * Continues `Math.random` (and so TensorFlow.js's random operations) from where it stood when {@linkcode randomState} was called.
 * null leaves it alone.
 * @throws TypeError if it is not a random state
 */
export function restoreRandomState(state: RandomState | null): void {
  if (state === null) return;
  const restored = Random.from(state);
  generator = restored;
  Math.random = () => generator!.uniform();
}

/**
 * Gives this rank a stream of its own, so that ranks draw different dropout masks. The stream of rank 0 stays as it was, and a
 * process that was not seeded stays unseeded. A later `seed_everything` seeds the rank's own stream again: what all
 * ranks must draw alike, such as a split of the data, comes from a {@linkcode Random} of `globalSeed()`.
 * @throws RangeError if the rank is not a whole number from 0
 */
export function forkRandom(newRank: number): void {
  if (!Number.isSafeInteger(newRank) || newRank < 0) {
    throw new RangeError(`A rank is a whole number from 0, but got ${String(newRank)}`);
  }
  if (newRank === rank) return;
  rank = newRank;
  if (generator && rank !== 0) generator = new Random(deriveSeed(generator.bits(), generator.bits(), "rank", rank));
}
