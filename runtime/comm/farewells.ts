import { CollectiveMismatchError, RankFailedError } from "../core/errors.ts";
import type { CurrentCollective } from "./current_collective.ts";
import { FrameType } from "./frame.ts";
import type { NumberedFrames } from "./numbered_frames.ts";
import { type Farewell, parseFarewell } from "./rank_messages.ts";
import type { Leaving, RollCall } from "./roll_call.ts";
import type { Arrival } from "./transport.ts";

/** Options of {@linkcode Farewells}. */
export interface FarewellsOptions {
  readonly frames: NumberedFrames;
  readonly collective: CurrentCollective;
  readonly rollCall: RollCall;
  /** What this host is called; undefined: the others are not told. */
  readonly hostName: string | undefined;
}

/** What ranks say when they leave the group, so that nobody waits for one that has left. */
export class Farewells {
  readonly #frames: NumberedFrames;
  readonly #collective: CurrentCollective;
  readonly #rollCall: RollCall;
  readonly #hostName: string | undefined;

  constructor({ frames, collective, rollCall, hostName }: FarewellsOptions) {
    this.#frames = frames;
    this.#collective = collective;
    this.#rollCall = rollCall;
    this.#hostName = hostName;
  }

  /** Tells the others that this rank leaves, and how many collectives it has finished. */
  say(farewell: Farewell = {}): void {
    const { signature, sequence } = this.#collective;
    this.#noteWhoLeft();
    this.#frames.tell(FrameType.goodbye, {
      sequence: signature ? sequence - 1 : sequence,
      content: { host: this.#hostName, ...farewell },
      whom: (rank) => !this.#rollCall.hasLeft(rank),
    });
  }

  /** Another rank leaves. */
  hear({ head, payload }: Arrival): void {
    this.#rollCall.noteLeft(head.source, { finished: head.sequence, ...parseFarewell(payload) });
  }

  /** @throws if a rank left before it came to this collective: RankFailedError if its process ended, otherwise CollectiveMismatchError */
  check(): void {
    const deserter = this.#rollCall.deserter(this.#collective.sequence);
    if (deserter) throw this.#errorOf(deserter);
  }

  #errorOf({ rank, finished, host, exitCode }: Leaving & { rank: number }): Error {
    const { sequence, rank: here, name, doing } = this.#collective;
    const who = `rank ${rank}${host === undefined ? "" : ` on ${host}`}`;
    if (exitCode !== undefined) {
      return new RankFailedError(
        `${who} exited with code ${exitCode} after ${finished} collectives; meanwhile ${doing()}`,
        { rank, ...(host && { host }) },
      );
    }
    return new CollectiveMismatchError(
      `${who} left the process group after ${finished} collectives, but rank ${here} called collective ` +
        `${sequence}: ${name}. Every rank must call the same collectives in the same order.`,
    );
  }

  /** Who has left does not listen any more: what is sent to it would linger until the time for that is over. */
  #noteWhoLeft(): void {
    for (let arrival; (arrival = this.#frames.receiveLast());) {
      if (arrival.head.type === FrameType.goodbye) this.hear(arrival);
    }
  }
}
