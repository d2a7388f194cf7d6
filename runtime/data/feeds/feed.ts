/** A batch on its way: stacked already, or samples that are stacked when it is handed out. */
export type Item = { batch: unknown } | { samples: unknown[] };

/** Where an epoch's batches come from. */
export interface Feed {
  /** The next batch, or undefined after the last. A value instead of a promise if nothing has to be waited for. */
  next(): Item | undefined | Promise<Item | undefined>;
  /** Ends the reading. */
  close(): void | Promise<void>;
}

/** True for what has to be waited for. */
export function isPromise(value: unknown): value is Promise<unknown> {
  return typeof (value as PromiseLike<unknown> | null)?.then === "function";
}
