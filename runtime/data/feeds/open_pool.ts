import { deriveSeed } from "../../seed/derive_seed.ts";
import type { Dataset, IterableDataset } from "../dataset.ts";
import { isReference, type ResolvedLoaderOptions } from "../loader_options.ts";
import { cloneable, referenceOf } from "../module_dataset.ts";
import { WorkerPool } from "./worker_pool.ts";

/** Starts a loader's workers. Each has its own random numbers, by seed, worker, rank and the epoch in which it is started. */
export function openPool(
  dataset: Dataset<unknown> | IterableDataset<unknown>,
  options: ResolvedLoaderOptions,
  whose: { seed: number; epoch: number; rank: number },
): WorkerPool {
  const { numWorkers, timeoutMs, batchSize, dropLast, transform, collate, workerInit } = options;
  const { seed, epoch, rank } = whose;
  return new WorkerPool({
    size: numWorkers,
    timeoutMs,
    setup: (worker) => ({
      kind: "setup",
      dataset: referenceOf(dataset)!,
      transform: isReference(transform) ? cloneable(transform) : undefined,
      collate: isReference(collate) ? cloneable(collate) : undefined,
      workerInit: workerInit && cloneable(workerInit),
      worker,
      seed,
      workerSeed: deriveSeed(seed, "worker", worker, rank, epoch),
      batchSize,
      dropLast,
    }),
  });
}
