import { closest } from "../../core/suggest.ts";
import type { Optimizer } from "../../optim/optimizer.ts";
import type { StateDict } from "../../tensor/state.ts";
import type { tf } from "../../tensor/tf.ts";
import type { LightningOptimizer } from "./lightning_optimizer.ts";

/** What the Trainer needs of a learning-rate scheduler. */
export interface SchedulerLike {
  /** Advances it; those that watch a metric are given it. */
  step(metric?: number): void;
  stateDict(): StateDict;
  loadStateDict(state: StateDict): void;
}

/** A scheduler, or a function that makes one once the optimizer is ready (needed for optimizers of tfjs). */
export type SchedulerGiven = SchedulerLike | ((optimizer: LightningOptimizer) => SchedulerLike);

/** When and with what a scheduler advances. */
export interface LrSchedulerOptions {
  scheduler: SchedulerGiven;
  /** Advance it after epochs or after training steps. Default: `"epoch"`. */
  interval?: "epoch" | "step";
  /** After every how many of them. Default: 1. */
  frequency?: number;
  /** The logged metric that it is given. Needed by a plateau scheduler. Default: none. */
  monitor?: string;
  /** Whether a missing metric is an error; if not, the scheduler waits for the next time. Default: true. */
  strict?: boolean;
  /** What the learning-rate monitor calls it. Default: made of the optimizer's name. */
  name?: string;
  /** It watches a metric. Default: true if it is a plateau scheduler. */
  reduceOnPlateau?: boolean;
}

/** Any optimizer that `fabric.setup` takes. */
export type AnyOptimizer = tf.Optimizer | Optimizer;

/** An optimizer with its scheduler. */
export interface OptimizerOptions {
  optimizer: AnyOptimizer;
  lrScheduler?: SchedulerGiven | LrSchedulerOptions;
  /** The metric of `lrScheduler`, if that is a plain scheduler. */
  monitor?: string;
}

/** What `configureOptimizers` may return. `null`: there is nothing to optimize. */
export type OptimizerConfiguration =
  | AnyOptimizer
  | OptimizerOptions
  | readonly AnyOptimizer[]
  | readonly OptimizerOptions[]
  | readonly [readonly AnyOptimizer[], readonly (SchedulerGiven | LrSchedulerOptions)[]]
  | null
  | undefined
  | void;

/** {@linkcode LrSchedulerOptions} with the defaults filled in. */
export interface SchedulerConfig
  extends Readonly<Required<Omit<LrSchedulerOptions, "scheduler" | "monitor" | "name">>> {
  readonly scheduler: SchedulerLike;
  readonly monitor: string | undefined;
  readonly name: string | undefined;
  /** Which optimizer it belongs to, by position; undefined if it was given apart from the optimizers. */
  readonly optimizerIndex: number | undefined;
}

/** What was returned, sorted: optimizers, and schedulers that are not yet made. */
export interface ParsedConfiguration {
  optimizers: AnyOptimizer[];
  schedulers: { options: LrSchedulerOptions; optimizerIndex: number | undefined }[];
}

const SCHEDULER_KEYS = ["scheduler", "interval", "frequency", "monitor", "strict", "name", "reduceOnPlateau"];

/** Sorts what `configureOptimizers` returned. @throws TypeError if it is none of the forms */
export function parseOptimizerConfiguration(given: unknown): ParsedConfiguration {
  const parsed: ParsedConfiguration = { optimizers: [], schedulers: [] };
  if (given === null || given === undefined) return parsed;
  if (isOptimizer(given)) parsed.optimizers.push(given);
  else if (Array.isArray(given) && given.length === 2 && Array.isArray(given[0]) && Array.isArray(given[1])) {
    for (const optimizer of given[0]) parsed.optimizers.push(isOptimizer(optimizer) ? optimizer : unknownForm(given));
    const { length } = parsed.optimizers;
    for (const [index, scheduler] of given[1].entries()) {
      const optimizerIndex = length === 1 ? 0 : index < length ? index : undefined;
      parsed.schedulers.push({ options: schedulerOptions(scheduler), optimizerIndex });
    }
  } else if (Array.isArray(given)) {
    for (const item of given) {
      if (isOptimizer(item)) parsed.optimizers.push(item);
      else if (isRecord(item)) takeRecord(parsed, item);
      else unknownForm(given);
    }
  } else if (isRecord(given)) takeRecord(parsed, given);
  else unknownForm(given);
  return parsed;
}

