import type { Feed, Item } from "./feed.ts";
import type { WorkerPool } from "./worker_pool.ts";

/** Reads batches in workers, each taking every n-th, and gives them in order. */
export function workerFeed(
  pool: WorkerPool,
  options: {
    /** The indices of each batch; undefined for an iterable dataset. */
    batches: readonly Uint32Array[] | undefined;
    epoch: number;
    from: number;
    prefetch: number;
    /** End the workers with the reading. */
    ends: boolean;
  },
): Feed {
  const { batches, epoch, prefetch } = options;
  const ahead = pool.size * Math.max(1, prefetch);
  const queue: Promise<Item | undefined>[] = [];
  const total = batches?.length ?? Infinity;
  let next = options.from;
  return {
    async next() {
      while (next < total && queue.length < ahead) {
        const batch = pool.read({ k: next, epoch, indices: batches?.[next] });
        batch.catch(() => {}); // thrown where the batch is asked for
        queue.push(batch);
        next++;
      }
      return await queue.shift();
    },
    close() {
      queue.length = 0;
      next = total;
      if (options.ends) pool.close();
    },
  };
}
