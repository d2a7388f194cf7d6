import { atCaller } from "../core/at_caller.ts";
import type { HostArray, HostTensor } from "../tensor/host_tensor.ts";
import type { StateDict } from "../tensor/state.ts";
import type { tf } from "../tensor/tf.ts";
import { TensorScope } from "../tensor/scope.ts";
import { collate } from "./collate.ts";
import { type Dataset, type HostBatch, isMapStyle, type IterableDataset } from "./dataset.ts";
import type { Feed, Item } from "./feeds/feed.ts";
import { mapFeed } from "./feeds/map_feed.ts";
import { type ReadOptions, sampleContext } from "./feeds/read_batch.ts";
import { streamFeed } from "./feeds/stream_feed.ts";
import { openPool } from "./feeds/open_pool.ts";
import { workerFeed } from "./feeds/worker_feed.ts";
import type { WorkerPool } from "./feeds/worker_pool.ts";
import { iterateFeed } from "./iterate_feed.ts";
import { decodeBatches, encodeBatches, positionIn } from "./loader_state.ts";
import { describe } from "./host_values.ts";
import {
  type DataLoaderOptions,
  mergeLoaderOptions,
  type ResolvedLoaderOptions,
  resolveLoaderOptions,
  usesWorkers,
} from "./loader_options.ts";
import { globalSeed } from "../seed/seed_everything.ts";
import { batchCount, BatchSampler, cutBatches } from "./samplers/batch_sampler.ts";
import { isReproducible } from "./samplers/distributed_sampler_wrapper.ts";
import { RandomSampler } from "./samplers/random_sampler.ts";
import { checkEpoch, drawIndices, type EpochSampler, type Sampler } from "./samplers/sampler.ts";
import { SequentialSampler } from "./samplers/sequential_sampler.ts";
import { toTensors } from "./to_tensors.ts";

export type { DataLoaderOptions, SampleTransform } from "./loader_options.ts";

/** What the default collate and the loader make of samples of type `T`. */
export type Batched<T> = T extends HostTensor | HostArray | number | bigint | boolean ? tf.Tensor
  : T extends string ? string[]
  : T extends tf.Tensor ? T
  : T extends object ? { -readonly [K in keyof T]: Batched<T[K]> }
  : unknown;

class Loader<B = unknown> implements AsyncIterable<B>, Disposable {
  /** What the samples are read from. */
  readonly dataset: Dataset<unknown> | IterableDataset<unknown>;
  /** The options with their defaults filled in. */
  readonly options: ResolvedLoaderOptions;
  /** The order of the samples; undefined for an iterable dataset and with a `batchSampler` of one's own. */
  readonly sampler: Sampler | undefined;
  /** The seed of order and augmentation. */
  #seed: number;
  #next = { epoch: 0, batch: 0 };
  #at = { epoch: 0, batch: 0 };
  #toldEpoch: number | undefined;
  #pool: WorkerPool | undefined;
  /** The batches of the epoch at hand, if they cannot be drawn again. */
  #drawn: { epoch: number; batches: Uint32Array[] } | undefined;

