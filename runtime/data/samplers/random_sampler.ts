import { rejectUnknownOptions } from "../../core/suggest.ts";
import type { StateDict } from "../../tensor/state.ts";
import { deriveSeed } from "../../seed/derive_seed.ts";
import { Random } from "../../seed/random.ts";
import { checkEpoch, checkSeed, type EpochSampler, type Sized } from "./sampler.ts";

/** Options of {@linkcode RandomSampler}. */
export interface RandomSamplerOptions {
  /** Decides the order, together with the epoch. Default: 0. */
  seed?: number;
  /** Draw each index anew, so that some come twice and some never. Default: false. */
  replacement?: boolean;
  /** How many indices an epoch gives. Default: as many as there are samples. */
  numSamples?: number;
}

/**
 * All indices in an order that differs from epoch to epoch and is the same for the same seed and epoch.
 *
 * @example
 * ```ts
 * const sampler = new RandomSampler({ length: 5 }, { seed: 42 });
 * console.assert([...sampler].sort().join() === "0,1,2,3,4");
 * ```
 */
export class RandomSampler implements EpochSampler {
  #seed: number;
  readonly replacement: boolean;
  readonly length: number;
  readonly #source: Sized;
  #epoch = 0;

  constructor(source: Sized, options: RandomSamplerOptions = {}) {
    rejectUnknownOptions("RandomSampler", options, ["seed", "replacement", "numSamples"]);
    this.#source = source;
    this.#seed = checkSeed("RandomSampler", options.seed ?? 0);
    this.replacement = options.replacement ?? false;
    this.length = options.numSamples ?? source.length;
    if (!Number.isInteger(this.length) || this.length < 0) {
      throw new RangeError(`RandomSampler: \`numSamples\` must be an integer from 0, but got ${options.numSamples}`);
    }
    if (source.length === 0 && this.length > 0) throw new RangeError("RandomSampler: there is nothing to draw from");
  }

  /** What decides the order, together with the epoch. */
  get seed(): number {
    return this.#seed;
  }

  get epoch(): number {
    return this.#epoch;
  }

  setEpoch(epoch: number): void {
    this.#epoch = checkEpoch("RandomSampler", epoch);
  }

  indices(): Uint32Array {
    const random = new Random(deriveSeed(this.#seed, this.#epoch));
    const source = this.#source.length;
    if (this.replacement) return Uint32Array.from({ length: this.length }, () => random.integer(source));
    const indices = new Uint32Array(this.length);
    for (let start = 0; start < indices.length; start += source) {
      indices.set(random.permutation(source).subarray(0, indices.length - start), start);
    }
    return indices;
  }

  [Symbol.iterator](): Iterator<number> {
    return this.indices()[Symbol.iterator]();
  }

  stateDict(): StateDict {
    return { seed: this.#seed };
  }

  loadStateDict(state: StateDict): void {
    this.#seed = checkSeed(this.constructor.name, state.seed as number);
  }
}
