import { rejectUnknownOptions } from "../core/suggest.ts";
import { warn } from "../core/messages.ts";
import { type Dataset, isMapStyle, type IterableDataset, type SampleContext } from "./dataset.ts";
import { type ModuleReference, referenceOf } from "./module_dataset.ts";
import { describe } from "./host_values.ts";
import { BatchSampler, type BatchSamplerLike, checkBatchSize } from "./samplers/batch_sampler.ts";
import { checkSeed, type Sampler } from "./samplers/sampler.ts";
import { Transform } from "./transforms/transform.ts";

/** A function over whole samples, as a loader takes it for `transform`. */
export type SampleTransform<T> = (sample: T, context: SampleContext) => unknown;

/** Options of {@linkcode DataLoader}. */
export interface DataLoaderOptions<T = unknown, B = unknown> {
  /** Samples in a batch. Default: 1. */
  batchSize?: number;
  /** A new random order every epoch. Default: false. */
  shuffle?: boolean;
  /** Leave out the last batch if it is smaller. Default: false. */
  dropLast?: boolean;
  /** The order of the samples, instead of `shuffle`. Default: as they come, or at random with `shuffle`. */
  sampler?: Sampler;
  /** The indices of each batch, instead of `batchSize`, `shuffle`, `dropLast` and `sampler`. Default: none. */
  batchSampler?: BatchSamplerLike;
  /**
   * Makes a batch of samples. HostTensors in what it returns become tensors. It is called when the batch is handed out (in a worker:
   * when it is read), so it may use tf unless there are workers. Default: `collate`, which stacks.
   */
  collate?: ((samples: T[]) => B) | ModuleReference;
  /** Changes samples: a Transform the first tensor of each, a function the whole sample. Default: none. */
  transform?: Transform | SampleTransform<T> | ModuleReference;
  /** Worker threads that read samples; 0 reads them in the training thread. Default: 0. */
  numWorkers?: number;
  /** Batches read ahead (by each worker, if there are some). In-memory datasets need none and read none. Default: 2. */
  prefetch?: number;
  /** Accepted for the sake of ported programs; it changes nothing. Default: false. */
  pinMemory?: boolean;
  /** Called in each worker as it starts, with its number and seed. Default: none. */
  workerInit?: ModuleReference;
  /** Keep the workers between epochs, until `close()`. Default: false. */
  persistentWorkers?: boolean;
  /** Decides order and augmentation. Default: the seed of `seed_everything`, else a new one each run. */
  seed?: number;
  /** How long to wait for a batch of a worker before it is an error, in milliseconds. Default: 0, for ever. */
  timeoutMs?: number;
}

const KNOWN: readonly (keyof DataLoaderOptions)[] = [
  "batchSize",
  "shuffle",
  "dropLast",
  "sampler",
  "batchSampler",
  "collate",
  "transform",
  "numWorkers",
  "prefetch",
  "pinMemory",
  "workerInit",
  "persistentWorkers",
  "seed",
  "timeoutMs",
];

/** Options with their defaults filled in and found to fit each other. */
export type ResolvedLoaderOptions =
  & Readonly<
    Required<Omit<DataLoaderOptions, "sampler" | "batchSampler" | "collate" | "transform" | "workerInit" | "seed">>
  >
  & Readonly<Pick<DataLoaderOptions, "sampler" | "batchSampler" | "collate" | "transform" | "workerInit" | "seed">>;

