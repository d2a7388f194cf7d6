import { connectTo } from "./bind_endpoints.ts";
import type { CurveKeys } from "./curve_keys.ts";
import { Head, HEAD_BYTES, MAX_INLINE_BYTES, MAX_PAYLOAD_BYTES } from "./frame.ts";
import type { Arrival, Transport } from "./transport.ts";
import { Waiter } from "./waiter.ts";
import { Context } from "./zmq_context.ts";
import { type Socket, SocketType } from "./zmq_socket.ts";

/** Options of {@linkcode ZmqTransport}. */
export interface ZmqTransportOptions {
  /** How long a wait may hold the event loop before it moves to a thread. Default: 200 µs, which is also the most. */
  firstWaitUs?: number;
  /** What connections by TCP are encrypted with. Default: nothing. */
  curve?: CurveKeys;
}

/** The options with which a rank's inbox is made. */
export const INBOX_OPTIONS = { maxMessageBytes: MAX_PAYLOAD_BYTES + HEAD_BYTES, bufferBytes: 1 << 20 } as const;

/** Frames by ZeroMQ: every rank has one inbox that all others push to. */
export class ZmqTransport implements Transport {
  readonly rank: number;
  readonly worldSize: number;
  readonly #context: Context;
  readonly #inbox: Socket;
  readonly #waiter: Waiter;
  readonly #outboxes: (Socket | undefined)[];
  readonly #outgoing = new Uint8Array(HEAD_BYTES + MAX_INLINE_BYTES);
  readonly #incoming = new Uint8Array(HEAD_BYTES + MAX_INLINE_BYTES);
  readonly #head = new Head(this.#incoming.buffer);
  readonly #arrival: { head: Head; payload: Uint8Array; isCut: boolean };
  #holdsPart = false;

  /**
   * @param context owned from now on
   * @param inbox a bound PULL socket of the context
   * @param options.endpoints where the inboxes of all ranks are, by rank
   */
  constructor(
    context: Context,
    inbox: Socket,
    options: ZmqTransportOptions & { rank: number; endpoints: readonly string[] },
  ) {
    this.rank = options.rank;
    this.worldSize = options.endpoints.length;
    this.#context = context;
    this.#inbox = inbox;
    this.#waiter = new Waiter(context, [inbox], { firstWaitUs: options.firstWaitUs ?? 200 });
    this.#arrival = { head: this.#head, payload: this.#incoming, isCut: false };
    this.#outboxes = options.endpoints.map((endpoint, rank) => {
      if (rank === options.rank) return undefined;
      const outbox = context.socket(SocketType.PUSH, { bufferBytes: 1 << 20, ipv6: endpoint.includes("[") });
      connectTo(outbox, endpoint, options.curve);
      return outbox;
    });
  }

  send(to: number, head: Head, payload: Uint8Array, inPlace: boolean): void {
    const outbox = this.#outboxes[to]!;
    head.length = payload.byteLength;
    head.isSeparate = payload.byteLength > MAX_INLINE_BYTES;
    if (!head.isSeparate) {
      this.#outgoing.set(head.bytes);
      this.#outgoing.set(payload, HEAD_BYTES);
      outbox.send(this.#outgoing.subarray(0, HEAD_BYTES + payload.byteLength));
      return;
    }
    outbox.send(head.bytes, true);
    if (inPlace) outbox.sendInPlace(payload);
    else outbox.send(payload);
  }

  receive(): Arrival | undefined {
    this.release();
    for (;;) {
      const size = this.#inbox.receiveInto(this.#incoming);
      if (size < 0) return undefined;
      if (size < HEAD_BYTES || size > this.#incoming.length || !this.#head.isOurs) {
        this.#dropRest();
        continue;
      }
      const arrival = this.#arrival;
      if (!this.#head.isSeparate) {
        arrival.payload = this.#incoming.subarray(HEAD_BYTES, size);
      } else {
        const part = this.#inbox.hasMore() ? this.#inbox.receivePart() : undefined;
        if (!part) {
          arrival.payload = this.#incoming.subarray(HEAD_BYTES, HEAD_BYTES);
        } else {
          this.#holdsPart = true;
          arrival.payload = part.bytes;
        }
      }
      arrival.isCut = arrival.payload.length !== this.#head.length;
      return arrival;
    }
  }

  release(): void {
    if (!this.#holdsPart) return;
    this.#holdsPart = false;
    this.#arrival.payload = this.#incoming;
    this.#inbox.releasePart();
  }

  get isQuick(): boolean {
    return this.#waiter.isQuick;
  }

  waitBriefly(): boolean {
    return this.#waiter.waitBriefly();
  }

  wait(timeoutMs: number): Promise<void> {
    return this.#waiter.wait(timeoutMs);
  }

  wake(): void {
    this.#waiter.wake();
  }

  async close(lingerMs: number): Promise<void> {
    this.release();
    await this.#waiter.close();
    await this.#context.close(lingerMs);
  }

  closeNow(lingerMs: number): void {
    this.release();
    this.#context.closeNow(lingerMs);
  }

  #dropRest(): void {
    while (this.#inbox.hasMore()) {
      if (this.#inbox.receivePart()) this.#inbox.releasePart();
    }
  }
}
