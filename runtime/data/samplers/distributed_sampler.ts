import { rejectUnknownOptions } from "../../core/suggest.ts";
import type { StateDict } from "../../tensor/state.ts";
import { deriveSeed } from "../../seed/derive_seed.ts";
import { Random } from "../../seed/random.ts";
import { checkEpoch, checkSeed, type EpochSampler, type Sized } from "./sampler.ts";

/** Options of {@linkcode DistributedSampler}. */
export interface DistributedSamplerOptions {
  /** Among how many ranks the samples are shared. */
  numReplicas: number;
  /** Whose share this is, from 0. */
  rank: number;
  /** A new order every epoch. Default: true. */
  shuffle?: boolean;
  /** Decides the order, together with the epoch; must be the same on all ranks. Default: 0. */
  seed?: number;
  /** Leave out the last samples if they do not make a whole round, instead of repeating the first ones. Default: false. */
  dropLast?: boolean;
}

/**
 * A rank's share of a dataset, as PyTorch's DistributedSampler deals it out: all ranks draw the same order from seed and epoch, pad it with
 * its own head until every rank gets as many (or cut it short), and rank r takes places r, r + R, r + 2R, …
 *
 * @example
 * ```ts
 * const share = new DistributedSampler({ length: 5 }, { numReplicas: 2, rank: 1, shuffle: false });
 * console.assert([...share].join() === "1,3,0"); // 0 again, so that both ranks have three
 * ```
 */
export class DistributedSampler implements EpochSampler {
  readonly numReplicas: number;
  readonly rank: number;
  readonly shuffle: boolean;
  #seed: number;
  readonly dropLast: boolean;
  protected readonly source: Sized;
  #epoch = 0;

  /** @throws {RangeError} if rank and numReplicas do not fit each other */
  constructor(source: Sized, options: DistributedSamplerOptions) {
    const owner = new.target.name;
    rejectUnknownOptions(owner, options, ["numReplicas", "rank", "shuffle", "seed", "dropLast"]);
    const { numReplicas, rank } = options;
    if (!Number.isInteger(numReplicas) || numReplicas < 1) {
      throw new RangeError(`${owner}: \`numReplicas\` must be an integer from 1, but got ${numReplicas}`);
    }
    if (!Number.isInteger(rank) || rank < 0 || rank >= numReplicas) {
      throw new RangeError(`${owner}: \`rank\` must be an integer from 0 to ${numReplicas - 1}, but got ${rank}`);
    }
    this.source = source;
    this.numReplicas = numReplicas;
    this.rank = rank;
    this.shuffle = options.shuffle ?? true;
    this.#seed = checkSeed(owner, options.seed ?? 0);
    this.dropLast = options.dropLast ?? false;
  }

  /** How many samples this rank gets. */
  get length(): number {
    const { length } = this.source;
    return this.dropLast ? Math.floor(length / this.numReplicas) : Math.ceil(length / this.numReplicas);
  }

  /** What decides the order, together with the epoch. */
  get seed(): number {
    return this.#seed;
  }

  get epoch(): number {
    return this.#epoch;
  }

  setEpoch(epoch: number): void {
    this.#epoch = checkEpoch(this.constructor.name, epoch);
  }

  /** The order of the whole dataset, from which each rank takes its places. */
  protected order(): Uint32Array {
    const { length } = this.source;
    return this.shuffle
      ? Uint32Array.from(new Random(deriveSeed(this.#seed, this.#epoch)).permutation(length))
      : Uint32Array.from({ length }, (_, i) => i);
  }

  indices(): Uint32Array {
    const order = this.order();
    // Places past the end wrap round: that is the padding, by as many repeats as are needed.
    return Uint32Array.from(
      { length: this.length },
      (_, k) => order[(this.rank + k * this.numReplicas) % order.length],
    );
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
