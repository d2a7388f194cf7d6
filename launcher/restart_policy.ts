import type { FailureCause, Outcome } from "./outcome.ts";

/** What {@linkcode afterGeneration} decides by. */
export interface RestartState {
  readonly outcome: Outcome;
  /** What made the generation before fail; absent if there was none. */
  readonly before?: FailureCause;
  /** How often the run was started again. */
  readonly restarts: number;
  readonly maxRestarts: number;
  /** Whether somebody asked the run to end. */
  readonly isStopped: boolean;
  /** The delay before the first restart; it doubles. */
  readonly delayMs: number;
}

/** What to do when a generation has ended. */
export type NextStep =
  | { readonly do: "end"; /** Why there is no restart, where one could be expected. */ readonly why?: string }
  | { readonly do: "restart"; readonly delayMs: number };

/** No delay is longer. */
const LONGEST_DELAY_MS = 30_000;

/**
 * Whether a run that failed is started again. A pure function.
 * What fails twice at the same step in the same way would fail a third time.
 */
export function afterGeneration(state: RestartState): NextStep {
  const { outcome, before, restarts, maxRestarts, isStopped, delayMs } = state;
  const hasFailed = outcome.category === "rank" || outcome.category === "infrastructure";
  if (!hasFailed || isStopped || maxRestarts === 0) return { do: "end" };
  const { cause } = outcome;
  if (cause && before && failsAlike(cause, before)) {
    const step = stepOf(cause);
    const where = step === undefined ? "before the first step" : `at step ${step}`;
    return { do: "end", why: `it failed ${where} twice in the same way: a restart would not help` };
  }
  if (restarts >= maxRestarts) {
    return { do: "end", why: `it was restarted ${restarts} time${restarts === 1 ? "" : "s"}, which is all it may be` };
  }
  return { do: "restart", delayMs: Math.min(delayMs * 2 ** restarts, LONGEST_DELAY_MS) };
}

function failsAlike(a: FailureCause, b: FailureCause): boolean {
  return stepOf(a) === stepOf(b) && a.how === b.how && a.exitCode === b.exitCode && a.signal === b.signal &&
    a.error?.name === b.error?.name && withoutNumbers(a.error?.message) === withoutNumbers(b.error?.message);
}

function stepOf(cause: FailureCause): number | undefined {
  return cause.error?.step ?? cause.activity?.step;
}

/** Ports, times and ids differ from one time to the next. */
function withoutNumbers(message: string | undefined): string | undefined {
  return message?.replace(/\d+/g, "#");
}
