import { rejectUnknownOptions } from "../../core/suggest.ts";
import { drawIndices, type Sampler } from "./sampler.ts";

/** What a loader takes as `batchSampler`: the indices of each batch. */
export interface BatchSamplerLike extends Iterable<ArrayLike<number>> {
  /** How many batches one epoch gives. */
  readonly length: number;
  setEpoch?(epoch: number): void;
}

/** Options of {@linkcode BatchSampler}. */
export interface BatchSamplerOptions {
  /** Samples in a batch. */
  batchSize: number;
  /** Leave out the last batch if it is smaller. Default: false. */
  dropLast?: boolean;
}

/** Cuts a sampler's indices into batches. */
export class BatchSampler implements BatchSamplerLike {
  readonly sampler: Sampler;
  readonly batchSize: number;
  readonly dropLast: boolean;

  constructor(sampler: Sampler, options: BatchSamplerOptions) {
    rejectUnknownOptions("BatchSampler", options, ["batchSize", "dropLast"]);
    this.sampler = sampler;
    this.batchSize = checkBatchSize("BatchSampler", options.batchSize);
    this.dropLast = options.dropLast ?? false;
  }

  get length(): number {
    return batchCount(this.sampler.length, this);
  }

  setEpoch(epoch: number): void {
    this.sampler.setEpoch?.(epoch);
  }

  *[Symbol.iterator](): Iterator<Uint32Array> {
    yield* cutBatches(drawIndices(this.sampler), this);
  }
}

/** The batches of an epoch, as views of one array. */
export function cutBatches(indices: Uint32Array, how: { batchSize: number; dropLast: boolean }): Uint32Array[] {
  return Array.from(
    { length: batchCount(indices.length, how) },
    (_, k) => indices.subarray(k * how.batchSize, (k + 1) * how.batchSize),
  );
}

/** How many batches `samples` make. */
export function batchCount(samples: number, how: { batchSize: number; dropLast: boolean }): number {
  return how.dropLast ? Math.floor(samples / how.batchSize) : Math.ceil(samples / how.batchSize);
}

/** @throws {RangeError} if it is not an integer from 1 */
export function checkBatchSize(owner: string, batchSize: number): number {
  if (!Number.isInteger(batchSize) || batchSize < 1) {
    throw new RangeError(`${owner}: \`batchSize\` must be an integer from 1, but got ${String(batchSize)}`);
  }
  return batchSize;
}
