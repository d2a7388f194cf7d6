import type { RankProcess, StopReason } from "./decide.ts";
import type { RankError } from "./rank_error.ts";

/** The failure that the others followed from. */
export interface FailureCause {
  readonly rank: number;
  /** Of the process, as a shell counts; 1 for one that threw but was ended before it could exit. */
  readonly exitCode: number;
  /** E.g. `SIGKILL`, if it was killed. */
  readonly signal?: string;
  /** What it threw, if it wrote that down. */
  readonly error?: RankError;
}

/** What {@linkcode outcomeOf} judges. */
export interface EndedRun {
  readonly processes: readonly RankProcess[];
  /** What ranks threw, by rank. */
  readonly errors: ReadonlyMap<number, RankError>;
  /** Why it was ended; absent if it ended by itself. */
  readonly reason?: StopReason;
  /** When ranks got TERM, on the clock of the exits. A rank that was killed later was killed by the launcher. */
  readonly stoppedMs?: number;
}

/** The exit codes of a process that gets these signals. */
const SIGNAL_CODES: Record<string, number> = { SIGHUP: 129, SIGINT: 130, SIGTERM: 143 };

/**
 * What a run comes to: the exit code of the launcher, and the failure that it comes from.
 *
 * The cause is the earliest failure that is not itself the echo of another: a rank that failed because a peer did (`RankFailedError`) comes after one
 * that failed by itself, even if it exited first, and one that the launcher ended is no failure.
 */
export function outcomeOf(run: EndedRun): { exitCode: number; cause?: FailureCause } {
  const { processes, errors, reason, stoppedMs = Infinity } = run;
  if (reason?.kind === "signal") return { exitCode: SIGNAL_CODES[reason.signal] ?? 1 };
  const failures = processes.flatMap(({ rank, exit }) => {
    if (!exit || exit.code === 0) return [];
    const error = errors.get(rank), ended = exit.atMs >= stoppedMs && exit.signal !== undefined;
    if (ended && !error) return [];
    const weight = error?.name === "RankFailedError" ? 1 : 0;
    const cause: FailureCause = ended
      ? { rank, exitCode: 1, error }
      : { rank, exitCode: exit.code, signal: exit.signal, error };
    return [{ cause, weight, atMs: exit.atMs, thrown: error?.time }];
  });
  // Exits are seen in the order in which the launcher was scheduled; the ranks' own clocks tell which error was first.
  failures.sort((a, b) =>
    a.weight - b.weight ||
    (a.thrown !== undefined && b.thrown !== undefined ? a.thrown - b.thrown : a.atMs - b.atMs)
  );
  const cause = failures[0]?.cause;
  return { exitCode: cause?.exitCode ?? (reason?.kind === "failure" ? 1 : 0), cause };
}
