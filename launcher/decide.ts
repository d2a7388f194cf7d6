/** How a rank ended. */
export interface RankExit {
  /** As a shell counts: 128 + the signal's number for one that was killed. */
  readonly code: number;
  /** E.g. `SIGKILL`; absent if it exited by itself. */
  readonly signal?: string;
  /** When, on the supervisor's clock. */
  readonly atMs: number;
}

/** A line of the process table: one rank of this host. */
export interface RankProcess {
  readonly rank: number;
  /** Absent while it runs. */
  readonly exit?: RankExit;
  /** Whether anything of its process group lives, be it the rank or what it started. */
  readonly alive: boolean;
}

/** Why the run is being ended. */
export type StopReason =
  | { readonly kind: "finished" }
  | { readonly kind: "failure"; readonly rank: number }
  | { readonly kind: "signal"; readonly signal: string };

/** All that the decision depends on. */
export interface RunState {
  readonly processes: readonly RankProcess[];
  /** Signals that the launcher got, oldest first. */
  readonly signals: readonly string[];
  readonly nowMs: number;
  readonly graceMs: number;
  /** Absent while the run goes on. */
  readonly stop?: {
    readonly reason: StopReason;
    /** When the ranks got TERM. */
    readonly sinceMs: number;
    /** How many signals the launcher had got by then. */
    readonly signals: number;
    /** When what was left got KILL. */
    readonly killedMs?: number;
  };
}

/** What to do next. `wait` lasts until something happens, or `ms` have passed. */
export type Action =
  | { readonly do: "wait"; readonly ms: number }
  | { readonly do: "terminate"; readonly reason: StopReason }
  | { readonly do: "kill" }
  | { readonly do: "finish" };

/** What got KILL and is still there after this time hangs in the kernel: waiting longer would not help. */
const KILL_TAKES_MS = 5_000;

/**
 * Decides how a run goes on. A pure function of the state: it touches no process.
 *
 * The first rank that fails ends the run, and so does a signal to the launcher: all process groups get TERM, and after the grace time, or at the next
 * signal, KILL. A rank that exits with 0 before the others is no reason to end them. What ranks leave behind when the last one has exited is ended the same way.
 */
export function decide(state: RunState): Action {
  const { processes, signals, nowMs, graceMs, stop } = state;
  const anyAlive = processes.some((process) => process.alive || !process.exit);
  if (!stop) {
    if (signals.length > 0) return { do: "terminate", reason: { kind: "signal", signal: signals[0] } };
    const failed = processes.filter((process) => process.exit && process.exit.code !== 0)
      .sort((a, b) => a.exit!.atMs - b.exit!.atMs)[0];
    if (failed) return { do: "terminate", reason: { kind: "failure", rank: failed.rank } };
    if (!anyAlive) return { do: "finish" };
    if (processes.every((process) => process.exit)) return { do: "terminate", reason: { kind: "finished" } };
    return { do: "wait", ms: Infinity };
  }
  if (!anyAlive) return { do: "finish" };
  if (stop.killedMs !== undefined) {
    const left = stop.killedMs + KILL_TAKES_MS - nowMs;
    return left > 0 ? { do: "wait", ms: left } : { do: "finish" };
  }
  if (signals.length > stop.signals) return { do: "kill" };
  const left = stop.sinceMs + graceMs - nowMs;
  return left > 0 ? { do: "wait", ms: left } : { do: "kill" };
}
