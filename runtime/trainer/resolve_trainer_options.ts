import { type Duration, parseDuration } from "./duration.ts";
import type { Profiler } from "./profiler.ts";
import { SimpleProfiler } from "./simple_profiler.ts";
import type { BatchLimit, TrainerConfig, TrainerOptions } from "./trainer_options.ts";
import { checkCompileMode } from "../compile/compile_mode.ts";
import { isPreemptionSignal } from "../core/preemption.ts";
import { rejectUnknownOptions } from "../core/suggest.ts";
import type { Logger } from "../loggers/logger.ts";

const NAMES: readonly (keyof TrainerOptions)[] = [
  "accelerator",
  "strategy",
  "devices",
  "numNodes",
  "precision",
  "logger",
  "callbacks",
  "fastDevRun",
  "maxEpochs",
  "minEpochs",
  "maxSteps",
  "minSteps",
  "maxTime",
  "limitTrainBatches",
  "limitValBatches",
  "limitTestBatches",
  "limitPredictBatches",
  "overfitBatches",
  "valCheckInterval",
  "checkValEveryNEpoch",
  "numSanityValSteps",
  "logEveryNSteps",
  "enableCheckpointing",
  "enableProgressBar",
  "enableModelSummary",
  "accumulateGradBatches",
  "gradientClipVal",
  "gradientClipAlgorithm",
  "compile",
  "deterministic",
  "benchmark",
  "inferenceMode",
  "useDistributedSampler",
  "profiler",
  "detectAnomaly",
  "barebones",
  "plugins",
  "syncBatchnorm",
  "reloadDataloadersEveryNEpochs",
  "defaultRootDir",
  "enableAutologHparams",
  "preemptionSignal",
  "requeue",
];

/**
 * Checks the options and fills in the defaults.
 * @throws TypeError or RangeError that names the option, what it was given and what it takes
 */
export function resolveTrainerOptions(options: TrainerOptions): TrainerConfig {
  rejectUnknownOptions("Trainer", options, NAMES);
  if (options.barebones) rejectWithBarebones(options);
  if (options.syncBatchnorm) {
    throw new TypeError(
      "`Trainer({ syncBatchnorm: true })` is not possible: tfjs computes batch normalization within one process. Leave it out.",
    );
  }
  if (options.plugins && options.plugins.length > 0) {
    throw new TypeError(
      "`Trainer({ plugins })` takes none: give a strategy object as `strategy`, a precision as `precision`",
    );
  }
  const fastDevRun = options.fastDevRun === true ? 1 : options.fastDevRun === false ? 0 : options.fastDevRun ?? 0;
  whole("fastDevRun", fastDevRun, 0);
  const bare = options.barebones ?? false;
  const maxSteps = fastDevRun || endless("maxSteps", options.maxSteps ?? -1);
  const open = options.maxEpochs === undefined && (Number.isFinite(maxSteps) || options.maxTime !== undefined);
  const maxEpochs = fastDevRun ? 1 : endless("maxEpochs", options.maxEpochs ?? (open ? -1 : 1000));
  const valCheckSeconds = typeof options.valCheckInterval === "object" ||
      (typeof options.valCheckInterval === "string" && !options.valCheckInterval.endsWith("%"))
    ? parseDuration("valCheckInterval", options.valCheckInterval as Duration)
    : undefined;
  const checkValEveryNEpoch = options.checkValEveryNEpoch === undefined ? 1 : options.checkValEveryNEpoch;
  if (checkValEveryNEpoch !== null) whole("checkValEveryNEpoch", checkValEveryNEpoch, 1);
  const valCheckInterval = valCheckSeconds === undefined
    ? limit("valCheckInterval", options.valCheckInterval as BatchLimit | undefined)
    : undefined;
  if (valCheckInterval === 0) {
    throw new RangeError(
      "`Trainer({ valCheckInterval })` must be above 0: to turn validation off, set `limitValBatches: 0`",
    );
  }
  if (checkValEveryNEpoch === null && valCheckSeconds === undefined && !(Number(valCheckInterval) >= 1)) {
    throw new TypeError(
      "`Trainer({ checkValEveryNEpoch: null })` counts batches over all epochs and needs a whole number as `valCheckInterval`, " +
        `but that is ${JSON.stringify(options.valCheckInterval)}`,
    );
  }
  const sanity = options.numSanityValSteps ?? 2;
  if (sanity !== -1) whole("numSanityValSteps", sanity, 0);
  if (options.gradientClipVal !== undefined && !(options.gradientClipVal >= 0)) {
    throw new TypeError(
      `\`Trainer({ gradientClipVal })\` must be a number from 0 up, but got ${String(options.gradientClipVal)}`,
    );
  }
  const algorithm = options.gradientClipAlgorithm ?? "norm";
  if (algorithm !== "norm" && algorithm !== "value") {
    throw new TypeError(
      `\`Trainer({ gradientClipAlgorithm })\` must be "norm" or "value", but got ${JSON.stringify(algorithm)}`,
    );
  }
  const compile = options.compile ?? "auto";
  checkCompileMode("Trainer({ compile })", compile);
  return Object.freeze({
    fabric: Object.freeze({
      accelerator: options.accelerator,
      strategy: options.strategy,
      devices: options.devices,
      numNodes: options.numNodes,
      precision: options.precision,
    }),
    logger: bare || fastDevRun ? false : loggers(options.logger),
    callbacks: Object.freeze(list(options.callbacks)),
    fastDevRun,
    maxEpochs,
    minEpochs: whole("minEpochs", options.minEpochs ?? 0, 0),
    maxSteps,
    minSteps: whole("minSteps", options.minSteps ?? 0, 0),
    maxSeconds: options.maxTime === undefined ? Infinity : parseDuration("maxTime", options.maxTime),
    limits: Object.freeze({
      train: fastDevRun || limit("limitTrainBatches", options.limitTrainBatches),
      validate: fastDevRun || limit("limitValBatches", options.limitValBatches),
      test: fastDevRun || limit("limitTestBatches", options.limitTestBatches),
      predict: fastDevRun || limit("limitPredictBatches", options.limitPredictBatches),
    }),
    overfitBatches: fastDevRun ? 0 : limit("overfitBatches", options.overfitBatches) ?? 0,
    valCheckInterval: fastDevRun ? undefined : valCheckInterval,
    valCheckSeconds,
    checkValEveryNEpoch: fastDevRun ? 1 : checkValEveryNEpoch,
    numSanityValSteps: fastDevRun || bare ? 0 : sanity === -1 ? Infinity : sanity,
    logEveryNSteps: bare ? 0 : whole("logEveryNSteps", options.logEveryNSteps ?? 50, 0),
    enableCheckpointing: !bare && !fastDevRun && (options.enableCheckpointing ?? true),
    enableProgressBar: !bare && (options.enableProgressBar ?? true),
    enableModelSummary: !bare && (options.enableModelSummary ?? true),
    accumulateGradBatches: whole("accumulateGradBatches", options.accumulateGradBatches ?? 1, 1),
    gradientClipVal: options.gradientClipVal,
    gradientClipAlgorithm: algorithm,
    compile,
    deterministic: options.deterministic ?? false,
    inferenceMode: options.inferenceMode ?? true,
    useDistributedSampler: options.useDistributedSampler ?? true,
    profiler: profiler(options.profiler),
    detectAnomaly: options.detectAnomaly ?? false,
    barebones: bare,
    reloadDataloadersEveryNEpochs: whole(
      "reloadDataloadersEveryNEpochs",
      options.reloadDataloadersEveryNEpochs ?? 0,
      0,
    ),
    defaultRootDir: options.defaultRootDir ?? ".",
    enableAutologHparams: options.enableAutologHparams ?? true,
    preemptionSignal: signal(options.preemptionSignal),
    requeue: options.requeue ?? true,
    maxEpochsIsDefault: options.maxEpochs === undefined && !open && !fastDevRun,
  });
}

