import type { IterableDataset } from "../dataset.ts";
import type { Feed } from "./feed.ts";
import { StreamReader, type StreamReaderOptions } from "./stream_reader.ts";

/** Reads an iterable dataset, `prefetch` batches ahead. */
export function streamFeed(
  dataset: IterableDataset<unknown>,
  options: StreamReaderOptions & { from: number; prefetch: number },
): Feed {
  const reader = new StreamReader(dataset, options);
  const queue: Promise<unknown[] | undefined>[] = [];
  let last: Promise<unknown> = Promise.resolve();
  let next = options.from;
  let closed = false;
  return {
    async next() {
      while (queue.length < options.prefetch + 1) {
        const k = next++;
        const batch = last.then(() => closed ? undefined : reader.read(k));
        batch.catch(() => {}); // thrown where the batch is asked for
        queue.push(batch);
        last = batch;
      }
      const samples = await queue.shift();
      return samples && { samples };
    },
    async close() {
      closed = true;
      queue.length = 0;
      await last.catch(() => {});
      await reader.close();
    },
  };
}
