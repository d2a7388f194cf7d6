/** The longest key, in UTF-8 bytes. */
export const MAX_KEY_BYTES = 512;
/** The longest value. */
export const MAX_VALUE_BYTES = 4 * 1024 * 1024;
/** The most keys one `wait` may name. */
export const MAX_WAIT_KEYS = 65_536;

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

  set(key: string, value: Uint8Array): void {
    checkKey(key);
    checkValue(value);
    this.#values.set(key, value.slice());
    const waiting = this.#waiting.get(key);
    this.#waiting.delete(key);
    for (const one of waiting ?? []) {
      one.missing.delete(key);
      if (one.missing.size === 0) one.done(one.keys.map((key) => this.#values.get(key)!.slice()));
    }
  }

  get(key: string): Uint8Array | undefined {
    checkKey(key);
    return this.#values.get(key)?.slice();
  }

  /** Calls `done` once every key is set, which may be at once. Returns what ends the waiting. */
  wait(keys: readonly string[], done: (values: Uint8Array[]) => void): () => void {
    checkKeys(keys);
    const missing = new Set(keys.filter((key) => !this.#values.has(key)));
    const one: Waiting = { missing, keys: [...keys], done };
    if (missing.size === 0) {
      done(keys.map((key) => this.#values.get(key)!.slice()));
      return () => {};
    }
    for (const key of missing) {
      const waiting = this.#waiting.get(key) ?? new Set();
      waiting.add(one);
      this.#waiting.set(key, waiting);
    }
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

/** @throws RangeError if there are too many keys, none, or one is no key */
export function checkKeys(keys: readonly string[]): void {
  if (keys.length === 0 || keys.length > MAX_WAIT_KEYS) {
    throw new RangeError(`wait() takes 1 to ${MAX_WAIT_KEYS} keys, not ${keys.length}`);
  }
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
