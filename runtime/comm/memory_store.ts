import { type Clock, systemClock } from "../core/clock.ts";
import { CommTimeoutError } from "../core/errors.ts";
import { StoreState } from "./store_state.ts";
import type { Store, WaitOptions } from "./store.ts";

/** How long the store and the rendezvous wait unless told otherwise: 5 minutes. */
export const RENDEZVOUS_TIMEOUT_MS = 5 * 60_000;

/**
 * A store within one process, for tests and for groups whose ranks share a process.
 *
 * @example
 * ```ts
 * await using store = new MemoryStore();
 * if (await store.add("ranks", 1) !== 1) throw new Error("expected 1");
 * ```
 */
export class MemoryStore implements Store {
  readonly #state = new StoreState();
  readonly #ends = new Set<(reason: Error) => void>();
  readonly #clock: Clock;
  #closed = false;

  /** @param options.clock what waits go by. Default: the clock of this process */
  constructor(options: { clock?: Clock } = {}) {
    this.#clock = options.clock ?? systemClock;
  }

  async set(key: string, value: Uint8Array): Promise<void> {
    await this.#open().set(key, value);
  }

  async get(key: string): Promise<Uint8Array | undefined> {
    return await this.#open().get(key);
  }

  async wait(keys: readonly string[], options: WaitOptions = {}): Promise<Uint8Array[]> {
    const state = this.#open(), timeoutMs = options.timeoutMs ?? RENDEZVOUS_TIMEOUT_MS;
    options.signal?.throwIfAborted();
    const { promise, resolve, reject } = Promise.withResolvers<Uint8Array[]>();
    const cancel = state.wait(keys, resolve);
    const cancelTimer = this.#clock.after(
      timeoutMs,
      () => reject(waitTimeout(state.missing(keys), keys, timeoutMs)),
    );
    const abort = () => reject(options.signal?.reason);
    options.signal?.addEventListener("abort", abort);
    this.#ends.add(reject);
    try {
      return await promise;
    } finally {
      cancelTimer();
      options.signal?.removeEventListener("abort", abort);
      this.#ends.delete(reject);
      cancel();
    }
  }

  async add(key: string, amount: number): Promise<number> {
    return await this.#open().add(key, amount);
  }

  async compareAndSet(
    key: string,
    expected: Uint8Array | undefined,
    value: Uint8Array,
  ): Promise<{ swapped: boolean; value: Uint8Array | undefined }> {
    return await this.#open().compareAndSet(key, expected, value);
  }

  async delete(key: string): Promise<boolean> {
    return await this.#open().delete(key);
  }

  /** Ends the store; who still waits gets an error. */
  [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    for (const end of this.#ends) end(new Error("the store was closed"));
    return Promise.resolve();
  }

  #open(): StoreState {
    if (this.#closed) throw new Error("the store is closed");
    return this.#state;
  }
}

/** The error of a wait that took too long. */
export function waitTimeout(missing: readonly string[], keys: readonly string[], timeoutMs: number): CommTimeoutError {
  const named = missing.slice(0, 8).map((key) => JSON.stringify(key)).join(", ");
  const more = missing.length > 8 ? ` and ${missing.length - 8} more` : "";
  return new CommTimeoutError(
    `waited ${timeoutMs / 1000} s in the store for ${keys.length} keys; not set: ${named || "unknown"}${more}`,
    { operation: "store.wait", timeoutMs },
  );
}
