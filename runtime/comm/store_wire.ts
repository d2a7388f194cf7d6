/** How requests and answers of the store lie in one message: numbers little-endian, strings and bytes after their length. */

/** The version of the store's messages; a server drops what has another. */
export const STORE_VERSION = 1;

/** What a client asks for. */
export const StoreOp = {
  ping: 1,
  set: 2,
  get: 3,
  wait: 4,
  add: 5,
  compareAndSet: 6,
  delete: 7,
  cancel: 8,
  address: 9,
} as const;

/** How a server answers. */
export const StoreStatus = { ok: 0, error: 1, missing: 2 } as const;

/** The most that a message of the store can need beside its value. */
export const STORE_OVERHEAD_BYTES = 64 * 1024;

const encoder = new TextEncoder(), decoder = new TextDecoder("utf-8", { fatal: true });

/** Collects the fields of a message. */
export class StoreWriter {
  readonly #parts: Uint8Array[] = [];
  #length = 0;

  u8(value: number): this {
    return this.#push(new Uint8Array([value]));
  }

  u32(value: number): this {
    const bytes = new Uint8Array(4);
    new DataView(bytes.buffer).setUint32(0, value, true);
    return this.#push(bytes);
  }

  f64(value: number): this {
    const bytes = new Uint8Array(8);
    new DataView(bytes.buffer).setFloat64(0, value, true);
    return this.#push(bytes);
  }

  bytes(value: Uint8Array): this {
    return this.u32(value.byteLength).#push(value);
  }

  /** Bytes that may be missing. */
  optional(value: Uint8Array | undefined): this {
    return value === undefined ? this.u8(0) : this.u8(1).bytes(value);
  }

  text(value: string): this {
    return this.bytes(encoder.encode(value));
  }

  finish(): Uint8Array {
    const message = new Uint8Array(this.#length);
    let offset = 0;
    for (const part of this.#parts) {
      message.set(part, offset);
      offset += part.byteLength;
    }
    return message;
  }

  #push(part: Uint8Array): this {
    this.#parts.push(part);
    this.#length += part.byteLength;
    return this;
  }
}

/** Reads the fields of a message, in order. Every read throws RangeError past the end; nothing is taken on trust. */
export class StoreReader {
  readonly #message: Uint8Array;
  readonly #view: DataView;
  #offset = 0;

  constructor(message: Uint8Array) {
    this.#message = message;
    this.#view = new DataView(message.buffer, message.byteOffset, message.byteLength);
  }

  u8(): number {
    return this.#view.getUint8(this.#advance(1));
  }

  u32(): number {
    return this.#view.getUint32(this.#advance(4), true);
  }

  f64(): number {
    return this.#view.getFloat64(this.#advance(8), true);
  }

  bytes(): Uint8Array {
    const length = this.u32();
    const start = this.#advance(length);
    return this.#message.slice(start, start + length);
  }

  optional(): Uint8Array | undefined {
    return this.u8() === 0 ? undefined : this.bytes();
  }

  text(): string {
    return decoder.decode(this.bytes());
  }

  /** @throws RangeError if something is left */
  end(): void {
    if (this.#offset !== this.#message.byteLength) {
      throw new RangeError("a message of the store is longer than its fields");
    }
  }

  #advance(length: number): number {
    const start = this.#offset;
    if (start + length > this.#message.byteLength) throw new RangeError("a message of the store is cut short");
    this.#offset += length;
    return start;
  }
}
