import { RESUMABLE } from "../runtime/core/exit_codes.ts";
import type { Stuck } from "./find_stuck.ts";

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
  /** Whether it failed only because another rank did, by its own account. Default: false. */
  readonly isEcho?: boolean;
}

/** Why the run is being ended. */
export type StopReason =
  | { readonly kind: "finished" }
  /** `how`: what keeps the others from going on, if the rank has not failed by itself. */
  | { readonly kind: "failure"; readonly rank: number; readonly how?: Stuck["how"] }
  /** The launchers of other hosts said so, or one does not answer. */
  | { readonly kind: "elsewhere" }
  | { readonly kind: "time" }
  /** A host joins: the ranks save, and start again with it. */
  | { readonly kind: "membership" }
  | { readonly kind: "signal"; readonly signal: string };

/** All that the decision depends on. */
export interface RunState {
  readonly processes: readonly RankProcess[];
  /** Signals that the launcher got, oldest first. */
  readonly signals: readonly string[];
  readonly nowMs: number;
  /** Between TERM and KILL, when the run is asked to end. */
  readonly graceMs: number;
  /** The same when it failed: the ranks have nothing left to do together. Default: as `graceMs`. */
  readonly failureGraceMs?: number;
  /** Whether all ranks of the run are in the process table, and none on another host. Default: true. */
  readonly isWhole?: boolean;
  /** What keeps the run from going on, if something does. */
  readonly stuck?: Stuck;
  /** Whether the run failed on another host. Default: false. */
  readonly failedElsewhere?: boolean;
  /** Whether hosts want to join. Default: false. */
  readonly isRegrouping?: boolean;
  /** When the run's time is over. Default: never. */
  readonly endMs?: number;
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

/** How long to wait for the failure that others are the echo of: the rank may be saving, or telling the others, before it exits. */
const ECHO_MS = 1_000;
/** What got KILL and is still there after this time hangs in the kernel: waiting longer would not help. */
const KILL_TAKES_MS = 5_000;

/**
 * Decides how a run goes on. A pure function of the state: it touches no process.
 *
 * The first rank that fails by itself ends the run, and so does a signal to the launcher: all process groups get TERM, and after the grace time, or at the next
 * signal, KILL. A rank that exits with 0 before the others, or as one that stopped and saved, is no reason to end them, unless they wait for it. What ranks
 * leave behind when the last one has exited is ended the same way.
 */
export function decide(state: RunState): Action {
  const { processes, signals, nowMs, stop, stuck, endMs = Infinity, isWhole = true } = state;
  const anyAlive = processes.some((process) => process.alive || !process.exit);
  if (!stop) {
    if (signals.length > 0) return { do: "terminate", reason: { kind: "signal", signal: signals[0] } };
    const failed = processes.filter(({ exit }) => exit && exit.code !== 0 && exit.code !== RESUMABLE)
      .sort((a, b) => a.exit!.atMs - b.exit!.atMs);
    const original = failed.find(({ isEcho }) => !isEcho);
    if (original) return { do: "terminate", reason: { kind: "failure", rank: original.rank } };
    const echoMs = failed.length > 0 ? failed[0].exit!.atMs + ECHO_MS : Infinity;
    const isOver = processes.every(({ exit }) => exit);
    if (nowMs >= echoMs || failed.length > 0 && isOver && isWhole) {
      return { do: "terminate", reason: { kind: "failure", rank: failed[0].rank } };
    }
    // The original may be on another host, whose launcher tells of it.
    if (failed.length > 0 && isOver && !state.failedElsewhere) return { do: "wait", ms: echoMs - nowMs };
    if (!anyAlive && failed.length === 0) return { do: "finish" };
    if (stuck) return { do: "terminate", reason: { kind: "failure", rank: stuck.rank, how: stuck.how } };
    if (state.failedElsewhere) return { do: "terminate", reason: { kind: "elsewhere" } };
    if (isOver) return { do: "terminate", reason: { kind: "finished" } };
    if (state.isRegrouping) return { do: "terminate", reason: { kind: "membership" } };
    if (nowMs >= endMs) return { do: "terminate", reason: { kind: "time" } };
    return { do: "wait", ms: Math.min(endMs, echoMs) - nowMs };
  }
  if (!anyAlive) return { do: "finish" };
  if (stop.killedMs !== undefined) {
    const left = stop.killedMs + KILL_TAKES_MS - nowMs;
    return left > 0 ? { do: "wait", ms: left } : { do: "finish" };
  }
  if (signals.length > stop.signals) return { do: "kill" };
  const hasFailed = stop.reason.kind === "failure" || stop.reason.kind === "elsewhere";
  const graceMs = hasFailed ? state.failureGraceMs ?? state.graceMs : state.graceMs;
  const left = stop.sinceMs + graceMs - nowMs;
  return left > 0 ? { do: "wait", ms: left } : { do: "kill" };
}
