import {
  CollectiveMismatchError,
  CommTimeoutError,
  ConnectionLostError,
  RankFailedError,
} from "../../../runtime/core/errors.ts";
import type { CollectivesPlan } from "./plan.ts";
import { type CollectivesRun, PlannedError, type RankEnd } from "./simulate.ts";

/** No rank may take longer: it would hang. */
export function limitMs(plan: CollectivesPlan): number {
  const { fault, meetMs, timeoutMs, calls, computeMs } = plan;
  const outageMs = fault.kind === "late" || fault.kind === "lost"
    ? Math.max(...fault.outages.map((one) => one.untilMs))
    : 0;
  const frozenMs = fault.kind === "freeze" ? fault.atMs + fault.forMs : 0;
  // Three requests to the store; a second to hear what others called, and some to leave.
  return 4 * meetMs + 2 * timeoutMs + outageMs + frozenMs + calls.length * Math.max(...computeMs) + 60_000;
}

/** What is wrong with a run: nothing, if the product is right. */
export function problemsOf(plan: CollectivesPlan, run: CollectivesRun): string[] {
  const { fault } = plan, { ends } = run;
  const problems = [...run.wrong];
  for (const { rank, isDone } of ends) if (!isDone) problems.push(`rank ${rank} hangs`);
  for (const { rank, error } of ends) {
    if (error && !KNOWN.some((known) => error instanceof known) && !/is damaged/.test(error.message)) {
      problems.push(`rank ${rank} fails with ${error.name}: ${error.message}`);
    }
  }
  const failed = ends.filter(({ error }) => error);
  for (const end of failed) problems.push(...wronglyBlamed(end, ends));
  const whole = ends.filter(({ results, error }) => !error && results === plan.calls.length);
  switch (fault.kind) {
    case "none":
    case "late":
    case "repeat":
      for (const { rank, error } of failed) problems.push(`rank ${rank} fails without a reason: ${error}`);
      break;
    case "kill":
    case "freeze": {
      // Who was stopped for a moment goes on; who was for long is as good as gone.
      const isShort = fault.kind === "freeze" && fault.forMs < 2_000;
      const backMs = fault.kind === "freeze" ? fault.atMs + fault.forMs : Infinity;
      // A rank computes between its calls, and one of them for long: then it is not heard from either.
      const slow = plan.computeMs.indexOf(Math.max(...plan.computeMs));
      for (const { rank, error, errorMs } of failed) {
        if (isShort) problems.push(`rank ${rank} fails although rank ${fault.rank} went on: ${error}`);
        else if (rank !== fault.rank) {
          problems.push(...mustBlame(error!, { rank, gone: fault.rank, slow, isBack: errorMs! >= backMs, ends }));
        }
      }
      break;
    }
    case "throw":
    case "leave":
    case "mismatch":
    case "purpose":
      for (const { rank } of whole) {
        // Who gets nothing from what is still called may be done before.
        if (plan.calls.slice(fault.call).every((call) => call.getsNothing?.(rank))) continue;
        problems.push(`rank ${rank} does not notice what rank ${fault.rank} did`);
      }
      for (const { rank, error } of failed) {
        if (rank !== fault.rank || fault.kind === "mismatch" || fault.kind === "purpose") {
          problems.push(...mustSay(error!, rank, plan));
        }
      }
      break;
    case "lost":
    case "overtake":
    case "cut":
      for (const { rank, error } of failed) {
        if (error instanceof CollectiveMismatchError) {
          problems.push(`rank ${rank} sees a disagreement: ${error.message}`);
        }
      }
  }
  return problems;
}

/** A rank that fails while it meets the others has left them before its error is seen. */
const LEAVING_MS = 2_500;
const KNOWN = [CollectiveMismatchError, CommTimeoutError, ConnectionLostError, RankFailedError, PlannedError];

/** A rank that says another failed is right only if that one failed by itself, and before. */
function wronglyBlamed({ rank, error, errorMs }: RankEnd, ends: readonly RankEnd[]): string[] {
  if (!(error instanceof RankFailedError)) return [];
  const other = ends[error.facts.rank];
  if (other.error && !(other.error instanceof RankFailedError) && other.errorMs! - LEAVING_MS <= errorMs!) return [];
  return [
    `rank ${rank} blames rank ${other.rank}, which ${other.error ? `failed with ${other.error}` : "did not fail"}`,
  ];
}

interface Blame {
  rank: number;
  /** Who is gone, and whether he was back by then. */
  gone: number;
  isBack: boolean;
  /** Who may not be heard from because he computes. */
  slow: number;
  ends: readonly RankEnd[];
}

/** Whoever waits in vain has to name the rank that is gone, or one that did not come to the group because of it, and no other that is there. */
function mustBlame(error: Error, { rank, gone, isBack, slow, ends }: Blame): string[] {
  const cause = error instanceof RankFailedError ? error.cause as Error : error;
  const named = /(?:not heard from ranks? |in time: )([\d, ]+)/.exec(cause.message)?.[1].split(", ").map(Number);
  // Who went on just before the time was over, and said so, is not gone any more; others may still be behind because of him.
  if (/all ranks are in it/.test(cause.message) || (isBack && cause.name === "CommTimeoutError")) return [];
  const isMissing = (rank: number) => rank === gone || /did not join .*in time/.test(ends[rank].error?.message ?? "");
  const others = named?.filter((one) => one !== slow || one === gone);
  const isRight = others?.length === 1 && isMissing(others[0]) ||
    error instanceof RankFailedError && error.facts.rank === gone;
  return isRight ? [] : [`rank ${rank} does not blame rank ${gone}, which is gone, alone: ${error}`];
}

/** A rank that fails because of what another did by plan has to say so. */
function mustSay(error: Error, rank: number, { fault }: CollectivesPlan): string[] {
  if (!("call" in fault)) return [];
  const said = {
    throw: error instanceof RankFailedError && error.facts.rank === fault.rank && /has had enough/.test(error.message),
    leave: error instanceof CollectiveMismatchError &&
      new RegExp(`rank ${fault.rank} on host\\d+ left the process group`).test(error.message),
    purpose: error instanceof CollectiveMismatchError &&
      new RegExp(`rank ${fault.rank}: .* for another purpose at`).test(error.message),
    mismatch: error instanceof CollectiveMismatchError &&
      new RegExp(`rank ${fault.rank}: allReduce \\(sum\\) of 777 float64 at`).test(error.message),
  }[fault.kind];
  return said ? [] : [`rank ${rank} does not say what rank ${fault.rank} did (${fault.kind}): ${error}`];
}
