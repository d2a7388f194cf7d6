/** A small key-value store that ranks use to find each other. Values are bytes; keys are strings of at most 512 bytes. */
export interface Store extends AsyncDisposable {
  set(key: string, value: Uint8Array): Promise<void>;
  /** The value, or undefined if the key was never set. */
  get(key: string): Promise<Uint8Array | undefined>;
  /**
   * Waits until every key is set and returns the values in the order asked for.
   * @throws CommTimeoutError naming the keys that are missing
   */
  wait(keys: readonly string[], options?: WaitOptions): Promise<Uint8Array[]>;
  /** Adds to a counter (a missing one is 0) and returns the sum. */
  add(key: string, amount: number): Promise<number>;
  /** Sets the key to `value` if its value equals `expected` (undefined: if it is not set). Returns the value afterwards. */
  compareAndSet(
    key: string,
    expected: Uint8Array | undefined,
    value: Uint8Array,
  ): Promise<{ swapped: boolean; value: Uint8Array | undefined }>;
  delete(key: string): Promise<boolean>;
}

/** Options of everything in `runtime/comm` that waits. */
export interface WaitOptions {
  /** Default: 5 minutes for the store and the rendezvous, 30 minutes for collectives. */
  timeoutMs?: number;
  signal?: AbortSignal;
}
