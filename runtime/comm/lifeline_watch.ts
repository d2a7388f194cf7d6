import { type Clock, systemClock } from "../core/clock.ts";
import { RankFailedError } from "../core/errors.ts";
import type { GroupWatch } from "./group_watch.ts";
import type { LostRank } from "./lifelines.ts";

/** How long a line may be broken until its rank counts as gone: it is made again at once if that can be. */
const GONE_MS = 2_000;
/** How often it is looked. */
const LOOK_MS = 100;

/** Lets collectives fail that wait while another rank is gone. */
export class LifelineWatch implements GroupWatch {
  readonly #lifelines: { lost(): LostRank[] };
  readonly #next: GroupWatch | undefined;
  readonly #clock: Clock;
  /** Counts what the collectives got on. */
  #moves = 0;
  #seenMoves = -1;
  #idleSince = 0;
  #lookAt = 0;

  /** @param next who watches beside it. Default: nobody */
  constructor(lifelines: { lost(): LostRank[] }, options: { next?: GroupWatch; clock?: Clock } = {}) {
    this.#lifelines = lifelines;
    this.#next = options.next;
    this.#clock = options.clock ?? systemClock;
  }

  began(kind: string, sequence: number): void {
    this.#moves++;
    this.#next?.began(kind, sequence);
  }

  waitsFor(rank: number, step: number): void {
    this.#moves++;
    this.#next?.waitsFor(rank, step);
  }

  ended(): void {
    this.#moves++;
    this.#next?.ended();
  }

  failure(doing: () => string): Error | undefined {
    const told = this.#next?.failure(doing);
    if (told) return told;
    const now = this.#clock.now();
    if (now < this.#lookAt) return undefined;
    this.#lookAt = now + LOOK_MS;
    if (this.#moves !== this.#seenMoves) {
      this.#seenMoves = this.#moves;
      this.#idleSince = now;
    }
    const gone = this.#lifelines.lost().find(({ sinceMs }) => now - Math.max(sinceMs, this.#idleSince) >= GONE_MS);
    if (!gone) return undefined;
    const { rank, host } = gone;
    return new RankFailedError(`rank ${rank} on ${host} ${fate(gone)}; meanwhile ${doing()}`, { rank, host });
  }
}

function fate({ host, listens, error }: LostRank): string {
  if (error) return `failed: ${error.name}: ${error.message}`;
  if (listens) return `shows no sign of life any more: it is frozen, or ${host} is cut off or down`;
  return `is gone without a word: it was killed, ${listens === undefined ? "is frozen, " : ""}or crashed`;
}
