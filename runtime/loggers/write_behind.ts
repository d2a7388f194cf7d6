import { warn } from "../core/messages.ts";

/** Options of {@linkcode WriteBehind}. */
export interface WriteBehindOptions<T> {
  /** Writes all of `items` or, if it rejects, none of them. Never called twice at a time. */
  write(items: readonly T[]): Promise<void>;
  /**
   * Writes at once while the process ends. Some of `items` may have been on their way in an unfinished `write`. Default: what is
   * unwritten then is lost, which is said.
   */
  writeNow?(items: readonly T[]): void;
  /** Items after which writing starts by itself. Default: 100. */
  flushEvery?: number;
  /** Writing also starts when an item comes this long after the last writing. Default: 1000. */
  flushAfterMs?: number;
  /** Milliseconds of a clock that does not jump. Default: performance.now. */
  now?: () => number;
}

/**
 * Takes items without waiting and writes them later, in order, none twice. A failure keeps the items; they are tried again
 * with the next writing, and `flush()` tells whether all is written.
 */
export class WriteBehind<T> {
  readonly #write: (items: readonly T[]) => Promise<void>;
  readonly #writeNow?: (items: readonly T[]) => void;
  readonly #flushEvery: number;
  readonly #flushAfterMs: number;
  readonly #now: () => number;
  #waiting: T[] = [];
  #underWay: T[] = [];
  #running: Promise<void> | undefined;
  #failed: { cause: unknown } | undefined;
  #lastWriting = -Infinity;
  #listens = false;

  constructor(options: WriteBehindOptions<T>) {
    this.#write = options.write;
    this.#writeNow = options.writeNow;
    this.#flushEvery = options.flushEvery ?? 100;
    this.#flushAfterMs = options.flushAfterMs ?? 1000;
    this.#now = options.now ?? (() => performance.now());
  }

  /** Takes an item; at most starts the writing. */
  add(item: T): void {
    this.#waiting.push(item);
    if (!this.#listens) {
      globalThis.addEventListener("unload", this.#atExit);
      this.#listens = true;
    }
    if (this.#running) return;
    const isFull = this.#waiting.length >= this.#flushEvery && !this.#failed;
    if (isFull || this.#now() - this.#lastWriting >= this.#flushAfterMs) this.#start();
  }

  /** Resolves when all items so far are written. Rejects with what `write` rejected with if they cannot be. */
  async flush(): Promise<void> {
    await this.#running;
    while (this.#waiting.length > 0) {
      await (this.#running ?? this.#start());
      if (this.#failed) throw this.#failed.cause;
    }
  }

  /** Flushes and lets go of the process's end. More items may be added afterwards. */
  async close(): Promise<void> {
    await this.flush();
    globalThis.removeEventListener("unload", this.#atExit);
    this.#listens = false;
  }

  #start(): Promise<void> {
    this.#running = this.#drain().finally(() => this.#running = undefined);
    return this.#running;
  }

  async #drain(): Promise<void> {
    await Promise.resolve(); // the caller of add() goes on first
    while (this.#waiting.length > 0) {
      [this.#underWay, this.#waiting] = [this.#waiting, []];
      try {
        await this.#write(this.#underWay);
        this.#failed = undefined;
      } catch (cause) {
        this.#waiting.unshift(...this.#underWay);
        this.#failed = { cause };
        return;
      } finally {
        this.#underWay = [];
        this.#lastWriting = this.#now();
      }
    }
  }

  readonly #atExit = (): void => {
    const items = [...this.#underWay, ...this.#waiting];
    if (items.length === 0) return;
    this.#underWay = this.#waiting = [];
    try {
      if (!this.#writeNow) throw new Error("the process ended first");
      this.#writeNow(items);
    } catch (error) {
      warn("log-lost", `${items.length} logged entries were not written: ${(error as Error).message}`);
    }
  };
}
