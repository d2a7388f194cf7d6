/** How values of one name become one: over the batches of an epoch, and over the ranks. */
export type ReduceFx = "mean" | "min" | "max" | "sum";

/** Options of {@linkcode LightningModule.log}. */
export interface LogOptions {
  /** Show it in the progress bar. Default: false. */
  progBar?: boolean;
  /** Give it to the loggers. Default: true. */
  logger?: boolean;
  /** Log the value of the step. Default: true in `trainingStep` and the hooks of a training batch, else false. */
  onStep?: boolean;
  /** Log what the epoch's values reduce to. Default: true in the steps of validation and test and in epoch hooks, else false. */
  onEpoch?: boolean;
  /** How the values of an epoch become one; the mean is weighted by `batchSize`. Default: `"mean"`. */
  reduceFx?: ReduceFx;
  /** Reduce over the ranks. Default: true for the value of an epoch, false for that of a step. */
  syncDist?: boolean;
  /** Samples behind the value, its weight in the mean. Default: the first dimension of the batch's first tensor. */
  batchSize?: number;
  /** Only rank 0 calls `log`, so there is nothing to reduce. Default: false. */
  rankZeroOnly?: boolean;
  /** Add `/dataloader_idx_N` to the name where there are several loaders. Default: true. */
  addDataloaderIdx?: boolean;
}

/** The names of the options. */
export const LOG_OPTIONS: readonly (keyof LogOptions)[] = [
  "progBar",
  "logger",
  "onStep",
  "onEpoch",
  "reduceFx",
  "syncDist",
  "batchSize",
  "rankZeroOnly",
  "addDataloaderIdx",
];
