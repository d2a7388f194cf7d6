import { type Clock, systemClock } from "../core/clock.ts";
import { type Head, Head as FrameHead, HEAD_BYTES } from "./frame.ts";
import type { Arrival, Transport } from "./transport.ts";

interface Inbox {
  frames: Arrival[];
  ring: () => void;
}

/** Transports of ranks that share a process: what is sent is copied, as it would be on its way. */
export function memoryTransports(worldSize: number, clock: Clock = systemClock): Transport[] {
  const inboxes = Array.from({ length: worldSize }, (): Inbox => ({ frames: [], ring: () => {} }));
  return inboxes.map((inbox, rank) => new MemoryTransport(rank, { inbox, inboxes, clock }));
}

class MemoryTransport implements Transport {
  readonly rank: number;
  readonly worldSize: number;
  readonly isQuick = false;
  readonly #inbox: Inbox;
  readonly #inboxes: Inbox[];
  readonly #clock: Clock;
  #rung = false;
  #wakeUp: (() => void) | undefined;
  #closed = false;

  constructor(rank: number, options: { inbox: Inbox; inboxes: Inbox[]; clock: Clock }) {
    const { inbox, inboxes, clock } = options;
    this.rank = rank;
    this.worldSize = inboxes.length;
    this.#inbox = inbox;
    this.#inboxes = inboxes;
    this.#clock = clock;
    inbox.ring = () => this.wake();
  }

  send(to: number, head: Head, payload: Uint8Array): void {
    if (this.#closed) throw new Error("the transport is closed");
    const copy = new FrameHead(head.bytes.slice(0, HEAD_BYTES).buffer);
    this.#inboxes[to].frames.push({ head: copy, payload: payload.slice(), isCut: payload.length !== head.length });
    this.#inboxes[to].ring();
  }

  receive(): Arrival | undefined {
    return this.#inbox.frames.shift();
  }

  release(): void {}

  waitBriefly(): boolean {
    return false;
  }

  async wait(timeoutMs: number): Promise<void> {
    if (!this.#rung && !this.#closed) {
      const { promise, resolve } = Promise.withResolvers<void>();
      const cancelTimer = this.#clock.after(timeoutMs, resolve);
      this.#wakeUp = resolve;
      await promise;
      cancelTimer();
    }
    this.#rung = false;
  }

  wake(): void {
    this.#rung = true;
    this.#wakeUp?.();
  }

  close(): Promise<void> {
    this.closeNow();
    return Promise.resolve();
  }

  closeNow(): void {
    this.#closed = true;
    this.#inbox.frames.length = 0;
    this.wake();
  }
}
