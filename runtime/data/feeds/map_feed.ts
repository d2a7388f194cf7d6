import type { Dataset } from "../dataset.ts";
import { type Feed, isPromise, type Item } from "./feed.ts";
import { readBatch, type ReadOptions } from "./read_batch.ts";

/** Reads a map-style dataset batch by batch; ahead only if its samples have to be waited for. */
export function mapFeed(
  dataset: Dataset<unknown>,
  batches: readonly Uint32Array[],
  options: ReadOptions & { from: number; prefetch: number },
): Feed {
  const queue: (Item | Promise<Item>)[] = [];
  let next = options.from;
  let waits = false;
  return {
    next() {
      while (next < batches.length && queue.length < (waits ? options.prefetch + 1 : 1)) {
        const item = readBatch(dataset, batches[next++], options);
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
