import { DistributedSampler, type DistributedSamplerOptions } from "./distributed_sampler.ts";
import type { Sized } from "./sampler.ts";

/**
 * A rank's share without padding: every sample is given once, by one rank, and shares differ by at most one (103 on 4 ranks: 26, 26, 26,
 * 25). For validation, test and prediction.
 */
export class UnrepeatedDistributedSampler extends DistributedSampler {
  /** @throws {RangeError} if `dropLast` is set: nothing is dropped or repeated here */
  constructor(source: Sized, options: Omit<DistributedSamplerOptions, "dropLast">) {
    super(source, options);
    if (this.dropLast) {
      throw new RangeError(
        "UnrepeatedDistributedSampler gives every sample once; `dropLast` belongs to DistributedSampler",
      );
    }
  }

  override get length(): number {
    return Math.max(0, Math.ceil((this.source.length - this.rank) / this.numReplicas));
  }
}
