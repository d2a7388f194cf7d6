import type { BatchSamplerLike } from "../data/samplers.ts";

/** A rank's share of another sampler's batches: rank r takes batches r, r + R, r + 2R, … None is repeated, so ranks may differ by one. */
export class DistributedBatchSampler implements BatchSamplerLike {
  readonly #batches: BatchSamplerLike;
  readonly #rank: number;
  readonly #numReplicas: number;

  constructor(batches: BatchSamplerLike, options: { rank: number; numReplicas: number }) {
    this.#batches = batches;
    this.#rank = options.rank;
    this.#numReplicas = options.numReplicas;
  }

  get length(): number {
    return Math.ceil((this.#batches.length - this.#rank) / this.#numReplicas);
  }

  setEpoch(epoch: number): void {
    this.#batches.setEpoch?.(epoch);
  }

  *[Symbol.iterator](): Iterator<ArrayLike<number>> {
    let index = 0;
    for (const batch of this.#batches) if (index++ % this.#numReplicas === this.#rank) yield batch;
  }
}
