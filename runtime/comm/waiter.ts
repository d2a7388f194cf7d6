import { type Libzmq, libzmq } from "./libzmq.ts";
import type { Context } from "./zmq_context.ts";
import { type Socket, SocketType } from "./zmq_socket.ts";

const WINDOWS = Deno.build.os === "windows";
const ITEM_BYTES = WINDOWS ? 24 : 16;
const POLLIN = 1;
/** No thread waits longer than this at once: a process that ends never has to wait long for it. */
const SLICE_MS = 1000;

let count = 0;

/** Options of {@linkcode Waiter}. */
export interface WaiterOptions {
  /** How long to wait on the event loop's own thread, asleep, before a thread takes over. Default: 0 µs; at most 200. */
  firstWaitUs?: number;
}

/**
 * Waits until something arrives at sockets. It looks at file descriptors alone, never at the sockets themselves, so that
 * they can be used in the meantime; whoever waits has received until nothing was left before.
 */
export class Waiter {
  readonly #zmq: Libzmq = libzmq();
  readonly #bell: Socket;
  readonly #ear: Socket;
  readonly #items: Uint8Array<ArrayBuffer>;
  readonly #itemCount: number;
  readonly #quickItems: Uint8Array<ArrayBuffer>;
  readonly #quickTime: BigInt64Array<ArrayBuffer>;
  #pending: Promise<unknown> | undefined;
  #closed = false;

  /** @param context makes the inner pair of sockets by which {@linkcode wake} works */
  constructor(context: Context, sockets: readonly Socket[], options: WaiterOptions = {}) {
    this.#ear = context.socket(SocketType.PAIR);
    this.#bell = context.socket(SocketType.PAIR);
    const endpoint = `inproc://wake-${count++}`;
    this.#ear.bind(endpoint);
    this.#bell.connect(endpoint);
    const descriptors = [...sockets, this.#ear].map((socket) => socket.fileDescriptor);
    this.#itemCount = descriptors.length;
    this.#items = new Uint8Array(ITEM_BYTES * descriptors.length);
    this.#quickItems = new Uint8Array(8 * descriptors.length);
    const items = new DataView(this.#items.buffer), quick = new DataView(this.#quickItems.buffer);
    for (const [i, descriptor] of descriptors.entries()) {
      if (WINDOWS) items.setBigUint64(i * ITEM_BYTES + 8, BigInt(descriptor), true);
      else items.setInt32(i * ITEM_BYTES + 8, descriptor, true);
      items.setInt16(i * ITEM_BYTES + (WINDOWS ? 16 : 12), POLLIN, true);
      quick.setInt32(i * 8, descriptor, true);
      quick.setInt16(i * 8 + 4, POLLIN, true);
    }
    this.#quickTime = new BigInt64Array([0n, BigInt(Math.round(Math.min(options.firstWaitUs ?? 0, 200) * 1000))]);
    this.#drain();
  }

  /** True if {@linkcode waitBriefly} waits at all. */
  get isQuick(): boolean {
    return this.#zmq.ppoll !== null && this.#quickTime[1] > 0n;
  }

  /** Waits without giving up the thread, for the first wait's time. Returns whether something may have come. */
  waitBriefly(): boolean {
    if (!this.isQuick) return false;
    return this.#zmq.ppoll!(this.#quickItems, this.#itemCount as unknown as bigint, this.#quickTime, null) > 0;
  }

  /** Waits on a thread, for `timeoutMs` at most. Resolves early if something comes, {@linkcode wake} is called, or after a second. */
  async wait(timeoutMs: number): Promise<void> {
    if (this.#closed) return;
    const slice = BigInt(Math.max(0, Math.ceil(Math.min(timeoutMs, SLICE_MS))));
    const pending = this.#zmq.zmq_poll(this.#items, this.#itemCount, slice);
    this.#pending = pending;
    await pending;
    if (this.#pending === pending) this.#pending = undefined;
    if (!this.#closed) this.#drain();
  }

  /** Lets the wait of now, or else the next, end at once. */
  wake(): void {
    if (!this.#closed) this.#bell.send(new Uint8Array(1));
  }

  /** Ends a wait and closes the inner sockets. The context may be closed afterwards. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.wake();
    this.#closed = true;
    await this.#pending;
    this.#bell.close();
    this.#ear.close();
  }

  #drain(): void {
    const byte = new Uint8Array(1);
    while (this.#ear.receiveInto(byte) >= 0);
  }
}
