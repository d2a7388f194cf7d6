import type { Callback } from "./callback.ts";
import type { Duration } from "./duration.ts";
import type { Profiler } from "./profiler.ts";
import type { CompileMode } from "../compile/compile_mode.ts";
import type { FabricOptions } from "../fabric/options.ts";
import type { Logger } from "../loggers/logger.ts";

/** How many batches: a whole number of them, a fraction below 1, or a percentage such as `"100%"`. 0 turns the loop off. */
export type BatchLimit = number | `${number}%`;

/** Options of {@linkcode Trainer}. Names and meanings are those of Lightning; what is not a whole number there is below 1 or a percentage here. */
export interface TrainerOptions
  extends Pick<FabricOptions, "accelerator" | "strategy" | "devices" | "numNodes" | "precision"> {
  /** Where metrics go. true: a CSVLogger in `defaultRootDir`; false: nowhere. Default: true. */
  logger?: boolean | Logger | readonly Logger[];
  /** Default: none but the Trainer's own. */
  callbacks?: Callback | readonly Callback[];
  /** Run this many batches of everything, once, without logging and saving, to see that nothing breaks; true is 1. Default: false. */
  fastDevRun?: boolean | number;
  /** Epochs to train; -1 for no end. Default: 1000, or no end if `maxSteps` or `maxTime` is given. */
  maxEpochs?: number;
  /** Epochs to train at least, whatever asks to stop. Default: none. */
  minEpochs?: number;
  /** Training steps to take; -1 for no end. Default: -1. */
  maxSteps?: number;
  /** Default: none. */
  minSteps?: number;
  /** How long to train: `"DD:HH:MM:SS"`, or { days, hours, minutes, seconds }. Default: no limit. */
  maxTime?: Duration;
  /** Default: all of them. */
  limitTrainBatches?: BatchLimit;
  limitValBatches?: BatchLimit;
  limitTestBatches?: BatchLimit;
  limitPredictBatches?: BatchLimit;
  /** Train and validate on this many batches only, in a fixed order. Default: 0, off. */
  overfitBatches?: BatchLimit;
  /**
   * Validate after so many batches, after a fraction of the epoch, or after a time (`"00:00:15:00"`).
   * Default: at the end of the epoch.
   */
  valCheckInterval?: BatchLimit | Duration;
  /** Validate in every so many epochs. null: `valCheckInterval` counts batches over all epochs. Default: 1. */
  checkValEveryNEpoch?: number | null;
  /** Validation batches to try before training; -1 for all. Default: 2. */
  numSanityValSteps?: number;
  /** Training steps between two rows of the loggers. Default: 50. */
  logEveryNSteps?: number;
  /** Keep a checkpoint, with a ModelCheckpoint if there is none. Default: true. */
  enableCheckpointing?: boolean;
  /** Default: true. */
  enableProgressBar?: boolean;
  /** Print the table of the model's parts. Default: true. */
  enableModelSummary?: boolean;
  /** Batches whose gradients make one step. Default: 1. */
  accumulateGradBatches?: number;
  /** Clip the gradients to this. Default: no clipping. */
  gradientClipVal?: number;
  /** Clip the norm of all gradients, or every value. Default: `"norm"`. */
  gradientClipAlgorithm?: "norm" | "value";
  /**
   * Record `trainingStep`, the backward pass and the update of the parameters once and run them as one call, where TensorFlow computes
   * (`cpu`, `cuda`). `"auto"`: by XLA or as a graph, whichever is the faster in the first steps; with a seed by a rule, so that every
   * run is the same; with `deterministic` exactly as op by op. docs/compiled_steps.md tells what can be recorded; what cannot runs op by op, and
   * one warning says why. Manual optimization is compiled with the other modes only. Default: `"auto"`.
   */
  compile?: CompileMode;
  /**
   * Come to the same bits however often the run is started, stopped and resumed: compiled steps run exactly as they would op by op, and a
   * warning says where that is not enough. Default: false.
   */
  deterministic?: boolean | "warn";
  /** Accepted for ported programs: there is no autotuner to switch on. Default: false. */
  benchmark?: boolean;
  /** Compute no gradients in validate, test and predict. Default: true. */
  inferenceMode?: boolean;
  /** Share the samples among the ranks. Default: true. */
  useDistributedSampler?: boolean;
  /** Measure what takes how long: `"simple"` or an object. Default: none. */
  profiler?: "simple" | Profiler;
  /** Stop at the first loss or gradient that is not finite, and say where. Slow. Default: false. */
  detectAnomaly?: boolean;
  /** Without logging, checkpoints, progress bar, summary and sanity check, to measure the bare loop. Default: false. */
  barebones?: boolean;
  /** Accepted for ported programs; there are no plugins. Default: none. */
  plugins?: readonly never[];
  /** Refused: tfjs has no batch normalization over several ranks. Default: false. */
  syncBatchnorm?: boolean;
  /** Ask for new loaders every so many epochs. Default: 0, never. */
  reloadDataloadersEveryNEpochs?: number;
  /** Where logs and checkpoints go. Default: the working directory. */
  defaultRootDir?: string;
  /** Give hyperparameters to the loggers. Default: true. */
  enableAutologHparams?: boolean;
  /** The signal by which the cluster says that it wants the machine back: fit saves and stops, as at SIGTERM. `"none"`: there is none. Default: `"SIGUSR1"` and `"SIGUSR2"`. */
  preemptionSignal?: `SIG${string}` | "none";
  /** After the preemption signal, put the Slurm job back into the queue; it then goes on from where it was. Default: true. */
  requeue?: boolean;
}

/** {@linkcode TrainerOptions}, checked, with the defaults filled in. */
export interface TrainerConfig {
  readonly fabric: Pick<FabricOptions, "accelerator" | "strategy" | "devices" | "numNodes" | "precision">;
  readonly logger: boolean | readonly Logger[];
  readonly callbacks: readonly Callback[];
  /** Batches of a `fastDevRun`; 0 if it is none. */
  readonly fastDevRun: number;
  /** Infinity for no end, as below. */
  readonly maxEpochs: number;
  readonly minEpochs: number;
  readonly maxSteps: number;
  readonly minSteps: number;
  readonly maxSeconds: number;
  readonly limits: Readonly<Record<"train" | "validate" | "test" | "predict", BatchLimit | undefined>>;
  readonly overfitBatches: BatchLimit;
  readonly valCheckInterval: BatchLimit | undefined;
  readonly valCheckSeconds: number | undefined;
  readonly checkValEveryNEpoch: number | null;
  /** Infinity for all. */
  readonly numSanityValSteps: number;
  readonly logEveryNSteps: number;
  readonly enableCheckpointing: boolean;
  readonly enableProgressBar: boolean;
  readonly enableModelSummary: boolean;
  readonly accumulateGradBatches: number;
  readonly gradientClipVal: number | undefined;
  readonly gradientClipAlgorithm: "norm" | "value";
  readonly compile: CompileMode;
  readonly deterministic: boolean | "warn";
  readonly inferenceMode: boolean;
  readonly useDistributedSampler: boolean;
  readonly profiler: Profiler | undefined;
  readonly detectAnomaly: boolean;
  readonly barebones: boolean;
  readonly reloadDataloadersEveryNEpochs: number;
  readonly defaultRootDir: string;
  readonly enableAutologHparams: boolean;
  /** undefined: what the environment says. */
  readonly preemptionSignal: string | undefined;
  readonly requeue: boolean;
  /** `maxEpochs` was not given and nothing else ends the training. */
  readonly maxEpochsIsDefault: boolean;
}
