import { type Dataset, type HostBatch, type IterableDataset, type SampleContext } from "./dataset.ts";
import type { ResolvedLoaderOptions } from "./loader_options.ts";
import { isHostTensor } from "../tensor/host_tensor.ts";
import { describe } from "./host_values.ts";
import { Transform } from "./transforms/transform.ts";

/** A batch on its way: stacked already, or samples that are stacked when it is handed out. */
export type Item = { batch: HostBatch } | { samples: unknown[] };

/** Where an epoch's batches come from. */
export interface Feed {
  /** The next batch, or undefined after the last. A value instead of a promise if nothing has to be waited for. */
  next(): Item | undefined | Promise<Item | undefined>;
  /** Ends the reading. */
  close(): void | Promise<void>;
}

/** Applies a loader's `transform` to one sample. */
export function transformSample(
  sample: unknown,
  transform: ResolvedLoaderOptions["transform"],
  context: SampleContext,
  index: number,
): unknown {
  if (!transform) return sample;
  if (typeof transform === "function") return transform(sample, context);
  if (!(transform instanceof Transform)) throw new TypeError("a module's `transform` is for workers");
  if (isHostTensor(sample)) return transform.apply(sample, context.random(index));
  if (Array.isArray(sample) && isHostTensor(sample[0])) {
    return [transform.apply(sample[0], context.random(index)), ...sample.slice(1)];
  }
  throw new TypeError(
    `a Transform changes the first tensor of a sample, but sample ${index} is ${describe(sample)}: ` +
      "let it be [HostTensor, …], or give a function as `transform`",
  );
}

/** Reads a map-style dataset batch by batch; ahead only if its samples have to be waited for. */
export function mapFeed(
  dataset: Dataset<unknown>,
  batches: readonly Uint32Array[],
  options: { from: number; prefetch: number; transform: ResolvedLoaderOptions["transform"]; context: SampleContext },
): Feed {
  const { transform, context } = options;
  const queue: (Item | Promise<Item>)[] = [];
  let next = options.from;
  let waits = false;

  function read(indices: Uint32Array): Item | Promise<Item> {
    if (typeof transform !== "function") {
      const batch = dataset.getBatch?.(indices, { context, transform: transform as Transform | undefined });
      if (batch !== undefined) return { batch };
    }
    let pending = false;
    const samples = Array.from(indices, (index) => {
      const sample = dataset.get(index, context);
      const changed = isPromise(sample)
        ? sample.then((sample) => transformSample(sample, transform, context, index))
        : transformSample(sample, transform, context, index);
      pending ||= isPromise(changed);
      return changed;
    });
    return pending ? Promise.all(samples).then((samples) => ({ samples })) : { samples };
  }

  return {
    next() {
      while (next < batches.length && queue.length < (waits ? options.prefetch + 1 : 1)) {
        const item = read(batches[next++]);
        if (isPromise(item)) {
          waits = true;
          item.catch(() => {}); // it is thrown where the batch is asked for; a loop that was left asks no more
        }
        queue.push(item);
      }
      return queue.shift();
    },
    close() {
      queue.length = 0;
      next = batches.length;
    },
  };
}

/** Reads an iterable dataset from its start. */
export function streamFeed(
  dataset: IterableDataset<unknown>,
  options: {
    from: number;
    batchSize: number;
    dropLast: boolean;
    prefetch: number;
    transform: ResolvedLoaderOptions["transform"];
    context: SampleContext;
  },
): Feed {
  const batches = readStream(dataset, options);
  const queue: Promise<IteratorResult<Item, undefined>>[] = [];
  return {
    async next() {
      while (queue.length < options.prefetch + 1) {
        const result = batches.next();
        result.catch(() => {});
        queue.push(result);
      }
      return (await queue.shift()!).value;
    },
    async close() {
      queue.length = 0;
      await batches.return(undefined);
    },
  };
}

async function* readStream(
  dataset: IterableDataset<unknown>,
  options: Parameters<typeof streamFeed>[1],
): AsyncGenerator<Item, undefined> {
  const { batchSize, transform, context } = options;
  let skip = options.from * batchSize, index = 0;
  let samples: unknown[] = [];
  for await (const sample of dataset as AsyncIterable<unknown>) {
    if (skip > 0) skip--;
    else samples.push(await transformSample(sample, transform, context, index));
    index++;
    if (samples.length < batchSize) continue;
    yield { samples };
    samples = [];
  }
  if (samples.length > 0 && !options.dropLast) yield { samples };
  return undefined;
}

function isPromise(value: unknown): value is Promise<unknown> {
  return typeof (value as PromiseLike<unknown> | null)?.then === "function";
}
