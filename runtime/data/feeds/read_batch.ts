import type { Dataset, SampleContext } from "../dataset.ts";
import { describe } from "../host_values.ts";
import { isHostTensor } from "../../tensor/host_tensor.ts";
import { deriveSeed } from "../../seed/derive_seed.ts";
import { Random } from "../../seed/random.ts";
import { Transform } from "../transforms/transform.ts";
import { isPromise, type Item } from "./feed.ts";

/** What is done to samples as they are read. */
export interface ReadOptions {
  /** A Transform for the first tensor of each sample, or a function over samples. */
  transform?: Transform | ((sample: unknown, context: SampleContext) => unknown);
  context: SampleContext;
}

/** Which sample an error is about, for errors that cross threads. */
export const sampleOfError: WeakMap<object, number> = new WeakMap();

/** The random numbers of an epoch's samples. */
export function sampleContext(seed: number, epoch: number): SampleContext {
  return { epoch, random: (index) => new Random(deriveSeed(seed, epoch, index)) };
}

/** Reads the samples at `indices`: at once if the dataset can, else one by one, those that have to be waited for side by side. */
export function readBatch(dataset: Dataset<unknown>, indices: Uint32Array, options: ReadOptions): Item | Promise<Item> {
  const { transform, context } = options;
  if (typeof transform !== "function") {
    const batch = dataset.getBatch?.(indices, { context, transform });
    if (batch !== undefined) return { batch };
  }
  let pending = false;
  const samples = Array.from(indices, (index) => {
    try {
      const sample = dataset.get(index, context);
      const changed = isPromise(sample)
        ? sample.then((sample) => transformSample(sample, index, options))
        : transformSample(sample, index, options);
      if (!isPromise(changed)) return changed;
      pending = true;
      return changed.catch((error) => blame(error, index));
    } catch (error) {
      return blame(error, index);
    }
  });
  return pending ? Promise.all(samples).then((samples) => ({ samples })) : { samples };
}

/** Applies a loader's `transform` to one sample. */
export function transformSample(sample: unknown, index: number, { transform, context }: ReadOptions): unknown {
  if (!transform) return sample;
  if (typeof transform === "function") return transform(sample, context);
  if (isHostTensor(sample)) return transform.apply(sample, context.random(index));
  if (Array.isArray(sample) && isHostTensor(sample[0])) {
    return [transform.apply(sample[0], context.random(index)), ...sample.slice(1)];
  }
  throw new TypeError(
    `a Transform changes the first tensor of a sample, but sample ${index} is ${describe(sample)}: ` +
      "let it be [HostTensor, …], or give a function as `transform`",
  );
}

function blame(error: unknown, index: number): never {
  if (typeof error === "object" && error !== null) sampleOfError.set(error, index);
  throw error;
}