/** Checks a loader's options and fills in the defaults. @throws as {@linkcode DataLoader}'s constructor does */
export function resolveLoaderOptions(
  dataset: Dataset<unknown> | IterableDataset<unknown>,
  options: DataLoaderOptions,
): ResolvedLoaderOptions {
  rejectUnknownOptions("DataLoader", options, KNOWN);
  if (options.batchSampler) {
    for (const name of ["batchSize", "shuffle", "dropLast", "sampler"] as const) {
      if (options[name] === undefined || options[name] === false) continue;
      throw new TypeError(
        `DataLoader: \`batchSampler\` decides what is in a batch; leave \`${name}\` out or give no \`batchSampler\``,
      );
    }
  }
  if (options.sampler && options.shuffle) {
    throw new TypeError("DataLoader: `sampler` decides the order; leave `shuffle` out or give no `sampler`");
  }
  const map = isMapStyle(dataset);
  if (!map) {
    for (const name of ["shuffle", "sampler", "batchSampler"] as const) {
      if (!options[name]) continue;
      throw new TypeError(
        `DataLoader: an iterable dataset comes in its own order; \`${name}\` needs a dataset with \`length\` and \`get\``,
      );
    }
  }
  if (map && options.shuffle && dataset.length === 0) {
    throw new RangeError("DataLoader: the dataset is empty; there is nothing to shuffle");
  }
  for (const name of ["sampler", "batchSampler"] as const) {
    const sampler = options[name];
    if (sampler === undefined) continue;
    if (typeof sampler?.[Symbol.iterator] !== "function" || typeof sampler.length !== "number") {
      throw new TypeError(
        `DataLoader: \`${name}\` must be iterable and have a \`length\`, but got ${describe(sampler)}`,
      );
    }
  }
  const { transform, collate } = options;
  if (collate !== undefined && typeof collate !== "function" && !isReference(collate)) {
    throw new TypeError(`DataLoader: \`collate\` must be a function, but got ${describe(collate)}`);
  }
  if (
    transform !== undefined && typeof transform !== "function" && !(transform instanceof Transform) &&
    !isReference(transform)
  ) {
    throw new TypeError(`DataLoader: \`transform\` must be a Transform or a function, but got ${describe(transform)}`);
  }
  if (options.workerInit !== undefined && !isReference(options.workerInit)) {
    throw new TypeError(
      `DataLoader: \`workerInit\` runs in another thread: give { module: new URL("./init.ts", import.meta.url), export: "name" }`,
    );
  }
  const numWorkers = count("numWorkers", options.numWorkers ?? 0);
  if (numWorkers > 0) checkWorkers(dataset, options);
  else if (options.persistentWorkers) {
    throw new RangeError("DataLoader: `persistentWorkers` needs workers; set `numWorkers` to 1 or more");
  }
  if (!usesWorkers(dataset, options)) {
    for (const name of ["transform", "collate", "workerInit"] as const) {
      if (!isReference(options[name])) continue;
      throw new TypeError(
        `DataLoader: \`${name}\` by module is for workers, and this loader has none; give the function itself`,
      );
    }
  }
  if (options.pinMemory) {
    warn(
      "pin-memory",
      "`pinMemory` changes nothing here: batches go from typed arrays straight to the accelerator, there is no paged copy to avoid",
    );
  }
  return Object.freeze({
    ...options,
    batchSize: checkBatchSize("DataLoader", options.batchSize ?? 1),
    shuffle: options.shuffle ?? false,
    dropLast: options.dropLast ?? false,
    numWorkers,
    prefetch: count("prefetch", options.prefetch ?? 2),
    pinMemory: options.pinMemory ?? false,
    persistentWorkers: options.persistentWorkers ?? false,
    timeoutMs: count("timeoutMs", options.timeoutMs ?? 0),
    seed: options.seed === undefined ? undefined : checkSeed("DataLoader", options.seed),
  });
}

/** A loader's options with changes; those that exclude each other replace each other. */
export function mergeLoaderOptions(current: ResolvedLoaderOptions, changes: DataLoaderOptions): DataLoaderOptions {
  const options: DataLoaderOptions = { ...current };
  if (changes.sampler) options.shuffle = false;
  if (changes.shuffle) options.sampler = undefined;
  const ownBatches = options.batchSampler;
  if (ownBatches && (changes.sampler || changes.batchSize !== undefined)) {
    if (!(ownBatches instanceof BatchSampler)) {
      throw new TypeError(
        `this loader has a \`batchSampler\` of its own (${
          describe(ownBatches)
        }), which cannot be given another sampler or size; ` + "give `batchSampler` itself, made for this rank",
      );
    }
    options.sampler = ownBatches.sampler;
    options.batchSize = ownBatches.batchSize;
    options.dropLast = ownBatches.dropLast;
    options.batchSampler = undefined;
  }
  if (changes.batchSampler || options.batchSampler) {
    for (const name of ["batchSize", "dropLast", "shuffle", "sampler"] as const) options[name] = undefined;
  }
  return { ...options, ...changes };
}

function count(name: string, value: number): number {
  if (!Number.isInteger(value) || value < 0) {
    throw new RangeError(`DataLoader: \`${name}\` must be an integer from 0, but got ${String(value)}`);
  }
  return value;
}

/** True if batches are read in workers: asked for, and the dataset can be imported there. */
export function usesWorkers(
  dataset: Dataset<unknown> | IterableDataset<unknown>,
  options: Pick<DataLoaderOptions, "numWorkers">,
): boolean {
  return (options.numWorkers ?? 0) > 0 && referenceOf(dataset) !== undefined;
}

function checkWorkers(dataset: Dataset<unknown> | IterableDataset<unknown>, options: DataLoaderOptions): void {
  if (!usesWorkers(dataset, options)) {
    if (typeof (dataset as Dataset<unknown>).getBatch !== "function") {
      throw new TypeError(
        "DataLoader: workers are threads that must import the dataset themselves; make it by " +
          '`await datasetFromModule({ module: new URL("./my_dataset.ts", import.meta.url), export: "MyDataset", args: [] })`, ' +
          "or leave `numWorkers` out",
      );
    }
    warn(
      "workers-unused",
      `numWorkers: ${options.numWorkers} starts no workers: the dataset lies in memory, where gathering a batch takes less time than handing it over`,
    );
    return;
  }
  for (const name of ["transform", "collate"] as const) {
    if (options[name] === undefined || isReference(options[name])) continue;
    throw new TypeError(
      `DataLoader: \`${name}\` runs in the workers, and functions cannot be sent there; give ` +
        `{ module: new URL("./my_dataset.ts", import.meta.url), export: "name" }, or do it in the dataset`,
    );
  }
}

/** True for what names an export of a module. */
export function isReference(value: unknown): value is ModuleReference {
  return typeof value === "object" && value !== null && "module" in value && "export" in value;
}
