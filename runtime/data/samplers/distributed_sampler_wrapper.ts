import type { StateDict } from "../../tensor/state.ts";
import { DistributedSampler, type DistributedSamplerOptions } from "./distributed_sampler.ts";
import { drawIndices, type EpochSampler, type Sampler } from "./sampler.ts";
import { UnrepeatedDistributedSampler } from "./unrepeated_distributed_sampler.ts";

/** Options of {@linkcode DistributedSamplerWrapper}. */
export interface DistributedSamplerWrapperOptions extends DistributedSamplerOptions {
  /** Deal out every sample once instead of padding. Default: false. */
  unrepeated?: boolean;
}

/**
 * Shares what another sampler gives among the ranks. Every rank draws the whole order each epoch, so the sampler must give the same one on
 * all ranks: seed it alike. Its places are not shuffled again unless `shuffle` is true (Default: false).
 */
export class DistributedSamplerWrapper implements Sampler {
  /** The sampler whose indices are shared. */
  readonly sampler: Sampler;
  readonly #places: DistributedSampler;
  #epoch = 0;

  constructor(sampler: Sampler, options: DistributedSamplerWrapperOptions) {
    const { unrepeated = false, ...share } = options;
    this.sampler = sampler;
    this.#places = new (unrepeated ? UnrepeatedDistributedSampler : DistributedSampler)(sampler, {
      shuffle: false,
      ...share,
    });
  }

  get length(): number {
    return this.#places.length;
  }

  get epoch(): number {
    return this.#epoch;
  }

  setEpoch(epoch: number): void {
    this.#places.setEpoch(epoch);
    this.sampler.setEpoch?.(epoch);
    this.#epoch = epoch;
  }

  *[Symbol.iterator](): Iterator<number> {
    const drawn = drawIndices(this.sampler);
    if (drawn.length !== this.sampler.length) {
      throw new RangeError(
        `the sampler gave ${drawn.length} indices, but its length is ${this.sampler.length}: shares would differ between ranks`,
      );
    }
    for (const place of this.#places.indices()) yield drawn[place];
  }

  stateDict(): StateDict {
    return { sampler: this.sampler.stateDict?.() };
  }

  loadStateDict(state: StateDict): void {
    if (state.sampler !== undefined) this.sampler.loadStateDict?.(state.sampler as StateDict);
  }
}

/** True if the order of a sampler follows from its options and epoch alone. */
export function isReproducible(sampler: Sampler): boolean {
  const inner = sampler instanceof DistributedSamplerWrapper ? sampler.sampler : sampler;
  return typeof (inner as EpochSampler).indices === "function";
}