  constructor(dataset: Dataset<unknown> | IterableDataset<unknown> | unknown[], options: DataLoaderOptions = {}) {
    try {
      this.dataset = asDataset(dataset);
      this.options = resolveLoaderOptions(this.dataset, options);
    } catch (error) {
      throw atCaller(error, Loader);
    }
    this.#seed = this.options.seed ?? globalSeed() ?? crypto.getRandomValues(new Uint32Array(1))[0];
    const { batchSampler } = this.options;
    if (batchSampler) this.sampler = batchSampler instanceof BatchSampler ? batchSampler.sampler : undefined;
    else if (isMapStyle(this.dataset)) {
      this.sampler = this.options.sampler ??
        (this.options.shuffle
          ? new RandomSampler(this.dataset, { seed: this.#seed })
          : new SequentialSampler(this.dataset));
    }
    this.#toldEpoch = (this.sampler as EpochSampler | undefined)?.epoch;
  }

  /** Samples in a batch, but for a smaller last one. */
  get batchSize(): number {
    const { batchSampler, batchSize } = this.options;
    return batchSampler instanceof BatchSampler ? batchSampler.batchSize : batchSize;
  }

  /** True if the order is random: by `shuffle`, or by a RandomSampler or a shuffling DistributedSampler. */
  get shuffle(): boolean {
    const sampler = this.sampler as (Sampler & { shuffle?: boolean }) | undefined;
    return sampler instanceof RandomSampler || sampler?.shuffle === true;
  }

  /** Batches in an epoch; Infinity for an iterable dataset that does not say its length. */
  get length(): number {
    const { batchSampler } = this.options;
    if (batchSampler) return batchSampler.length;
    const samples = this.sampler ? this.sampler.length : this.dataset.length;
    return samples === undefined ? Infinity : batchCount(samples, this.options);
  }

  /** The epoch that the next iteration reads; each iteration begins the epoch after the last one's, unless told otherwise. */
  setEpoch(epoch: number): void {
    checkEpoch("DataLoader.setEpoch", epoch);
    // A position to resume from is kept for the epoch that it lies in.
    if (epoch !== this.#next.epoch) this.#next = { epoch, batch: 0 };
    this.#at = { ...this.#next };
    this.#toldEpoch = (this.sampler as EpochSampler | undefined)?.epoch;
  }

  /** A loader over the same dataset with other options. Those that exclude each other replace each other. */
  reconfigure(changes: DataLoaderOptions): DataLoader<B> {
    return new Loader<B>(this.dataset, mergeLoaderOptions(this.options, changes));
  }

  /** A loader that takes its samples in another order, e.g. a rank's share. */
  withSampler(sampler: Sampler): DataLoader<B> {
    return this.reconfigure({ sampler });
  }

  /** The batches as tensors. What is made while a batch is out is freed when the next is asked for, and when the loop is left. */
  [Symbol.asyncIterator](): AsyncIterableIterator<B> {
    let scope: TensorScope | undefined;
    return this.#iterate<B>({
      handOut: (item) => {
        scope = TensorScope.open("batch");
        try {
          return toTensors(this.#stack(item)) as B;
        } catch (error) {
          scope.close();
          scope = undefined;
          throw error;
        }
      },
      takeBack: () => {
        scope?.close();
        scope = undefined;
      },
    });
  }

  /** The batches as they lie in the process's own memory: no tensor is made and nothing is freed. */
  hostBatches(): AsyncIterableIterator<HostBatch> {
    return this.#iterate({ handOut: (item) => this.#stack(item) as HostBatch, takeBack: () => {} });
  }

  /**
   * Where the loader is: the epoch, and how many of its batches were handed out. A loader that loads this gives exactly the remaining ones.
   * After a `break` it still tells where the loop was left.
   */
  stateDict(): StateDict {
    const { epoch, batch } = this.#at;
    const { sampler } = this;
    const state: StateDict = {
      epoch,
      batch,
      length: Number.isFinite(this.length) ? this.length : null,
      seed: this.#seed,
      sampler: sampler?.stateDict?.(),
    };
    if (this.#drawn?.epoch === epoch && batch > 0) Object.assign(state, encodeBatches(this.#drawn.batches));
    return state;
  }

  /**
   * The next iteration continues from `state`.
   * @param options.strict False: a state of a loader with another number of batches starts its epoch anew instead of throwing. Default: true.
   * @throws {RangeError} if the state is of a loader with another number of batches and lies within an epoch
   */
  loadStateDict(state: StateDict, options: { strict?: boolean } = {}): void {
    const { seed } = state;
    const now = Number.isFinite(this.length) ? this.length : null;
    const { epoch, batch } = positionIn(state, { length: now, strict: options.strict ?? true });
    if (this.options.seed === undefined && typeof seed === "number") this.#seed = seed;
    if (state.sampler !== undefined) this.sampler?.loadStateDict?.(state.sampler as StateDict);
    const batches = batch > 0 ? decodeBatches(state) : undefined;
    this.#drawn = batches && { epoch, batches };
    this.#next = { epoch, batch };
    this.#at = { ...this.#next };
    this.#toldEpoch = (this.sampler as EpochSampler | undefined)?.epoch;
  }

  /** Ends the workers that `persistentWorkers` kept. The next iteration starts new ones. */
  close(): void {
    this.#pool?.close();
    this.#pool = undefined;
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #stack(item: Item): unknown {
    if ("batch" in item) return item.batch;
    const own = this.options.collate;
    return typeof own === "function" ? own(item.samples) : collate(item.samples);
  }

  /** The epoch and batch from which an iteration starts. */
  #start(): { epoch: number; batch: number } {
    const sampler = this.sampler as EpochSampler | undefined;
    // Programs ported from PyTorch set the epoch on the sampler itself.
    if (sampler?.epoch !== undefined && sampler.epoch !== this.#toldEpoch) {
      this.#next = { epoch: sampler.epoch, batch: 0 };
    }
    const start = this.#next;
    (this.options.batchSampler ?? sampler)?.setEpoch?.(start.epoch);
    this.#toldEpoch = sampler?.epoch;
    this.#next = { epoch: start.epoch + 1, batch: 0 };
    return start;
  }

  #batches(epoch: number): Uint32Array[] {
    if (this.#drawn?.epoch === epoch) return this.#drawn.batches;
    const { batchSampler } = this.options;
    const batches = batchSampler
      ? Array.from(batchSampler, (indices) => indices instanceof Uint32Array ? indices : Uint32Array.from(indices))
      : cutBatches(drawIndices(this.sampler!), this.options);
    const again = this.sampler !== undefined && isReproducible(this.sampler);
    this.#drawn = again ? undefined : { epoch, batches };
    return batches;
  }

  #feed({ epoch, batch }: { epoch: number; batch: number }): Feed {
    const { options, dataset } = this;
    const batches = isMapStyle(dataset) ? this.#batches(epoch) : undefined;
    if (usesWorkers(dataset, options)) {
      const { prefetch, persistentWorkers } = options;
      const pool = this.#pool ??
        openPool(dataset, options, {
          seed: this.#seed,
          epoch,
          rank: (this.sampler as { rank?: number } | undefined)?.rank ?? 0,
        });
      if (persistentWorkers) this.#pool = pool;
      return workerFeed(pool, { batches, epoch, from: batch, prefetch, ends: !persistentWorkers });
    }
    const how = {
      ...options,
      transform: options.transform as ReadOptions["transform"],
      from: batch,
      context: sampleContext(this.#seed, epoch),
    };
    return isMapStyle(dataset) ? mapFeed(dataset, batches!, how) : streamFeed(dataset, how);
  }

  #iterate<X>(how: { handOut(item: Item): X; takeBack(): void }): AsyncIterableIterator<X> {
    let position: { epoch: number; batch: number };
    return iterateFeed({
      ...how,
      open: () => {
        this.#at = position = { ...this.#start() };
        return this.#feed(position);
      },
      given: () => void position.batch++,
      finished: () => {
        // Another iteration may have begun meanwhile: then the loader is where that one is.
        if (this.#at === position) this.#at = { epoch: position.epoch + 1, batch: 0 };
      },
    });
  }
}

/** Plain arrays are datasets of their elements. */
function asDataset(dataset: unknown): Dataset<unknown> | IterableDataset<unknown> {
  if (Array.isArray(dataset)) return { length: dataset.length, get: (index) => dataset[index] };
  const candidate = dataset as (Dataset<unknown> & IterableDataset<unknown>) | null;
  if (typeof candidate === "object" && candidate !== null) {
    if (typeof candidate.get === "function" && typeof candidate.length === "number") return candidate;
    if (candidate[Symbol.asyncIterator] || candidate[Symbol.iterator]) return candidate;
  }
  throw new TypeError(
    `DataLoader needs a dataset with \`length\` and \`get(index)\`, an iterable or an array, but got ${
      describe(dataset)
    }`,
  );
}

/** How a DataLoader is made: its batch type follows from the dataset's samples, or from what `collate` gives. */
export interface DataLoaderConstructor {
  new <T, B>(
    dataset: Dataset<T> | IterableDataset<T> | T[],
    options: DataLoaderOptions<T, B> & { collate: (samples: T[]) => B },
  ): DataLoader<Batched<B>>;
  new <T>(dataset: Dataset<T> | IterableDataset<T> | T[], options?: DataLoaderOptions<T>): DataLoader<Batched<T>>;
  readonly prototype: DataLoader<unknown>;
}

/**
 * Hands out a dataset in batches of tensors.
 *
 * While a batch is out, the loader owns it and whatever tensors the loop makes; they are freed when the next batch is asked for, at the
 * end, and when the loop is left by `break` or a throw. Variables, kept tensors and what the runtime holds stay. Nothing is read ahead of
 * a dataset in memory; samples that have to be waited for are read `prefetch` batches ahead.
 *
 * Each iteration is an epoch. The constructor throws a TypeError or RangeError for options that are unknown, out of range or exclude each
 * other.
 *
 * @example
 * ```ts
 * import { TensorDataset } from "weft";
 * const dataset = new TensorDataset(
 *   { dtype: "float32", shape: [4, 2], data: Float32Array.of(1, 2, 3, 4, 5, 6, 7, 8) },
 *   Int32Array.of(0, 1, 0, 1),
 * );
 * for await (const [x, y] of new DataLoader(dataset, { batchSize: 3, shuffle: true, seed: 42 })) {
 *   console.assert(x.shape[1] === 2 && y.dtype === "int32");
 * }
 * ```
 */
export const DataLoader: DataLoaderConstructor = Loader as unknown as DataLoaderConstructor;
export type DataLoader<B = unknown> = Loader<B>;
Object.defineProperty(Loader, "name", { value: "DataLoader" });
