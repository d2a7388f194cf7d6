import { CollectiveMismatchError, RankFailedError } from "../core/errors.ts";
import type { CurrentCollective } from "./current_collective.ts";
import { FrameType } from "./frame.ts";
import type { NumberedFrames } from "./numbered_frames.ts";
import { parseFailure } from "./rank_messages.ts";
import type { Arrival } from "./transport.ts";

/** A mismatch has a line for each rank. */
const LONGEST_MISMATCH = 100_000;

/** Why a group cannot go on: the first thing that failed, here or on another rank. Every later collective throws it; each rank tells the others of its own. */
export class GroupFailure {
  readonly #frames: NumberedFrames;
  readonly #collective: CurrentCollective;
  #error: Error | undefined;

  constructor(frames: NumberedFrames, collective: CurrentCollective) {
    this.#frames = frames;
    this.#collective = collective;
  }

  /** What failed first; undefined as long as nothing did. */
  get error(): Error | undefined {
    return this.#error;
  }

  /** Keeps an error if it is the first. Returns the first. */
  note(error: Error): Error {
    return this.#error ??= error;
  }

  /** Tells the others that this rank failed, unless it is of what they know themselves. */
  tellOwn(reason: Error): void {
    if (reason instanceof CollectiveMismatchError || reason instanceof RankFailedError) return;
    this.tell(reason);
  }

  /** @param whom who is told. Default: all others */
  tell(reason: Error, whom?: (rank: number) => boolean): void {
    const { name, message, stack } = reason, { sequence, signature } = this.#collective;
    const longest = reason instanceof CollectiveMismatchError ? LONGEST_MISMATCH : 4_000;
    const content = {
      name: String(name ?? "Error").slice(0, 200),
      message: String(message ?? reason).slice(0, longest),
      stack: stack?.slice(0, 3000),
      operation: signature?.kind,
    };
    this.#frames.tell(FrameType.abort, { sequence, signature, content, whom });
  }

  /**
   * Another rank says that it failed.
   * @param isGivingUp the time of this rank is over, too
   * @throws what failed first
   */
  hear({ head, payload }: Arrival, isGivingUp: boolean): void {
    const source = head.source, told = parseFailure(payload, source), { operation, host } = told;
    // Whose time is over as well will say himself who is missing.
    if (isGivingUp && told.name === "CommTimeoutError") return;
    // What others disagree about is no failure of the one that says so.
    if (told.name === "CollectiveMismatchError") throw this.note(new CollectiveMismatchError(told.message));
    const where = this.#collective.signature ? ` while ${this.#collective.doing()}` : "";
    const cause = Object.assign(new Error(told.message), { name: told.name, stack: told.stack });
    throw this.note(
      new RankFailedError(`rank ${source} failed${where}: ${told.name}: ${told.message}`, {
        rank: source,
        ...(operation && { operation }),
        ...(host && { host }),
      }, { cause }),
    );
  }
}
