/** Ranks that do a part of a collective among themselves: all of a group, those of one host, or one of each host. */
export interface Peers {
  /** This rank's place among them. */
  readonly rank: number;
  /** How many they are. */
  readonly worldSize: number;
  /** The rank in the group of the one at a place. */
  rankAt(place: number): number;
  /** Queues a frame for the one at a place. @param inPlace the payload is not copied, and stays unchanged until it has arrived */
  send(to: number, step: number, payload?: Uint8Array, inPlace?: boolean): void;
  /** The payload of a step from the one at a place. It lasts until the next call. */
  receive(from: number, step: number): Promise<Uint8Array>;
  /** Lets other work of this process have its turn, if that is due, in the middle of long computing. @throws what ends the collective */
  pause(): Promise<void>;
}

/** Some of the ranks of others. */
export class Subset implements Peers {
  readonly rank: number;
  readonly #all: Peers;
  readonly #places: readonly number[];
  readonly #firstStep: number;
  /** Bytes of all payloads that were sent. */
  sentBytes = 0;

  /**
   * @param places of those that belong to it, this rank among them, in the same order on each of them
   * @param firstStep what is added to the steps: later parts of a collective have larger ones. Default: 0
   */
  constructor(all: Peers, places: readonly number[], firstStep = 0) {
    this.#all = all;
    this.#firstStep = firstStep;
    this.#places = places;
    this.rank = places.indexOf(all.rank);
  }

  get worldSize(): number {
    return this.#places.length;
  }

  rankAt(place: number): number {
    return this.#all.rankAt(this.#places[place]);
  }

  send(to: number, step: number, payload?: Uint8Array, inPlace?: boolean): void {
    this.sentBytes += payload?.byteLength ?? 0;
    this.#all.send(this.#places[to], this.#firstStep + step, payload, inPlace);
  }

  receive(from: number, step: number): Promise<Uint8Array> {
    return this.#all.receive(this.#places[from], this.#firstStep + step);
  }

  pause(): Promise<void> {
    return this.#all.pause();
  }
}
