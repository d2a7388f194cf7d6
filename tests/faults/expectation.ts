import type { ErrorReport } from "../../launcher/error_report.ts";

/** What must come of a launcher in a run with a fault. */
export interface Expected {
  /** One of these. */
  readonly exitCodes: readonly number[];
  /** What is wrong about its report; undefined if it wrote none. */
  readonly check: (report: ErrorReport | undefined) => string[];
}

/** Where nothing failed, no report may be. */
export function isAbsent(report: ErrorReport | undefined): string[] {
  return report ? ["a failure is reported where there was none"] : [];
}
