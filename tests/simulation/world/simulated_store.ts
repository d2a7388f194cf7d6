import { MemoryStore, RENDEZVOUS_TIMEOUT_MS } from "../../../runtime/comm/memory_store.ts";
import type { Store, WaitOptions } from "../../../runtime/comm/store.ts";
import { CommTimeoutError } from "../../../runtime/core/errors.ts";
import type { Connection, Network } from "./network.ts";
import type { SimulatedProcess } from "./simulated_process.ts";

/** The run's store: the real one, in a process of the simulation. */
export class StoreService {
  readonly process: SimulatedProcess;
  readonly store: MemoryStore;
  readonly network: Network;

  constructor(process: SimulatedProcess, network: Network) {
    this.process = process;
    this.network = network;
    this.store = new MemoryStore({ clock: process.clock });
  }
}

/** The store as another process sees it: each request travels there and its answer back. It times out as the client over ZeroMQ does. */
export class SimulatedStore implements Store {
  readonly #service: StoreService;
  readonly #process: SimulatedProcess;
  readonly #there: Connection;
  readonly #back: Connection;
  readonly #timeoutMs: number;
  #isClosed = false;

  constructor(service: StoreService, process: SimulatedProcess, timeoutMs: number = RENDEZVOUS_TIMEOUT_MS) {
    this.#service = service;
    this.#process = process;
    this.#timeoutMs = timeoutMs;
    this.#there = { from: process, lastMs: 0 };
    this.#back = { from: service.process, lastMs: 0 };
  }

  set(key: string, value: Uint8Array): Promise<void> {
    return this.#ask((store) => store.set(key, value));
  }

  get(key: string): Promise<Uint8Array | undefined> {
    return this.#ask((store) => store.get(key));
  }

  async wait(keys: readonly string[], options: WaitOptions = {}): Promise<Uint8Array[]> {
    const { timeoutMs = this.#timeoutMs, signal } = options;
    const cancelled = new AbortController();
    try {
      return await this.#ask((store) => store.wait(keys, { timeoutMs, signal: cancelled.signal }), {
        timeoutMs: timeoutMs + 5_000,
        signal,
      });
    } finally {
      this.#service.network.carry(this.#there, this.#service.process, () => cancelled.abort());
    }
  }

  add(key: string, amount: number): Promise<number> {
    return this.#ask((store) => store.add(key, amount));
  }

  compareAndSet(
    key: string,
    expected: Uint8Array | undefined,
    value: Uint8Array,
  ): Promise<{ swapped: boolean; value: Uint8Array | undefined }> {
    return this.#ask((store) => store.compareAndSet(key, expected, value));
  }

  delete(key: string): Promise<boolean> {
    return this.#ask((store) => store.delete(key));
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#isClosed = true;
    return Promise.resolve();
  }

  async #ask<T>(request: (store: Store) => Promise<T>, options: WaitOptions = {}): Promise<T> {
    if (this.#isClosed) throw new Error("the store is closed");
    const { timeoutMs = this.#timeoutMs, signal } = options;
    signal?.throwIfAborted();
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    const { network, process, store } = this.#service;
    const answer = (settle: () => void) => network.carry(this.#back, this.#process, settle);
    network.carry(this.#there, process, () => {
      request(store).then(
        (value) => answer(() => resolve(value)),
        (error) => answer(() => reject(error)),
      );
    });
    const cancelTimer = this.#process.after(timeoutMs, () => {
      const message = `the store did not answer within ${timeoutMs / 1000} s`;
      reject(new CommTimeoutError(message, { operation: "store", timeoutMs }));
    });
    const abort = () => reject(signal?.reason);
    signal?.addEventListener("abort", abort);
    try {
      return await promise;
    } finally {
      cancelTimer();
      signal?.removeEventListener("abort", abort);
    }
  }
}
