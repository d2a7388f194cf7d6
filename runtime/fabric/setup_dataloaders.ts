import { DataLoader } from "../data/data_loader.ts";
import { BatchSampler, DistributedSampler, DistributedSamplerWrapper, RandomSampler } from "../data/samplers.ts";
import { DistributedBatchSampler } from "./distributed_batch_sampler.ts";
import { warn } from "../core/messages.ts";
import { globalSeed } from "../seed/seed_everything.ts";

/** Options of {@linkcode Fabric.setupDataloaders}. */
export interface SetupDataloadersOptions {
  /** Share the data among the ranks. False: every rank sees all of it. Default: true. */
  useDistributedSampler?: boolean;
  /**
   * What is dealt out: single samples, so that a batch of all ranks together is a batch of one rank (training), or whole batches, which are
   * then the same for every number of ranks (validation). Default: samples if the loader shuffles, else batches.
   */
  share?: "samples" | "batches";
}

/** Which share of a loader a rank takes. */
export interface LoaderShare extends SetupDataloadersOptions {
  rank: number;
  worldSize: number;
  /** The loader's batch is that of all ranks together. */
  splitsBatch: boolean;
}

/**
 * The loader of one rank's share. Shared by samples, every rank gets as many batches: the last samples are repeated, or with `dropLast` left out.
 * Shared by batches, nothing is repeated: every sample counts once. A distributed sampler is left alone, another of the
 * user's own is dealt out.
 */
export function shardLoader<B>(loader: DataLoader<B>, options: LoaderShare): DataLoader<B> {
  if (!(loader instanceof (DataLoader as unknown as new () => object))) {
    throw new TypeError(
      "`fabric.setupDataloaders` takes DataLoaders: wrap the dataset in `new DataLoader(dataset, { batchSize })`",
    );
  }
  const { rank, worldSize, splitsBatch, useDistributedSampler = true } = options;
  if (worldSize === 1 || !useDistributedSampler) return loader;
  const { sampler } = loader;
  if (!sampler) {
    warn(
      "loader-not-shared",
      "an iterable dataset or a batch sampler of one's own cannot be shared among the ranks: every rank reads all of it",
    );
    return loader;
  }
  if (sampler instanceof DistributedSampler || sampler instanceof DistributedSamplerWrapper) return loader;
  const { shuffle, dropLast } = loader.options;
  // Without a seed the loader drew one for itself, which differs between ranks.
  const seed = loader.options.seed ?? globalSeed() ?? 0;
  if ((options.share ?? (loader.shuffle ? "samples" : "batches")) === "batches") {
    const order = shuffle ? new RandomSampler(loader.dataset as { length: number }, { seed }) : sampler;
    const batches = new BatchSampler(order, { batchSize: loader.batchSize, dropLast });
    return loader.reconfigure({ batchSampler: new DistributedBatchSampler(batches, { rank, numReplicas: worldSize }) });
  }
  const batchSize = splitsBatch ? split(loader.batchSize, worldSize) : loader.batchSize;
  const dealing = { numReplicas: worldSize, rank, dropLast };
  const shared = shuffle
    ? new DistributedSampler(loader.dataset as { length: number }, { ...dealing, shuffle: true, seed })
    : new DistributedSamplerWrapper(sampler, dealing);
  return loader.reconfigure({ batchSize, sampler: shared });
}

function split(batchSize: number, worldSize: number): number {
  if (batchSize % worldSize === 0) return batchSize / worldSize;
  const near = Math.max(1, Math.round(batchSize / worldSize)) * worldSize;
  throw new RangeError(
    `strategy "dp" splits each batch of ${batchSize} among ${worldSize} ranks, which does not come out even: ` +
      `use a batch size of ${near}, or strategy "ddp", where the batch size is each rank's own`,
  );
}
