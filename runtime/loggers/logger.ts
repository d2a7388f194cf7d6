/** Where metrics and hyperparameters go. Rank 0 alone holds real ones. No method blocks a step: writing happens later. */
export interface Logger {
  /** The experiment, e.g. `MNIST`. */
  readonly name: string;
  /** The run, e.g. `version_0`. */
  readonly version: string;
  /** Folder of this run's files; undefined for a logger without files. */
  readonly logDir: string | undefined;
  /** Notes metrics for a step. Numbers only: tensors are read by the caller. */
  logMetrics(metrics: Readonly<Record<string, number>>, step?: number): void;
  logHyperparams(params: Readonly<Record<string, unknown>>): void;
  /** Resolves when everything noted so far is written. */
  save(): Promise<void>;
  /** Writes all and closes. */
  finalize(status: "success" | "failed" | "interrupted"): Promise<void>;
}
