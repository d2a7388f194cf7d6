import { MEETING } from "../runtime/core/activity.ts";
import type { Observation } from "./rank_watch.ts";

/** A failure that no exit code tells. */
export interface Stuck {
  readonly rank: number;
  /** `frozen`: it is kept from running. `left`: it exited with 0 and the others wait for it. `cut off`: all wait, and nothing arrives. */
  readonly how: "frozen" | "left" | "cut off";
}

/** What {@linkcode findStuck} goes by. */
export interface StuckOptions {
  /** How long a rank may show no sign of life. */
  heartbeatMs: number;
  /** Whether all ranks of the run are among those observed. */
  isWhole: boolean;
}

/** After a rank has exited, what it sent may take this long to be used up. */
const LEFT_MS = 3_000;

/**
 * Finds what keeps a run from going on although no rank has failed. A pure function. A rank that computes is never found, however long it takes.
 */
export function findStuck(ranks: readonly Observation[], options: StuckOptions): Stuck | undefined {
  const { heartbeatMs, isWhole } = options;
  const frozen = ranks.find(({ stoppedMs }) => stoppedMs >= heartbeatMs);
  if (frozen) return { rank: frozen.rank, how: "frozen" };
  const living = ranks.filter(({ exitCode }) => exitCode === undefined);
  const gone = ranks.filter(({ exitCode, endedMs }) => exitCode === 0 && endedMs >= LEFT_MS)
    .sort((a, b) => b.endedMs - a.endedMs);
  for (const { rank, activity } of gone) {
    const misses = living.some((other) =>
      activity.joined
        ? other.idleMs >= LEFT_MS && (other.activity.collective?.waitsFor ?? rank) === rank
        : other.activity.operation === MEETING
    );
    if (misses) return { rank, how: "left" };
  }
  // Even large messages get on all the time. Where some rank still computes, the others rightly wait for it.
  // Some may be done: who needed nothing of what is lost. Whether one of them is missed is looked at first.
  const longMs = living.length < ranks.length ? Math.max(heartbeatMs, 2 * LEFT_MS) : heartbeatMs;
  const wait = isWhole && living.length > 0 && ranks.length > 1 &&
    living.every(({ idleMs, stoppedMs, activity }) => activity.collective && stoppedMs === 0 && idleMs >= longMs);
  return wait ? { rank: mostMissed(living), how: "cut off" } : undefined;
}

/**
 * Where a message is lost, ranks wait for each other in a circle; the others wait for those. Of the circle, the one that is farthest behind waits for what another has
 * sent long ago; of several, the one that most wait for. Of two ranks that wait for each other, nobody can say whose end of the connection is at fault.
 */
function mostMissed(ranks: readonly Observation[]): number {
  const behind = ({ activity: { collective: a } }: Observation, { activity: { collective: b } }: Observation) =>
    a!.sequence - b!.sequence || (a!.round ?? 0) - (b!.round ?? 0);
  const waiters = (rank: number) => ranks.filter(({ activity }) => activity.collective!.waitsFor === rank).length;
  const circle = ranks.filter(({ rank }) => waitsForItself(rank, ranks));
  if (circle.length > 0) return circle.sort((a, b) => behind(a, b) || waiters(b.rank) - waiters(a.rank))[0].rank;
  return [...ranks].sort((a, b) => waiters(b.rank) - waiters(a.rank) || behind(a, b))[0].rank;
}

/** Whether a rank waits for one that waits for one, and so on, that waits for it. */
function waitsForItself(rank: number, ranks: readonly Observation[]): boolean {
  const next = (one: number | undefined) => ranks.find(({ rank }) => rank === one)?.activity.collective?.waitsFor;
  let at = next(rank);
  for (let step = 0; step < ranks.length && at !== undefined && at !== rank; step++) at = next(at);
  return at === rank;
}
