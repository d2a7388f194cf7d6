/** How long the ranks waited for the slowest one. */
export interface SlowestRank {
  readonly rank: number;
  /** Seconds that each rank waited longer for gradients than the slowest did. */
  readonly waited: readonly number[];
  /** Seconds in which that was. */
  readonly seconds: number;
}

/**
 * How long each rank stood still until the others' gradients were there. The numbers travel with the gradients. Sending takes all ranks about as
 * long, so that what one waits longer than another is time in which it waited for it: the rank that waits least is the slowest.
 */
export class RankWaits {
  readonly #now: () => number;
  #own = 0;
  #startedAt: number | undefined;
  #before: readonly number[] | undefined;
  #latest: readonly number[] = [];

  /** @param now milliseconds of a clock that never goes back. Default: performance.now */
  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
  }

  /** Seconds that this rank has waited so far. */
  get own(): number {
    return this.#own;
  }

  /** Begins to wait. Returns what ends it. */
  begin(): () => void {
    const begun = this.#now();
    return () => void (this.#own += (this.#now() - begun) / 1000);
  }

  /** Writes how long this rank waited so far into its place. */
  write(target: Float32Array, rank: number): void {
    target.fill(0);
    target[rank] = this.#own;
  }

  /** Reads the mean of what the ranks wrote. What was before the first step, when ranks start, does not count. */
  read(source: Float32Array): void {
    this.#latest = Array.from(source, (mean) => mean * source.length);
    this.#startedAt ??= this.#now();
    this.#before ??= this.#latest;
  }

  /** The slowest rank since the last time this was asked; undefined if no step was taken. */
  take(): SlowestRank | undefined {
    const { length } = this.#latest;
    if (length < 2 || this.#before === this.#latest || this.#startedAt === undefined) return undefined;
    const waits = this.#latest.map((wait, rank) => wait - this.#before![rank]);
    const least = Math.min(...waits);
    const seconds = (this.#now() - this.#startedAt) / 1000;
    this.#before = this.#latest;
    this.#startedAt = this.#now();
    return { rank: waits.indexOf(least), waited: waits.map((wait) => wait - least), seconds };
  }
}

/** From which part of the time on, and from how many seconds, waiting is worth a line. */
const WORTH = { part: 0.1, seconds: 1 };

/** Who was slow and how long each of the others waited, for people; undefined if that was not long. */
export function describeSlowest({ rank, waited, seconds }: SlowestRank): string | undefined {
  const longest = Math.max(...waited);
  if (longest < WORTH.seconds || longest < WORTH.part * seconds) return undefined;
  const others = waited.flatMap((wait, other) => other === rank ? [] : [`rank ${other} ${wait.toFixed(1)} s`]);
  const shown = others.length > 8 ? [...others.slice(0, 8), `and ${others.length - 8} more`] : others;
  return `rank ${rank} was the slowest: in ${seconds.toFixed(1)} s of training the others waited for its gradients (${
    shown.join(", ")
  })`;
}
