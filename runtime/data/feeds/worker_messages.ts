import type { ModuleReference } from "../module_dataset.ts";

/** What a worker is told as it starts. */
export interface WorkerSetup {
  kind: "setup";
  dataset: ModuleReference;
  transform?: ModuleReference;
  collate?: ModuleReference;
  workerInit?: ModuleReference;
  worker: number;
  /** The loader's seed: that of the samples' random numbers. */
  seed: number;
  /** The seed of the worker's own Math.random. */
  workerSeed: number;
  batchSize: number;
  dropLast: boolean;
}

/** Asks for a batch. */
export interface ReadRequest {
  kind: "read";
  id: number;
  epoch: number;
  /** Which batch of the epoch it is. */
  k: number;
  /** Its samples; undefined for an iterable dataset. */
  indices?: Uint32Array;
}

/** An error as it crosses threads. */
export interface ThrownInWorker {
  name: string;
  message: string;
  stack?: string;
  /** The sample that it is about. */
  sample?: number;
}

/** What a worker answers. `batch` is undefined after the last one of an iterable dataset. */
export type WorkerAnswer = { id: number; batch: unknown } | { id: number; error: ThrownInWorker };
