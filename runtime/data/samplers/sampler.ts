import type { StateDict } from "../../tensor/state.ts";

/**
 * The order in which a loader takes samples. Built-in samplers are functions of seed and epoch; one of your own needs no more than
 * `length` and an iterator, and may have `setEpoch` and state.
 */
export interface Sampler extends Iterable<number> {
  /** How many indices one epoch gives. */
  readonly length: number;
  /** Called by the loader before each epoch. */
  setEpoch?(epoch: number): void;
  /** What, besides the epoch, decides the order. Saved as of the epoch's start; without it the epoch's indices themselves are saved. */
  stateDict?(): StateDict;
  loadStateDict?(state: StateDict): void;
}

/** A sampler whose order is a function of its options and the epoch, so that it need not be saved. */
export interface EpochSampler extends Sampler {
  /** The epoch whose order the next iteration gives. */
  readonly epoch: number;
  setEpoch(epoch: number): void;
  /** The epoch's indices in one array. */
  indices(): Uint32Array;
}

/** True for samplers that give the epoch's indices at once. */
export function isEpochSampler(sampler: Sampler): sampler is EpochSampler {
  return typeof (sampler as EpochSampler).indices === "function";
}

/** What a sampler draws from: a dataset, or anything else with a length. */
export interface Sized {
  readonly length: number;
}

/** @throws {RangeError} if `epoch` is not an integer from 0 */
export function checkEpoch(owner: string, epoch: number): number {
  if (!Number.isInteger(epoch) || epoch < 0) {
    throw new RangeError(`${owner}: the epoch must be an integer from 0, but got ${epoch}`);
  }
  return epoch;
}

/** @throws {RangeError} if `seed` is not an integer from 0 to 2^32 - 1 */
export function checkSeed(owner: string, seed: number): number {
  if (!Number.isInteger(seed) || seed < 0 || seed > 0xffffffff) {
    throw new RangeError(`${owner}: \`seed\` must be an integer from 0 to 4294967295, but got ${seed}`);
  }
  return seed;
}

/** The indices of a sampler's epoch. @throws {RangeError} if it gives more than it said, or what is no index */
export function drawIndices(sampler: Sampler): Uint32Array {
  if (isEpochSampler(sampler)) return sampler.indices();
  const indices = new Uint32Array(sampler.length);
  let count = 0;
  for (const index of sampler) {
    if (!Number.isInteger(index) || index < 0) throw new RangeError(`the sampler gave ${index}, which is no index`);
    if (count === indices.length) {
      throw new RangeError(`the sampler gives more indices than its length of ${indices.length}`);
    }
    indices[count++] = index;
  }
  return indices.subarray(0, count);
}
