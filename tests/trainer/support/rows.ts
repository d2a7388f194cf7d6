import type { Logger } from "../../../runtime/loggers/logger.ts";

/** A logger that keeps what it was given. */
export class Rows implements Logger {
  readonly name = "rows";
  readonly version = "0";
  readonly logDir = undefined;
  readonly rows: Record<string, number>[] = [];
  readonly params: Record<string, unknown> = {};
  readonly finalized: string[] = [];

  logMetrics(metrics: Readonly<Record<string, number>>, step?: number): void {
    this.rows.push({ step: step!, ...metrics });
  }
  logHyperparams(params: Readonly<Record<string, unknown>>): void {
    Object.assign(this.params, params);
  }
  save(): Promise<void> {
    return Promise.resolve();
  }
  finalize(status: "success" | "failed" | "interrupted"): Promise<void> {
    this.finalized.push(status);
    return Promise.resolve();
  }
}
