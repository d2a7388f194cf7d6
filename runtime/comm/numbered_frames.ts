import { ConnectionLostError } from "../core/errors.ts";
import type { CurrentCollective } from "./current_collective.ts";
import { FrameType, Head, type Signature } from "./frame.ts";
import type { Arrival, Transport } from "./transport.ts";

const NOTHING: Signature = { kind: "none", dtype: "none", op: "none", root: 0, count: 0 };

/** Options of {@linkcode NumberedFrames}. */
export interface NumberedFramesOptions {
  /** Frames of another generation are dropped. */
  readonly generation: number;
  /** Frames without it are dropped. */
  readonly token: bigint;
  /** Named in errors. */
  readonly collective: CurrentCollective;
}

/** What a rank tells others that is no data. */
export interface Note {
  /** The number of the collective it is about. */
  readonly sequence: number;
  /** Default: none. */
  readonly signature?: Signature;
  /** Sent as JSON. */
  readonly content: object;
  /** Who is told. Default: all others. */
  readonly whom?: (rank: number) => boolean;
}

/**
 * Counts the frames to and from each rank, and so notices what a transport loses when a connection breaks: strangers' frames and repeated ones are dropped,
 * a damaged or missing one is an error.
 */
export class NumberedFrames {
  readonly #transport: Transport;
  readonly #generation: number;
  readonly #token: bigint;
  readonly #collective: CurrentCollective;
  /** How many frames were sent to each rank, and have come from it. */
  readonly #sent: Float64Array;
  readonly #received: Float64Array;
  readonly #control: Head;

  constructor(transport: Transport, { generation, token, collective }: NumberedFramesOptions) {
    this.#transport = transport;
    this.#generation = generation;
    this.#token = token;
    this.#collective = collective;
    this.#sent = new Float64Array(transport.worldSize);
    this.#received = new Float64Array(transport.worldSize);
    this.#control = this.newHead();
  }

  /** A head for frames of this rank, to be used for one after the other. */
  newHead(): Head {
    return new Head().stamp(this.#transport.rank, this.#generation, this.#token);
  }

  send(to: number, head: Head, payload: Uint8Array, inPlace: boolean): void {
    head.number = ++this.#sent[to];
    this.#transport.send(to, head, payload, inPlace);
  }

  /** Sends a frame that carries no data. */
  tell(type: typeof FrameType[keyof typeof FrameType], note: Note): void {
    const { rank, worldSize } = this.#transport, { sequence, signature = NOTHING, content, whom = () => true } = note;
    this.#control.sign(type, sequence, signature);
    const payload = new TextEncoder().encode(JSON.stringify(content));
    this.#control.length = payload.byteLength;
    for (let to = 0; to < worldSize; to++) {
      if (to !== rank && whom(to)) this.send(to, this.#control, payload, false);
    }
  }

  /** The next frame of another rank, if one is there. @throws Error if it is damaged; ConnectionLostError if frames before it are missing */
  receive(): Arrival | undefined {
    for (let arrival; (arrival = this.#transport.receive());) {
      if (this.#isFromPeer(arrival.head) && !this.#isRepeated(arrival)) return arrival;
    }
    return undefined;
  }

  /** The same for a rank that leaves, to which what is missing does not matter any more. Nothing is counted. */
  receiveLast(): Arrival | undefined {
    for (let arrival; (arrival = this.#transport.receive());) {
      if (this.#isFromPeer(arrival.head) && !arrival.isCut) return arrival;
    }
    return undefined;
  }

  #isFromPeer(head: Head): boolean {
    const { rank, worldSize } = this.#transport;
    return head.isOurs && head.belongsTo(this.#generation, this.#token) && head.source < worldSize &&
      head.source !== rank;
  }

  /** Counts a frame. */
  #isRepeated({ head, payload, isCut }: Arrival): boolean {
    const { source, number } = head;
    if (isCut) {
      throw new Error(
        `a frame from rank ${source} for ${this.#collective.name} is damaged: ` +
          `it has ${payload.byteLength} of ${head.length} bytes`,
      );
    }
    const missing = number - this.#received[source] - 1;
    if (!(missing >= 0)) return true;
    // Why a rank failed says more than what was lost before.
    if (missing > 0 && head.type !== FrameType.abort) {
      throw new ConnectionLostError(
        `${missing} ${
          missing === 1 ? "message" : "messages"
        } from rank ${source} to rank ${this.#transport.rank} got lost before or in ` +
          `${this.#collective.name}: the connection between them broke`,
        source,
      );
    }
    this.#received[source] = number;
    return false;
  }
}
