import { Head, HEAD_BYTES } from "../../../runtime/comm/frame.ts";
import type { Endpoints } from "../../../runtime/comm/bind_endpoints.ts";
import type { BoundInbox } from "../../../runtime/comm/inbox.ts";
import type { Arrival, Transport } from "../../../runtime/comm/transport.ts";
import type { Connection, Network } from "./network.ts";
import type { SimulatedProcess } from "./simulated_process.ts";

/** Who listens where. Somebody else may listen at the address of one that is gone. */
export type Addresses = Map<string, SimulatedInbox>;

/** Where a rank of the simulation is reached. */
export class SimulatedInbox implements BoundInbox {
  readonly endpoints: Endpoints;
  readonly process: SimulatedProcess;
  readonly #network: Network;
  readonly #addresses: Addresses;
  readonly #address: string;
  readonly arrived = new Queue<Arrival>();
  ring: () => void = () => {};

  constructor(
    process: SimulatedProcess,
    options: { network: Network; addresses: Addresses; address: string },
  ) {
    this.process = process;
    this.#network = options.network;
    this.#addresses = options.addresses;
    this.#address = options.address;
    this.endpoints = { loopback: options.address, network: options.address };
    this.#addresses.set(this.#address, this);
    process.onDeath(() => this.unbind());
  }

  connect(rank: number, endpoints: readonly string[]): Transport {
    return new SimulatedTransport(this, { rank, endpoints, network: this.#network, addresses: this.#addresses });
  }

  close(): Promise<void> {
    this.unbind();
    return Promise.resolve();
  }

  removeFiles(): Promise<void> {
    return Promise.resolve();
  }

  unbind(): void {
    if (this.#addresses.get(this.#address) === this) this.#addresses.delete(this.#address);
  }
}

class SimulatedTransport implements Transport {
  readonly rank: number;
  readonly worldSize: number;
  readonly isQuick = false;
  readonly #inbox: SimulatedInbox;
  readonly #network: Network;
  readonly #addresses: Addresses;
  readonly #endpoints: readonly string[];
  readonly #connections: (Connection & { to?: SimulatedInbox })[];
  #isRung = false;
  #isClosed = false;
  #wakeUp: (() => void) | undefined;

  constructor(
    inbox: SimulatedInbox,
    options: { rank: number; endpoints: readonly string[]; network: Network; addresses: Addresses },
  ) {
    this.rank = options.rank;
    this.worldSize = options.endpoints.length;
    this.#inbox = inbox;
    this.#network = options.network;
    this.#addresses = options.addresses;
    this.#endpoints = options.endpoints;
    this.#connections = options.endpoints.map(() => ({ from: inbox.process, lastMs: 0 }));
    inbox.ring = () => this.wake();
  }

  send(to: number, head: Head, payload: Uint8Array): void {
    if (this.#isClosed) throw new Error("the transport is closed");
    head.length = payload.byteLength;
    const connection = this.#connections[to];
    const copy = new Head(head.bytes.slice(0, HEAD_BYTES).buffer), bytes = payload.slice();
    // A connection whose other end is gone is made again, to whoever listens there now.
    if (!connection.to?.process.isAlive) connection.to = this.#addresses.get(this.#endpoints[to]);
    const receiver = connection.to;
    if (!receiver) return;
    this.#network.carry(connection, receiver.process, ({ isCut }) => {
      const cut = isCut && bytes.length > 0;
      receiver.arrived.push({ head: copy, payload: cut ? bytes.subarray(1) : bytes, isCut: cut });
      receiver.ring();
    }, true);
  }

  receive(): Arrival | undefined {
    return this.#inbox.arrived.shift();
  }

  release(): void {}

  waitBriefly(): boolean {
    return false;
  }

  async wait(timeoutMs: number): Promise<void> {
    if (!this.#isRung && !this.#isClosed) {
      const { promise, resolve } = Promise.withResolvers<void>();
      const cancel = this.#inbox.process.after(Math.min(Math.max(timeoutMs, 0), 1000), resolve);
      this.#wakeUp = resolve;
      await promise;
      cancel();
    }
    this.#isRung = false;
  }

  wake(): void {
    this.#isRung = true;
    this.#wakeUp?.();
  }

  /** What was sent is on its way, and reaches the others as long as the process lives. */
  async close(lingerMs: number): Promise<void> {
    this.closeNow();
    const { process } = this.#inbox;
    const lastMs = Math.max(...this.#connections.map((connection) => connection.lastMs));
    await process.sleep(Math.min(Math.max(0, lastMs - process.scheduler.now), lingerMs));
  }

  closeNow(): void {
    this.#isClosed = true;
    this.wake();
    this.#inbox.unbind();
  }
}

/** First in, first out. */
class Queue<T> {
  #items: T[] = [];
  #at = 0;

  push(item: T): void {
    this.#items.push(item);
  }

  shift(): T | undefined {
    if (this.#at === this.#items.length) return undefined;
    const item = this.#items[this.#at++];
    if (this.#at === this.#items.length) {
      this.#items = [];
      this.#at = 0;
    }
    return item;
  }
}