function signal(name: string | undefined): string | undefined {
  if (name === undefined || name === "none" || isPreemptionSignal(name)) return name;
  throw new TypeError(
    `\`Trainer({ preemptionSignal })\` must be a signal such as "SIGUSR1", or "none", but got ${JSON.stringify(name)}`,
  );
}

function rejectWithBarebones(options: TrainerOptions): void {
  const clashing = ([
    ["logger", (v: unknown) => v !== undefined && v !== false],
    ["enableCheckpointing", Boolean],
    ["enableProgressBar", Boolean],
    ["enableModelSummary", Boolean],
    ["numSanityValSteps", Boolean],
    ["logEveryNSteps", Boolean],
    ["fastDevRun", Boolean],
    ["detectAnomaly", Boolean],
    ["profiler", Boolean],
  ] as const).find(([name, clashes]) => clashes(options[name]));
  if (!clashing) return;
  throw new TypeError(
    `\`Trainer({ barebones: true, ${clashing[0]}: ${JSON.stringify(options[clashing[0]])} })\` contradicts itself: ` +
      `barebones turns \`${clashing[0]}\` off. Leave one of them out.`,
  );
}

function whole(name: string, value: number, least: number): number {
  if (!Number.isSafeInteger(value) || value < least) {
    throw new RangeError(
      `\`Trainer({ ${name} })\` must be an integer from ${least} up, but got ${JSON.stringify(value)}`,
    );
  }
  return value;
}

function endless(name: string, value: number): number {
  if (value === -1 || value === Infinity) return Infinity;
  if (!Number.isSafeInteger(value) || value < 0) {
    throw new RangeError(
      `\`Trainer({ ${name} })\` must be an integer from 0 up, or -1 for no limit, but got ${JSON.stringify(value)}`,
    );
  }
  return value;
}

function limit(name: string, value: BatchLimit | undefined): BatchLimit | undefined {
  if (value === undefined) return undefined;
  if (typeof value === "string") {
    const percent = /^(\d+(?:\.\d+)?)%$/.exec(value)?.[1];
    if (percent !== undefined && Number(percent) <= 100) return value;
  } else if (typeof value === "number" && value >= 0 && (value < 1 || Number.isInteger(value) || value === Infinity)) {
    return value;
  }
  throw new RangeError(
    `\`Trainer({ ${name} })\` must be a whole number of batches, a fraction below 1, or a percentage such as "50%", but got ${
      JSON.stringify(value)
    }`,
  );
}

function loggers(given: TrainerOptions["logger"]): boolean | readonly Logger[] {
  if (given === undefined || typeof given === "boolean") return given ?? true;
  const all = list(given as Logger | readonly Logger[]);
  for (const logger of all) {
    if (typeof logger?.logMetrics === "function") continue;
    throw new TypeError(`\`Trainer({ logger })\` takes a logger, several, true or false, but got ${typeof logger}`);
  }
  return all.length === 0 ? false : Object.freeze(all);
}

function profiler(given: TrainerOptions["profiler"]): Profiler | undefined {
  if (given === undefined || given === null) return undefined;
  if (given === "simple") return new SimpleProfiler();
  if (typeof given === "object" && typeof given.start === "function") return given;
  throw new TypeError(`\`Trainer({ profiler })\` must be "simple" or a profiler, but got ${JSON.stringify(given)}`);
}

function list<T>(given: T | readonly T[] | undefined): T[] {
  return given === undefined ? [] : Array.isArray(given) ? [...given] : [given as T];
}
