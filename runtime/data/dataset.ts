import type { HostTensor } from "../tensor/host_tensor.ts";
import type { Random } from "../seed/random.ts";
import type { Transform } from "./transforms/transform.ts";

/** What a batch is in the process's own memory: tensors at the leaves of arrays and records. */
export type HostBatch = HostTensor | string[] | HostBatch[] | { [key: string]: HostBatch };

/** Where the random numbers of a sample come from. */
export interface SampleContext {
  /** The loader's epoch, from 0. */
  readonly epoch: number;
  /** The random source of one sample: the same for the same loader seed, epoch and index, whatever the rank, worker or order. */
  random(index: number): Random;
}

/** What a loader asks of a dataset that can fill a whole batch at once. */
export interface BatchRequest {
  context: SampleContext;
  /** Applied to the first tensor of every sample. */
  transform?: Transform;
}

/**
 * A map-style dataset: samples by index. Anything with `length` and `get` is one; plain arrays are taken too.
 *
 * @example
 * ```ts
 * const squares: Dataset<[number, number]> = { length: 10, get: (i) => [i, i * i] };
 * ```
 */
export interface Dataset<T> {
  /** How many samples there are. */
  readonly length: number;
  /**
   * The sample at `index` (0 to length - 1). Tensors are given as HostTensors or typed arrays; the loader stacks them.
   * @param context where augmentations take their random numbers from
   */
  get(index: number, context?: SampleContext): T | Promise<T>;
  /**
   * The samples at `indices`, stacked already. Datasets whose samples lie in memory have it, so that no sample becomes an
   * object; undefined means that it cannot be done this time and `get` is used.
   */
  getBatch?(indices: Uint32Array, request: BatchRequest): HostBatch | undefined;
}

/**
 * A dataset that is read from its start: a stream, a generator. It cannot be shuffled by the loader, and every rank sees all of it
 * unless the dataset itself deals it out.
 */
export interface IterableDataset<T> {
  /** How many samples one reading gives, if known. Default: unknown. */
  readonly length?: number;
  [Symbol.asyncIterator]?(): AsyncIterator<T>;
  [Symbol.iterator]?(): Iterator<T>;
}

/** True for datasets with samples by index. */
export function isMapStyle<T>(dataset: Dataset<T> | IterableDataset<T>): dataset is Dataset<T> {
  return typeof (dataset as Dataset<T>).get === "function" && typeof dataset.length === "number";
}

/** @throws {RangeError} if `index` is not one of the dataset's */
export function checkIndex(owner: string, index: number, length: number): void {
  if (!Number.isInteger(index) || index < 0 || index >= length) {
    throw new RangeError(`${owner} has no sample ${index}: indices are integers from 0 to ${length - 1}`);
  }
}
