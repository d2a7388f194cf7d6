import type { StopReason } from "./decide.ts";
import type { FailureCause } from "./outcome.ts";

/** What {@linkcode failureReport} tells. */
export interface FailureReportOptions {
  cause?: FailureCause;
  reason?: StopReason;
  /** How ranks ended that the launcher had to end: rank and signal. */
  ended: readonly { rank: number; signal: string }[];
  /** The last lines that the failed rank printed, for where they were not shown. */
  tail?: string;
  /** Where the ranks' output is, if it went to files. */
  logDir?: string;
}

/** A stack deeper than this says no more. */
const LONGEST_STACK = 15;

/** What the person at the terminal is told about a run that did not end well: what failed first, and what became of the rest. */
export function failureReport({ cause, reason, ended, tail, logDir }: FailureReportOptions): string {
  const lines: string[] = [];
  if (reason?.kind === "signal") lines.push(`weft: stopped by ${reason.signal}`);
  if (cause) {
    const how = cause.signal ? `was killed by ${cause.signal}` : `failed with exit code ${cause.exitCode}`;
    lines.push(`weft: rank ${cause.rank} ${how}, and was the first to fail`);
    const { error } = cause;
    if (error) {
      const at = [
        error.step === undefined ? "" : `step ${error.step}`,
        error.operation === undefined ? "" : `in ${error.operation}`,
      ].filter(Boolean).join(", ");
      const stack = error.stack.split("\n");
      lines.push(
        ...stack.slice(0, LONGEST_STACK).map((line) => `  ${line}`),
        ...(stack.length > LONGEST_STACK ? ["  …"] : []),
        `  at ${new Date(error.time).toISOString()}${at ? ` (${at})` : ""}`,
      );
    } else if (tail) {
      lines.push("  its last lines on standard error:", ...tail.split("\n").map((line) => `  | ${line}`));
    }
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
