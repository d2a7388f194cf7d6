import type { Activity } from "../runtime/core/activity_page.ts";

/** What {@linkcode RankWatch} looks at. */
export interface WatchedRank {
  readonly rank: number;
  readonly pid: number;
  readonly exit?: { readonly code: number };
  activity(): Activity;
}

/** What was seen of a rank. Times are those in which somebody watched, in milliseconds. */
export interface Observation {
  readonly rank: number;
  /** Absent while it runs. */
  readonly exitCode?: number;
  /** Since when it has ended. */
  readonly endedMs: number;
  /** For how long the kernel has kept it from running (STOP). */
  readonly stoppedMs: number;
  /** For how long its collective has not got on; 0 if it is in none. */
  readonly idleMs: number;
  readonly activity: Activity;
}

interface Seen {
  endedAt?: number;
  stoppedAt?: number;
  idleAt: number;
  progress: number;
}

/**
 * Looks after the ranks, again and again. Its clock only counts while it looks: if the launcher itself was stopped for a while, or the
 * machine slept, no rank is blamed for that time.
 */
export class RankWatch {
  readonly #ranks: readonly WatchedRank[];
  readonly #stopped: (pids: readonly number[]) => Promise<ReadonlySet<number>>;
  readonly #intervalMs: number;
  readonly #seen = new Map<number, Seen>();
  #clock = 0;
  #lastMs: number | undefined;

  /** @param options.stopped which of these processes are stopped by a signal */
  constructor(
    ranks: readonly WatchedRank[],
    options: { intervalMs: number; stopped: (pids: readonly number[]) => Promise<ReadonlySet<number>> },
  ) {
    this.#ranks = ranks;
    this.#stopped = options.stopped;
    this.#intervalMs = options.intervalMs;
  }

  /** Looks. Call it every `intervalMs`. */
  async look(nowMs: number): Promise<Observation[]> {
    this.#clock += Math.min(nowMs - (this.#lastMs ?? nowMs), 2 * this.#intervalMs);
    this.#lastMs = nowMs;
    const clock = this.#clock;
    const stopped = await this.#stopped(this.#ranks.filter(({ exit }) => !exit).map(({ pid }) => pid));
    return this.#ranks.map((watched) => {
      const { rank, pid, exit } = watched, activity = watched.activity();
      const seen: Seen = this.#seen.get(rank) ?? { idleAt: clock, progress: -1 };
      this.#seen.set(rank, seen);
      if (exit) seen.endedAt ??= clock;
      seen.stoppedAt = stopped.has(pid) ? seen.stoppedAt ?? clock : undefined;
      if (!activity.collective || activity.progress !== seen.progress) seen.idleAt = clock;
      seen.progress = activity.progress;
      return {
        rank,
        exitCode: exit?.code,
        endedMs: seen.endedAt === undefined ? 0 : clock - seen.endedAt,
        stoppedMs: seen.stoppedAt === undefined ? 0 : clock - seen.stoppedAt,
        idleMs: clock - seen.idleAt,
        activity,
      };
    });
  }
}