function takeRecord(parsed: ParsedConfiguration, record: Record<string, unknown>): void {
  for (const key of Object.keys(record)) {
    if (["optimizer", "lrScheduler", "monitor"].includes(key)) continue;
    const meant = closest(key, ["optimizer", "lrScheduler", "monitor"]);
    throw new TypeError(
      `\`configureOptimizers\` returned a record with \`${key}\`${meant ? `; did you mean \`${meant}\`?` : "."} ` +
        "It takes `optimizer`, `lrScheduler` and `monitor`.",
    );
  }
  if (!isOptimizer(record.optimizer)) unknownForm(record);
  const optimizerIndex = parsed.optimizers.push(record.optimizer as AnyOptimizer) - 1;
  if (record.lrScheduler === undefined || record.lrScheduler === null) return;
  const options = schedulerOptions(record.lrScheduler);
  parsed.schedulers.push({
    options: { ...options, monitor: options.monitor ?? record.monitor as string | undefined },
    optimizerIndex,
  });
}

function schedulerOptions(given: unknown): LrSchedulerOptions {
  if (typeof given === "function" || isScheduler(given)) return { scheduler: given as SchedulerGiven };
  if (!isRecord(given) || given.scheduler === undefined) {
    throw new TypeError(
      "the learning-rate scheduler of `configureOptimizers` must be a scheduler, or a record such as " +
        '{ scheduler, interval: "step" }',
    );
  }
  for (const key of Object.keys(given)) {
    if (SCHEDULER_KEYS.includes(key)) continue;
    const meant = closest(key, SCHEDULER_KEYS);
    throw new TypeError(
      `a scheduler's record has no \`${key}\`${
        meant ? `; did you mean \`${meant}\`?` : `. It takes: ${SCHEDULER_KEYS.join(", ")}`
      }`,
    );
  }
  const options = given as unknown as LrSchedulerOptions;
  if (options.interval !== undefined && options.interval !== "epoch" && options.interval !== "step") {
    throw new TypeError(
      `a scheduler's \`interval\` must be "epoch" or "step", but got ${JSON.stringify(options.interval)}`,
    );
  }
  if (options.frequency !== undefined && !(Number.isInteger(options.frequency) && options.frequency > 0)) {
    throw new RangeError(`a scheduler's \`frequency\` must be a positive integer, but got ${options.frequency}`);
  }
  return options;
}

/** Makes the scheduler of one record. @throws TypeError if there is none; Error for a plateau scheduler without its metric */
export function finishScheduler(
  options: LrSchedulerOptions,
  optimizerIndex: number | undefined,
  optimizers: readonly LightningOptimizer[],
): SchedulerConfig {
  const scheduler = typeof options.scheduler === "function"
    ? options.scheduler(optimizerOf(optimizerIndex, optimizers))
    : options.scheduler;
  if (!isScheduler(scheduler)) {
    throw new TypeError(
      "the learning-rate scheduler of `configureOptimizers` must have a method `step`, or be a function that takes the optimizer and " +
        `returns such a scheduler, but got ${scheduler === null ? "null" : typeof scheduler}`,
    );
  }
  const reduceOnPlateau = options.reduceOnPlateau ?? /plateau/i.test(scheduler.constructor?.name ?? "");
  if (reduceOnPlateau && options.monitor === undefined) {
    throw new Error(
      "`configureOptimizers` must say which metric a plateau scheduler watches: " +
        '{ optimizer, lrScheduler: { scheduler, monitor: "val_loss" } }',
    );
  }
  return Object.freeze({
    scheduler,
    interval: options.interval ?? "epoch",
    frequency: options.frequency ?? 1,
    monitor: options.monitor,
    strict: options.strict ?? true,
    name: options.name,
    reduceOnPlateau,
    optimizerIndex,
  });
}

/** @throws TypeError if it is not clear which one a scheduler is for */
function optimizerOf(index: number | undefined, optimizers: readonly LightningOptimizer[]): LightningOptimizer {
  const optimizer = index === undefined ? undefined : optimizers[index];
  if (optimizer) return optimizer;
  throw new TypeError(
    `\`configureOptimizers\` returned more schedulers than its ${optimizers.length} optimizers: which of them is a scheduler made by a ` +
      "function for? Return { optimizer, lrScheduler } for each optimizer.",
  );
}

function isOptimizer(value: unknown): value is AnyOptimizer {
  if (typeof value !== "object" || value === null) return false;
  const candidate = value as Record<string, unknown>;
  return typeof candidate.applyGradients === "function" ||
    (typeof candidate.step === "function" && typeof candidate.zeroGrad === "function");
}

function isScheduler(value: unknown): boolean {
  return typeof value === "object" && value !== null && typeof (value as SchedulerLike).step === "function";
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && Object.getPrototypeOf(value) === Object.prototype;
}

function unknownForm(given: unknown): never {
  throw new TypeError(
    `\`configureOptimizers\` returned ${
      Array.isArray(given)
        ? "an array of something else"
        : typeof given === "object"
        ? (given as object).constructor?.name
        : typeof given
    }, but it must be an optimizer, an array of optimizers, { optimizer, lrScheduler }, an array of such records, ` +
      "[optimizers, schedulers], or null for none",
  );
}
