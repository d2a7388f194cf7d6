import { CommTimeoutError } from "../runtime/core/errors.ts";
import { UNAVAILABLE } from "../runtime/core/exit_codes.ts";
import type { FailedGeneration } from "./error_report.ts";
import { failureOf } from "./error_report.ts";
import type { HostLink, Meeting } from "./host_link.ts";
import { type FailureCause, outcomeOf } from "./outcome.ts";
import { afterGeneration } from "./restart_policy.ts";
import type { GenerationOptions, GenerationResult } from "./run_generation.ts";
import type { SignalLog } from "./signal_log.ts";

/** What a generation has to do with those that run elsewhere. */
export type GenerationShare = Pick<GenerationOptions, "failedElsewhere" | "regroup" | "onFailure" | "onLook">;

/** Options of {@linkcode runGenerations}. */
export interface GenerationsOptions {
  /** The number of the first. */
  firstGeneration: number;
  nodeRank: number;
  maxRestarts: number;
  /** Before the first restart; it doubles. */
  restartDelayMs: number;
  /** Whether the run's time is over. */
  isOver: () => boolean;
  signals: SignalLog;
  /** Connects with the launchers of other hosts; resolves with undefined if there are none. */
  connect: () => Promise<HostLink | undefined>;
  /** Runs one. */
  run: (meeting: Meeting, share: GenerationShare) => Promise<GenerationResult>;
  /** Says something on the terminal. */
  say: (text: string) => void;
}

/** How a run went. */
export interface GenerationsResult {
  /** The last generation, with what it came to on all hosts. */
  readonly result: GenerationResult;
  readonly generation: number;
  /** How often the run was started again. */
  readonly restarts: number;
  /** Those that failed before, oldest first. */
  readonly earlier: readonly FailedGeneration[];
}

/** Runs one generation of ranks after the other until the run has ended: after failures as the restart policy says, and whenever hosts join or leave. */
export async function runGenerations(options: GenerationsOptions): Promise<GenerationsResult> {
  const { nodeRank, maxRestarts, restartDelayMs, signals, say } = options;
  const earlier: FailedGeneration[] = [];
  let before: FailureCause | undefined, link: HostLink | undefined, isConnected = false;
  let result: GenerationResult = { exitCode: 0, category: "finished", failure: undefined, ranks: [], report: () => "" };
  for (let restarts = 0, next = options.firstGeneration;;) {
    let meeting: Meeting = { generation: next, nodes: [nodeRank] };
    try {
      if (!isConnected) link = await options.connect();
      isConnected = true;
      meeting = await link?.meet(next, signals.ending) ?? meeting;
    } catch (error) {
      if (signals.first) return endBy(signals.first, { restarts, generation: next });
      if (next === options.firstGeneration || !(error instanceof CommTimeoutError)) throw error;
      // What failed before is still to be reported.
      say(`weft: ${error.message}`);
      const outcome = { exitCode: UNAVAILABLE, category: "infrastructure", cause: undefined } as const;
      const nothing = { failure: undefined, reason: undefined, ranks: [], elsewhere: error.message };
      return { result: { ...result, ...outcome, ...nothing }, generation: next, restarts, earlier };
    }
    const { generation } = meeting;
    next = generation + 1;
    const shared = link?.begin(meeting);
    result = await options.run(meeting, {
      failedElsewhere: shared?.failedElsewhere,
      regroup: shared?.regroup,
      onFailure: ({ message }) => void shared?.tell(message),
      onLook: (ranks) => shared?.observe(ranks),
    });
    let isRegrouping = false, lost: string | undefined;
    if (shared) {
      const { reason } = result;
      const signal = reason?.kind === "signal" ? reason.signal : undefined;
      const settled = await shared.settle({ ...result, signal, joins: reason?.kind === "membership" });
      const { exitCode, category, cause } = settled;
      ({ isRegrouping, lost } = settled);
      // What failed here may be the echo of another host's failure, or of a host that is lost.
      const isHere = cause !== undefined && result.failure?.rank === cause.rank && result.failure.how === cause.how;
      const failure = isHere ? result.failure : failureOf(cause);
      result = { ...result, exitCode, category, cause, failure, elsewhere: lost ?? result.elsewhere };
    }
    const words = result.report(result);
    if (words) say(words);
    if (isRegrouping && signals.count === 0) {
      say("weft: the hosts have changed: starting again with those that are there");
      if (lost !== undefined) earlier.push(failedGeneration(generation));
      continue;
    }
    const isStopped = signals.count > 0 || options.isOver();
    const step = afterGeneration({
      ...{ outcome: result, before, restarts, maxRestarts, isStopped, delayMs: restartDelayMs },
    });
    if (step.do === "end") {
      if (step.why) say(`weft: not restarted: ${step.why}`);
      return { result, generation, restarts, earlier };
    }
    say(`weft: restart ${restarts + 1} of ${maxRestarts}${step.delayMs > 0 ? ` in ${step.delayMs / 1000} s` : ""}`);
    earlier.push(failedGeneration(generation));
    before = result.cause;
    const stop = await signals.sleep(step.delayMs);
    restarts++;
    if (stop !== undefined) return endBy(stop, { restarts, generation });
  }

  function failedGeneration(generation: number): FailedGeneration {
    const { failure, elsewhere } = result;
    return { generation, failure, message: failure ? undefined : elsewhere };
  }

  /** A signal came while no rank ran. */
  function endBy(signal: string, at: { restarts: number; generation: number }): GenerationsResult {
    const reason = { kind: "signal", signal } as const;
    const outcome = outcomeOf({ processes: [], errors: new Map(), reason });
    say(`weft: stopped by ${signal}`);
    return { result: { ...result, ...outcome, cause: before, reason }, ...at, earlier };
  }
}
