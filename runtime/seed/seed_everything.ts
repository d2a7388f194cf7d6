import { atCaller } from "../core/at_caller.ts";
import { info } from "../core/messages.ts";
import { rejectUnknownOptions } from "../core/suggest.ts";
import { seedRandom } from "./random_state.ts";

/** Options of {@linkcode seed_everything}. */
export interface SeedOptions {
  /** Accepted as in Lightning. Loaders derive the randomness of a sample from the seed, in workers too, whether it is set or not. Default: false. */
  workers?: boolean;
  /** Say which seed was set. Default: true. */
  verbose?: boolean;
}

const MAX_SEED = 4294967295;
let seedOfProcess: number | undefined;

/**
 * Makes the run reproducible: `Math.random` becomes a seeded generator, and with it TensorFlow.js's initializers, dropout and random
 * operations, which draw their seeds from it. Loaders and samplers take their order from the same seed. Call it before
 * the model is made.
 *
 * Equal to the bit on the same machine with the same world size. A library that draws from `Math.random` shifts what comes after.
 *
 * @param seed a whole number from 0 to 4294967295. Default: 0, said in a message
 * @returns the seed that was set
 * @throws RangeError if the seed is not a whole number in bounds
 *
 * @example
 * ```ts
 * seed_everything(42, { verbose: false });
 * const first = Math.random();
 * seed_everything(42, { verbose: false });
 * console.assert(Math.random() === first);
 * ```
 */
export function seed_everything(seed?: number, options: SeedOptions = {}): number {
  try {
    return setSeed(seed, options);
  } catch (error) {
    throw atCaller(error, seed_everything);
  }
}

function setSeed(seed: number | undefined, options: SeedOptions): number {
  rejectUnknownOptions("seed_everything", options, ["workers", "verbose"]);
  const chosen = seed ?? 0;
  if (typeof chosen !== "number" || !Number.isInteger(chosen) || chosen < 0 || chosen > MAX_SEED) {
    throw new RangeError(
      `${
        typeof chosen === "string" ? JSON.stringify(chosen) : String(chosen)
      } is not in bounds: a seed is a whole number from 0 to ${MAX_SEED}, e.g. seed_everything(42)`,
    );
  }
  if (options.verbose ?? true) info(seed == null ? `No seed found, seed set to ${chosen}` : `Seed set to ${chosen}`);
  seedOfProcess = chosen;
  seedRandom(chosen);
  return chosen;
}

/** The same as {@linkcode seed_everything}, named like everything else. */
export const seedEverything: typeof seed_everything = seed_everything;

/** The seed that {@linkcode seed_everything} set last; undefined if it was not called. The same on every rank. */
export function globalSeed(): number | undefined {
  return seedOfProcess;
}

export { forkRandom, randomState, restoreRandomState, unseedRandom } from "./random_state.ts";
