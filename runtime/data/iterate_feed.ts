import type { Feed, Item } from "./feeds/feed.ts";

/** What an iteration does at each turn. */
export interface FeedIteration<X> {
  /** Begins the reading, when the first batch is asked for. */
  open(): Feed;
  /** Makes of a batch what the loop gets. */
  handOut(item: Item): X;
  /** Called after a batch was handed out. */
  given(): void;
  /** Called before the next batch is made, at the end, and when the loop is left. */
  takeBack(): void;
  /** Called when the last batch has been taken back; not when the loop was left before. */
  finished(): void;
}

/** An iterator over a feed, which is closed at the end, at a `break` and at a throw. */
export function iterateFeed<X>(iteration: FeedIteration<X>): AsyncIterableIterator<X> {
  let feed: Feed | undefined;
  let ended = false;

  async function end(): Promise<void> {
    ended = true;
    iteration.takeBack();
    const open = feed;
    feed = undefined;
    await open?.close();
  }

  return {
    [Symbol.asyncIterator]() {
      return this;
    },
    async next(): Promise<IteratorResult<X>> {
      if (ended) return { done: true, value: undefined };
      iteration.takeBack();
      try {
        feed ??= iteration.open();
        const reading = feed.next();
        const item = reading instanceof Promise ? await reading : reading;
        if (item === undefined) {
          iteration.finished();
          await end();
          return { done: true, value: undefined };
        }
        const value = iteration.handOut(item);
        iteration.given();
        return { done: false, value };
      } catch (error) {
        await end();
        throw error;
      }
    },
    async return(value?: unknown): Promise<IteratorResult<X>> {
      await end();
      return { done: true, value } as IteratorResult<X>;
    },
    async throw(error?: unknown): Promise<IteratorResult<X>> {
      await end();
      throw error;
    },
  };
}
