import { checkInside } from "../../core/inside.ts";
import { checkName, checkOneOf, checkWhole } from "./checks.ts";
import { checkpointName } from "./checkpoint_name.ts";
import { callbackSeconds } from "./seconds.ts";
import type { Duration } from "../duration.ts";
import { rejectUnknownOptions } from "../../core/suggest.ts";

/** Options of {@linkcode ModelCheckpoint}. */
export interface ModelCheckpointOptions {
  /** Where to save. Default: `checkpoints` in the first logger's folder, or in the Trainer's `defaultRootDir`. */
  dirpath?: string;
  /**
   * File name, in which `{epoch}`, `{step}` and `{any_logged_metric:.2f}` are replaced. Default: `"{epoch}-{step}"`.
   */
  filename?: string;
  /** The logged metric that decides which checkpoints are the best. Default: none, the newest is kept. */
  monitor?: string;
  /** Whether a small or a large value of the metric is good. Default: `"min"`. */
  mode?: "min" | "max";
  /** How many of the best to keep; -1 for all, 0 for none. Without `monitor` 1, -1 or 0. Default: 1. */
  saveTopK?: number;
  /**
   * Keep the newest as `last.ckpt` too: true as a second name of the same file (a copy where the disk has none such), `"link"` as a
   * symbolic link. Default: false.
   */
  saveLast?: boolean | "link";
  /** Save the weights without what is needed to go on training. Default: false. */
  saveWeightsOnly?: boolean;
  /** Save when the run fails. Default: false. */
  saveOnException?: boolean;
  /** Save after every so many training steps. Default: none. One of this, the next and the one after. */
  everyNTrainSteps?: number;
  /** Save when so much time has gone by: `"DD:HH:MM:SS"` or its parts. Default: none. */
  trainTimeInterval?: Duration;
  /** Save after every so many epochs. Default: 1, unless one of the two before is given. */
  everyNEpochs?: number;
  /**
   * Save at the end of the training epoch, not of the validation. Default: true if there is no validation or it runs once, at the end of
   * each epoch, and `monitor` is not of it.
   */
  saveOnTrainEpochEnd?: boolean;
  /** Write `name=` before each value in the file name. Default: true. */
  autoInsertMetricName?: boolean;
  /** Where a file of the name exists, use `name-v1`, `name-v2`, …; if false it is replaced. Default: true. */
  enableVersionCounter?: boolean;
  /** Say what is saved and why. Default: false. */
  verbose?: boolean;
  /** A clock in milliseconds, for `trainTimeInterval`. Default: performance.now. */
  now?: () => number;
}

/** {@linkcode ModelCheckpointOptions}, checked, with the defaults filled in. */
export interface CheckpointConfig {
  readonly filename: string;
  readonly monitor: string | undefined;
  readonly mode: "min" | "max";
  /** Infinity for all. */
  readonly saveTopK: number;
  readonly saveLast: boolean | "link";
  readonly weightsOnly: boolean;
  readonly saveOnException: boolean;
  /** 0 for never. */
  readonly everyNTrainSteps: number;
  readonly everyNEpochs: number;
  readonly intervalMs: number | undefined;
  readonly saveOnTrainEpochEnd: boolean | undefined;
  readonly autoInsertMetricName: boolean;
  readonly enableVersionCounter: boolean;
  readonly verbose: boolean;
  readonly now: () => number;
}

const OWNER = "ModelCheckpoint";
const NAMES: readonly (keyof ModelCheckpointOptions)[] = [
  "dirpath",
  "filename",
  "monitor",
  "mode",
  "saveTopK",
  "saveLast",
  "saveWeightsOnly",
  "saveOnException",
  "everyNTrainSteps",
  "trainTimeInterval",
  "everyNEpochs",
  "saveOnTrainEpochEnd",
  "autoInsertMetricName",
  "enableVersionCounter",
  "verbose",
  "now",
];

/** @throws TypeError or RangeError that names the option, what it was given and what it takes */
export function resolveCheckpointOptions(options: ModelCheckpointOptions): CheckpointConfig {
  rejectUnknownOptions(OWNER, options, NAMES);
  const { dirpath, filename = "{epoch}-{step}", monitor, mode = "min", saveTopK = 1, saveLast = false } = options;
  if (dirpath !== undefined) checkName(OWNER, "dirpath", dirpath);
  checkName(OWNER, "filename", filename);
  checkInside(`${OWNER}({ filename })`, filename);
  checkpointName(filename, {});
  if (monitor !== undefined) checkName(OWNER, "monitor", monitor);
  checkOneOf(OWNER, "mode", mode, ["min", "max"]);
  checkOneOf(OWNER, "saveLast", saveLast, [true, false, "link"]);
  checkWhole(OWNER, "saveTopK", saveTopK, -1);
  if (monitor === undefined && saveTopK > 1) {
    throw new RangeError(
      `\`ModelCheckpoint({ saveTopK: ${saveTopK} })\` needs a metric to compare by: give \`monitor\`, or keep all (-1), the newest (1) or none (0)`,
    );
  }
  const triggers = (["everyNTrainSteps", "trainTimeInterval", "everyNEpochs"] as const).filter((name) => options[name]);
  if (triggers.length > 1) {
    throw new TypeError(
      `\`ModelCheckpoint({ ${triggers.join(", ")} })\`: these exclude each other. Use a ModelCheckpoint for each.`,
    );
  }
  const { everyNTrainSteps = 0, trainTimeInterval } = options;
  checkWhole(OWNER, "everyNTrainSteps", everyNTrainSteps);
  const everyNEpochs = options.everyNEpochs ??
    (triggers.length === 0 && options.everyNTrainSteps === undefined ? 1 : 0);
  checkWhole(OWNER, "everyNEpochs", everyNEpochs);
  return Object.freeze({
    filename,
    monitor,
    mode,
    saveTopK: saveTopK === -1 ? Infinity : saveTopK,
    saveLast,
    weightsOnly: options.saveWeightsOnly ?? false,
    saveOnException: options.saveOnException ?? false,
    everyNTrainSteps,
    everyNEpochs,
    intervalMs: trainTimeInterval === undefined
      ? undefined
      : callbackSeconds(OWNER, "trainTimeInterval", trainTimeInterval) * 1000,
    saveOnTrainEpochEnd: options.saveOnTrainEpochEnd,
    autoInsertMetricName: options.autoInsertMetricName ?? true,
    enableVersionCounter: options.enableVersionCounter ?? true,
    verbose: options.verbose ?? false,
    now: options.now ?? (() => performance.now()),
  });
}
