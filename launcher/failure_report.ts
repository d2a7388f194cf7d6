import type { Activity } from "../runtime/core/activity_page.ts";
import type { StopReason } from "./decide.ts";
import { describeActivity } from "./describe_activity.ts";
import type { FailureCause } from "./outcome.ts";

/** What {@linkcode failureReport} tells. */
export interface FailureReportOptions {
  cause?: FailureCause;
  reason?: StopReason;
  /** How ranks ended that the launcher had to end: rank and signal. */
  ended: readonly { rank: number; signal: string }[];
  /** What the ranks that had not failed were doing when the run began to end. Default: not told. */
  others?: readonly { rank: number; activity: Activity }[];
  /** Whether ranks were stopped, and saved what they need to go on. Default: false. */
  isResumable?: boolean;
  /** The last lines that the failed rank printed, for where they were not shown. */
  tail?: string;
  /** What else is known of why it failed. */
  hint?: string;
  /** Where the ranks' output is, if it went to files. */
  logDir?: string;
}

/** A stack deeper than this says no more. */
const LONGEST_STACK = 15;
/** Of more ranks than this, the others' doing would push the cause off the screen. */
const MOST_OTHERS = 16;

/** What the person at the terminal is told about a run that did not end well: what failed first, and what became of the rest. */
export function failureReport(options: FailureReportOptions): string {
  const { cause, reason, ended, tail, logDir, others = [], isResumable = false, hint } = options;
  const lines: string[] = [];
  const saved = isResumable ? "; the ranks saved a checkpoint, so that the run can go on from there" : "";
  if (reason?.kind === "signal") lines.push(`weft: stopped by ${reason.signal}${saved}`);
  else if (reason?.kind === "time") lines.push(`weft: stopped because the time is over (max-time)${saved}`);
  else if (isResumable) lines.push(`weft: stopped${saved}`);
  if (cause) {
    lines.push(`weft: rank ${cause.rank} ${howOf(cause)}, and was the first to fail`);
    const { error } = cause;
    if (error) {
      const stack = error.stack.split("\n");
      lines.push(
        ...stack.slice(0, LONGEST_STACK).map((line) => `  ${line}`),
        ...(stack.length > LONGEST_STACK ? ["  …"] : []),
      );
    } else if (tail) {
      lines.push("  its last lines on standard error:", ...tail.split("\n").map((line) => `  | ${line}`));
    }
    const doing = describeActivity(
      error?.step !== undefined || error?.operation !== undefined ? error : cause.activity,
    );
    const place = [cause.host === undefined ? "" : `on ${cause.host}`, doing].filter(Boolean).join(", ");
    const when = error ? `${place ? ", " : "at "}${new Date(error.time).toISOString()}` : "";
    if (place || when) lines.push(`  ${place}${when}`);
    if (hint) lines.push(`  ${hint}`);
  }
  const doings = others.map(({ rank, activity }) => ({ rank, doing: describeActivity(activity) }))
    .filter(({ doing }) => doing !== "");
  if ((cause || reason?.kind === "elsewhere") && doings.length > 0) {
    lines.push("weft: meanwhile");
    lines.push(...doings.slice(0, MOST_OTHERS).map(({ rank, doing }) => `  rank ${rank}: ${doing}`));
    if (doings.length > MOST_OTHERS) lines.push(`  … and ${doings.length - MOST_OTHERS} more`);
  }
  if (ended.length > 0) {
    const list = ended.map(({ rank, signal }) => `rank ${rank} by ${signal}`).join(", ");
    lines.push(
      `weft: the launcher ended the others: ${list}`.replace("the others", cause ? "the others" : "the ranks"),
    );
  }
  if (logDir !== undefined && lines.length > 0) lines.push(`weft: the ranks' output is in ${logDir}`);
  return lines.join("\n");
}

/** How a rank failed, in words that follow its number. */
export function howOf({ how, signal, exitCode }: Pick<FailureCause, "how" | "signal" | "exitCode">): string {
  if (how === "frozen") return "did not run any more (it was stopped by a signal, or its machine froze it)";
  if (how === "left") return "exited with code 0 while the others waited for it";
  if (how === "cut off") return "is cut off, or the rank that it waits for is: all ranks wait, and nothing arrives";
  return signal ? `was killed by ${signal}` : `failed with exit code ${exitCode}`;
}
