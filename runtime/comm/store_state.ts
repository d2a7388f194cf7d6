/** The longest key, in UTF-8 bytes. */
export const MAX_KEY_BYTES = 512;
/** The longest value. */
export const MAX_VALUE_BYTES = 4 * 1024 * 1024;
/** The most keys one `wait` may name. */
export const MAX_WAIT_KEYS = 65_536;

/** The most that a store holds: what is beyond comes from no training. */
export const MAX_STORE_BYTES = 1024 ** 3;
/** What a key costs besides its own bytes and its value's. */
const ENTRY_BYTES = 128;

/** Somebody who waits for keys. */
interface Waiting {
  missing: Set<string>;
  keys: readonly string[];
  done: (values: Uint8Array[]) => void;
}

/** What a store holds and who waits for it: the part that the server and the in-memory store share. */
export class StoreState {
  readonly #values = new Map<string, Uint8Array>();
  readonly #waiting = new Map<string, Set<Waiting>>();
  readonly #maxBytes: number;
  #bytes = 0;

  /** @param maxBytes what it holds at most. Default: 1 GiB */
  constructor(maxBytes: number = MAX_STORE_BYTES) {
    this.#maxBytes = maxBytes;
  }

  set(key: string, value: Uint8Array): void {
    checkKey(key);
    checkValue(value);
    const before = this.#values.get(key);
    const growth = value.byteLength - (before ? before.byteLength : -(key.length + ENTRY_BYTES));
    if (this.#bytes + growth > this.#maxBytes) {
      throw new RangeError(
        `the store is full: it holds at most ${this.#maxBytes} bytes; delete keys that are not needed`,
      );
    }
    this.#bytes += growth;
    this.#values.set(key, value.slice());
    const waiting = this.#waiting.get(key);
    this.#waiting.delete(key);
    for (const one of waiting ?? []) {
      one.missing.delete(key);
      if (one.missing.size > 0) continue;
      // What was there when the waiting began may have been deleted.
      const gone = one.keys.filter((key) => !this.#values.has(key));
      if (gone.length === 0) one.done(one.keys.map((key) => this.#values.get(key)!.slice()));
      else this.#await(one, gone);
    }
  }

  #await(one: Waiting, keys: readonly string[]): void {
    for (const key of keys) {
      one.missing.add(key);
      const waiting = this.#waiting.get(key) ?? new Set();
      waiting.add(one);
      this.#waiting.set(key, waiting);
    }
  }

  get(key: string): Uint8Array | undefined {
    checkKey(key);
    return this.#values.get(key)?.slice();
  }

  /** Calls `done` once every key is set, which may be at once. Returns what ends the waiting. */
  wait(keys: readonly string[], done: (values: Uint8Array[]) => void): () => void {
    checkKeys(keys);
    const missing = keys.filter((key) => !this.#values.has(key));
    const one: Waiting = { missing: new Set(), keys: [...keys], done };
    if (missing.length === 0) {
      done(keys.map((key) => this.#values.get(key)!.slice()));
      return () => {};
    }
    this.#await(one, missing);
    return () => {
      for (const key of one.missing) {
        const waiting = this.#waiting.get(key);
        waiting?.delete(one);
        if (waiting?.size === 0) this.#waiting.delete(key);
      }
    };
  }

  /** The keys among `keys` that are not set. */
  missing(keys: readonly string[]): string[] {
    return keys.filter((key) => !this.#values.has(key));
  }

  add(key: string, amount: number): number {
    checkKey(key);
    const old = this.#values.get(key);
    const number = old === undefined ? 0 : Number(new TextDecoder().decode(old.subarray(0, 32)));
    if (!Number.isSafeInteger(number)) {
      throw new TypeError(`the store's key ${JSON.stringify(key)} holds no counter; add() needs one it made itself`);
    }
    const sum = number + amount;
    if (!Number.isSafeInteger(sum)) {
      throw new RangeError(`adding ${amount} to ${number} in ${JSON.stringify(key)} leaves the integers below 2^53`);
    }
    this.set(key, new TextEncoder().encode(String(sum)));
    return sum;
  }

  compareAndSet(
    key: string,
    expected: Uint8Array | undefined,
    value: Uint8Array,
  ): { swapped: boolean; value: Uint8Array | undefined } {
    checkKey(key);
    checkValue(value);
    const old = this.#values.get(key);
    if (!sameBytes(old, expected)) return { swapped: false, value: old?.slice() };
    this.set(key, value);
    return { swapped: true, value: value.slice() };
  }

  delete(key: string): boolean {
    checkKey(key);
    const value = this.#values.get(key);
    if (value) this.#bytes -= value.byteLength + key.length + ENTRY_BYTES;
    return this.#values.delete(key);
  }
}

/** @throws RangeError if a key is empty or too long */
export function checkKey(key: string): void {
  if (key.length === 0 || new TextEncoder().encode(key).length > MAX_KEY_BYTES) {
    throw new RangeError(
      `a store's key has 1 to ${MAX_KEY_BYTES} bytes, this one ${key.length}: ${JSON.stringify(key.slice(0, 40))}`,
    );
  }
}

/** @throws RangeError if there are too many keys, none, one twice (an answer would repeat its value), or one is no key */
export function checkKeys(keys: readonly string[]): void {
  if (keys.length === 0 || keys.length > MAX_WAIT_KEYS) {
    throw new RangeError(`wait() takes 1 to ${MAX_WAIT_KEYS} keys, not ${keys.length}`);
  }
  if (new Set(keys).size < keys.length) throw new RangeError("wait() was given a key twice");
  for (const key of keys) checkKey(key);
}

/** @throws RangeError if the value is too long */
export function checkValue(value: Uint8Array): void {
  if (value.byteLength > MAX_VALUE_BYTES) {
    throw new RangeError(`a store's value has at most ${MAX_VALUE_BYTES} bytes, not ${value.byteLength}`);
  }
}

function sameBytes(a: Uint8Array | undefined, b: Uint8Array | undefined): boolean {
  if (a === undefined || b === undefined) return a === b;
  return a.length === b.length && a.every((byte, i) => byte === b[i]);
}
