import { type Head, Head as FrameHead, HEAD_BYTES } from "./frame.ts";
import type { Arrival, Transport } from "./transport.ts";

interface Inbox {
  frames: Arrival[];
  ring: () => void;
}

/** Transports of ranks that share a process: what is sent is copied, as it would be on its way. */
export function memoryTransports(worldSize: number): Transport[] {
  const inboxes = Array.from({ length: worldSize }, (): Inbox => ({ frames: [], ring: () => {} }));
  return inboxes.map((inbox, rank) => new MemoryTransport(rank, inbox, inboxes));
}

class MemoryTransport implements Transport {
  readonly rank: number;
  readonly worldSize: number;
  readonly isQuick = false;
  readonly #inbox: Inbox;
  readonly #inboxes: Inbox[];
  #rung = false;
  #wakeUp: (() => void) | undefined;
  #closed = false;

  constructor(rank: number, inbox: Inbox, inboxes: Inbox[]) {
    this.rank = rank;
    this.worldSize = inboxes.length;
    this.#inbox = inbox;
    this.#inboxes = inboxes;
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
      const timer = setTimeout(resolve, Math.min(timeoutMs, 2 ** 31 - 1));
      this.#wakeUp = resolve;
      await promise;
      clearTimeout(timer);
    }
    this.#rung = false;
  }

  wake(): void {
    this.#rung = true;
    this.#wakeUp?.();
  }

  close(): Promise<void> {
    this.#closed = true;
    this.#inbox.frames.length = 0;
    this.wake();
    return Promise.resolve();
  }
}
