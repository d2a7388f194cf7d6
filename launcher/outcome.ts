import type { Activity } from "../runtime/core/activity_page.ts";
import { RESUMABLE, UNAVAILABLE } from "../runtime/core/exit_codes.ts";
import type { RankProcess, StopReason } from "./decide.ts";
import { echoWeight } from "./echo_weight.ts";
import type { Stuck } from "./find_stuck.ts";
import type { RankError } from "./rank_error.ts";

/** The failure that the others followed from. */
export interface FailureCause {
  readonly rank: number;
  /** `failed`: by itself, or killed. The others: see {@linkcode Stuck}. */
  readonly how: "failed" | Stuck["how"];
  /** Of the process, as a shell counts; 1 for one that threw but was ended before it could exit, or that exited with 0 too early. */
  readonly exitCode: number;
  /** E.g. `SIGKILL`, if it was killed. */
  readonly signal?: string;
  /** What it threw, if it wrote that down. */
  readonly error?: RankError;
  /** What it was doing. */
  readonly activity?: Activity;
  /** The host it ran on. */
  readonly host?: string;
}

/** What {@linkcode outcomeOf} judges. */
export interface EndedRun {
  readonly processes: readonly RankProcess[];
  /** What ranks threw, by rank. */
  readonly errors: ReadonlyMap<number, RankError>;
  /** What ranks were doing when the run began to end, or when they ended if that was before. Default: not known. */
  readonly activities?: ReadonlyMap<number, Activity>;
  /** Why it was ended; absent if it ended by itself. */
  readonly reason?: StopReason;
  /** When ranks got TERM, on the clock of the exits. A rank that was killed later was killed by the launcher. */
  readonly stoppedMs?: number;
}

/** How a run ended: well, stopped and saved, stopped, by a rank's failure, or because what it stands on failed. */
export type Category = "finished" | "resumable" | "stopped" | "rank" | "infrastructure";

/** What a run comes to. */
export interface Outcome {
  /** What the launcher exits with. */
  readonly exitCode: number;
  readonly category: Category;
  readonly cause?: FailureCause;
}

/** The exit codes of a process that gets these signals. */
const SIGNAL_CODES: Record<string, number> = { SIGHUP: 129, SIGINT: 130, SIGTERM: 143 };
/** What fails with these errors is what ranks run on. */
const INFRASTRUCTURE_ERRORS: ReadonlySet<string | undefined> = new Set(["CommTimeoutError", "ConnectionLostError"]);
/** What `timeout` exits with. */
const OUT_OF_TIME = 124;

/**
 * What a run comes to: the exit code of the launcher, and the failure that it comes from.
 *
 * The cause is the earliest failure that is not itself the echo of another ({@linkcode echoWeight}), even if that exited first. A rank that the launcher ended
 * has not failed.
 */
export function outcomeOf(run: EndedRun): Outcome {
  const { processes, errors, reason, activities } = run;
  const codes = processes.map(({ exit }) => exit?.code);
  const isSaved = codes.includes(RESUMABLE) && codes.every((code) => code === 0 || code === RESUMABLE);
  if (isSaved) return { exitCode: RESUMABLE, category: "resumable" };
  if (reason?.kind === "signal") return { exitCode: SIGNAL_CODES[reason.signal] ?? 1, category: "stopped" };
  if (reason?.kind === "membership") return { exitCode: SIGNAL_CODES.SIGTERM, category: "stopped" };
  if (reason?.kind === "time") return { exitCode: OUT_OF_TIME, category: "stopped" };
  if (reason?.kind === "failure" && reason.how) {
    const { rank, how } = reason;
    return stuckOutcome({ rank, how, activity: activities?.get(rank) });
  }
  const cause = causeOf(run);
  // Nobody is to blame for a rank that did not come, a store that does not answer, or a lost message, but what they run on.
  if (INFRASTRUCTURE_ERRORS.has(cause?.error?.name) && cause && !cause.signal && cause.exitCode === 1) {
    return { exitCode: UNAVAILABLE, category: "infrastructure", cause: { ...cause, exitCode: UNAVAILABLE } };
  }
  if (cause) return { exitCode: cause.exitCode, category: "rank", cause };
  if (reason?.kind === "elsewhere") return { exitCode: UNAVAILABLE, category: "infrastructure" };
  return reason?.kind === "failure" ? { exitCode: 1, category: "rank" } : { exitCode: 0, category: "finished" };
  function causeOf({ stoppedMs = Infinity }: EndedRun): FailureCause | undefined {
    const failures = processes.flatMap(({ rank, exit }) => {
      if (!exit || exit.code === 0 || exit.code === RESUMABLE) return [];
      // Its exit and the end of the run may be the same moment.
      const isReason = reason?.kind === "failure" && reason.rank === rank;
      // A program that TERM stopped in the middle of a fit may end by itself, and say so with its code.
      const asTold = exit.signal !== undefined || exit.code === SIGNAL_CODES.SIGTERM;
      const error = errors.get(rank), ended = !isReason && exit.atMs >= stoppedMs && asTold;
      if (ended && !error) return [];
      const weight = echoWeight(error);
      const facts = { rank, how: "failed", error, activity: activities?.get(rank) } as const;
      const cause: FailureCause = ended
        ? { ...facts, exitCode: 1 }
        : { ...facts, exitCode: exit.code, signal: exit.signal };
      return [{ cause, weight, atMs: exit.atMs, error }];
    });
    failures.sort((a, b) => a.weight - b.weight || (thrownFirst(a.error, b.error) ?? a.atMs - b.atMs));
    return failures[0]?.cause;
  }
}

/** What a run comes to that could not go on because of a rank that did not fail by itself. */
export function stuckOutcome(cause: Omit<FailureCause, "exitCode">): Outcome {
  const isRank = cause.how === "left", exitCode = isRank ? 1 : UNAVAILABLE;
  return { exitCode, category: isRank ? "rank" : "infrastructure", cause: { ...cause, exitCode } };
}

/** Exits are seen in the order in which the launcher was scheduled; the ranks' own clocks tell which error was first. Of those, one that nobody can set comes first. */
function thrownFirst(a: RankError | undefined, b: RankError | undefined): number | undefined {
  if (!a || !b) return undefined;
  if (a.sharedTime !== undefined && b.sharedTime !== undefined) return a.sharedTime - b.sharedTime;
  return a.time - b.time;
}
