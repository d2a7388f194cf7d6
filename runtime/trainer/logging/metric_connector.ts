import type { Fabric } from "../../fabric/fabric.ts";
import type { StateDict } from "../../tensor/state.ts";
import { snapshot } from "../../tensor/read.ts";
import { type StepReceiver, stepRecorder } from "../../tensor/step_recording.ts";
import { tf } from "../../tensor/tf.ts";
import { isMetric, type Loggable, type MetricLike } from "./loggable.ts";
import type { LogOptions, ReduceFx } from "./log_options.ts";
import { type AgreedMetric, MonitoredMetrics } from "./monitored_metrics.ts";
import { reduceAcrossRanks } from "./reduce_across_ranks.ts";
import { ResultCollection } from "./result_collection.ts";
import { ownStepValues, synchronised, unsynchronised } from "./step_values.ts";

/** How often values are read for the progress bar alone, in milliseconds: as often as it redraws. */
const BAR_INTERVAL_MS = 100;

/** Numbers by name. */
export type Metrics = Record<string, number>;

/** What the connector needs to know of the training. */
export interface MetricConnectorOptions {
  fabric: Fabric;
  /** The hook that is running. */
  hook: () => string | undefined;
  /** Training steps between two rows of the loggers; 0 for none. */
  logEveryNSteps: number;
  /** A progress bar is shown. */
  hasBar: boolean;
  /** Training steps taken. */
  globalStep: () => number;
  /** Ranks may train on different numbers of batches, so that one may have nothing to log in a step. */
  isUneven: () => boolean;
  /** The epoch and the step that rows are given. */
  position: () => { epoch: number; step: number };
}

/** A call of `log` in a compiled step. */
interface Logged {
  hook: string | undefined;
  name: string;
  options: LogOptions;
  /** What is no tensor. */
  value?: Loggable;
}

/**
 * Takes what is logged and passes it on: to the loggers, the progress bar and those who monitor. Values stay on the device until
 * an interval, an epoch or a reader is due; then all are read at once.
 */
export class MetricConnector implements StepReceiver {
  readonly #options: MetricConnectorOptions;
  readonly #training = new ResultCollection();
  readonly #evaluation = new ResultCollection();
  #active: ResultCollection = this.#training;
  #lastRead = -Infinity;
  /** Rows written for steps of evaluation, for their axis. */
  #evaluationSteps = 0;
  readonly #monitored = new MonitoredMetrics();
  /** What the loggers were given last. */
  logged: Metrics = {};
  /** What the progress bar shows. */
  readonly bar: Metrics = {};

  constructor(options: MetricConnectorOptions) {
    this.#options = options;
  }

  /** What callbacks monitor. */
  get callback(): Readonly<Metrics> {
    return this.#monitored.values;
  }
  /** After which training step each of these was computed. */
  get steps(): Readonly<Metrics> {
    return this.#monitored.steps;
  }
  /** What all ranks take one of these for. Collective. */
  agreed(name: string): Promise<AgreedMetric | undefined> {
    return this.#monitored.agreed(this.#options.fabric, name);
  }

  log(metrics: Readonly<Record<string, Loggable>>, options: LogOptions): void {
    const hook = this.#options.hook();
    const recorder = stepRecorder();
    for (const name in metrics) {
      const value = metrics[name];
      if (!recorder) this.#active.log(hook, name, value, options);
      else if (value instanceof tf.Tensor) recorder.outcome(this, { value }, { hook, name, options } satisfies Logged);
      else {
        if (!isMetric(value)) {
          recorder.fail(
            `logs \`${name}\` as a ${typeof value}, which would stay the same: log a tensor, or log it in a hook`,
          );
        }
        recorder.outcome(this, {}, { hook, name, options, value } satisfies Logged);
      }
    }
  }

  /** Called by a compiled step with what was logged in it. */
  receiveOutcome({ value }: Readonly<Record<string, tf.Tensor>>, note: unknown): void {
    const { hook, name, options, value: other } = note as Logged;
    this.#active.log(hook, name, value ?? other!, options);
  }

  /** Says whose batch is out. @param dataloaderIdx given if there are several loaders */
  beginBatch(batch: unknown, dataloaderIdx?: number): void {
    this.#active.beginBatch(batch, dataloaderIdx);
  }

  /** This rank has no batch in the training step at hand. What it logged is taken note of before it could pass for a value of that step. */
  async beginWithoutBatch({ isNewStep }: { isNewStep: boolean }): Promise<void> {
    this.#training.endBatches();
    if (!isNewStep) return;
    await this.readSteps();
    for (const entry of this.#training.entries) entry.isFresh = false;
  }

  endBatches(): void {
    this.#active.endBatches();
  }

  /** What is logged from now on belongs to an evaluation; what it found in training stays. */
  beginEvaluation(): void {
    this.#evaluation.reset();
    this.#active = this.#evaluation;
  }

  endEvaluation(): void {
    this.#evaluation.reset();
    this.#active = this.#training;
  }

  /** After a training batch: passes step values on if it is time. `stepped`: the batch ended a training step. */
  async afterTrainBatch(globalStep: number, stepped: boolean): Promise<void> {
    const { logEveryNSteps, hasBar } = this.#options;
    const rowDue = stepped && logEveryNSteps > 0 && globalStep % logEveryNSteps === 0;
    if (rowDue) {
      await this.readSteps();
      await this.#writeSteps(this.#training, this.#options.position().step);
    } else if (hasBar && performance.now() - this.#lastRead >= BAR_INTERVAL_MS) {
      // For the bar alone: what callbacks see must not depend on how fast the machine is.
      await this.#readForBar();
    }
  }

  /** After a batch of validation or test. `isUneven`: other ranks may have another number of them, and so cannot be met here. */
  async afterEvaluationBatch({ isUneven }: { isUneven: boolean }): Promise<void> {
    if (![...this.#evaluation.entries].some(({ options }) => options.onStep)) return;
    await this.readSteps();
    await this.#writeSteps(this.#evaluation, this.#evaluationSteps++, { alone: isUneven });
  }

  /** Reads what is on the device and updates what callbacks and the bar see. */
  async readSteps(): Promise<void> {
    await this.#readForBar();
    for (const entry of this.#active.entries) {
      if (!entry.options.onStep || !entry.isNew || entry.last === undefined) continue;
      entry.isNew = false;
      const reduceFx = entry.options.syncStep ? entry.options.reduceFx : undefined;
      this.#note(entry.label("plain", true), entry.last, reduceFx);
      this.#note(entry.label("step", true), entry.last, reduceFx);
    }
  }

  async #readForBar(): Promise<void> {
    await this.#active.read();
    this.#lastRead = performance.now();
    for (const entry of this.#active.entries) {
      const { onStep, progBar } = entry.options;
      if (onStep && progBar && entry.isNew && entry.last !== undefined) {
        this.bar[entry.label("step", true)] = entry.last;
      }
    }
  }

  /**
   * Ends an epoch: what was logged for it becomes one number each, over all ranks, in one message.
   * @returns the numbers by loader, each with those that belong to none
   */
  async endEpoch(options: { loaders: number; write: boolean }): Promise<Metrics[]> {
    const collection = this.#active;
    await collection.read();
    this.#lastRead = performance.now();
    const reduced = await reduceAcrossRanks(this.#options.fabric, collection);
    const toLoggers: Metrics = {};
    const byLoader: Metrics[] = Array.from({ length: Math.max(1, options.loaders) }, () => ({}));
    for (const metric of reduced) {
      const name = metric.entry.label("plain", true), epochName = metric.entry.label("epoch", true);
      this.#note(name, metric.value);
      this.#note(epochName, metric.value);
      if (metric.entry.options.progBar) this.bar[epochName] = metric.value;
      if (metric.entry.options.logger) toLoggers[epochName] = metric.value;
      const { dataloaderIdx } = metric.entry;
      for (const [index, record] of byLoader.entries()) {
        if (dataloaderIdx === undefined || dataloaderIdx === index) record[epochName] = metric.value;
      }
    }
    if (options.write && Object.keys(toLoggers).length > 0) await this.#write(toLoggers, this.#options.position().step);
    return byLoader;
  }

  /** Forgets what training logged, once its epoch is over. */
  resetTraining(): void {
    this.#training.reset();
  }

  /** Forgets everything. */
  resetAll(): void {
    this.#training.reset();
    this.#evaluation.reset();
    this.#active = this.#training;
    this.#monitored.clear();
    for (const name of Object.keys(this.bar)) delete this.bar[name];
    this.logged = {};
  }

  /** Metrics in progress, for a checkpoint: what was logged, and the metric objects among the fields of `module`. Reads what is pending. */
  async stateDict(module: object): Promise<StateDict> {
    await this.#training.read();
    const objects = metricsOf(module);
    const nameOf = (metric: MetricLike) => [...objects].find(([, other]) => other === metric)?.[0];
    const states = await Promise.all(
      [...objects].map(async ([name, m]) => [name, await snapshot(m.stateDict())] as const),
    );
    return {
      training: this.#training.stateDict(nameOf),
      ...this.#monitored.stateDict(),
      evaluationSteps: this.#evaluationSteps,
      objects: Object.fromEntries(states),
    };
  }

  loadStateDict(state: StateDict, module: object): void {
    const objects = metricsOf(module);
    for (const [name, saved] of Object.entries(state.objects as StateDict)) {
      objects.get(name)?.loadStateDict(saved as StateDict);
    }
    this.#training.loadStateDict(state.training as StateDict, (name) => objects.get(name));
    this.#monitored.loadStateDict(state);
    this.#evaluationSteps = state.evaluationSteps as number;
  }

  #note(name: string, value: number, reduceFx?: ReduceFx): void {
    this.#monitored.note(name, value, { step: this.#options.globalStep(), reduceFx });
  }

  async #writeSteps(collection: ResultCollection, step: number, { alone = false } = {}): Promise<void> {
    const { fabric, isUneven } = this.#options;
    const fresh = [...collection.entries].filter(({ options, isFresh }) => options.onStep && options.logger && isFresh);
    for (const entry of fresh) entry.isFresh = false;
    const mayLack = collection === this.#training && isUneven();
    const own = await ownStepValues(fresh);
    const row: Metrics = {};
    for (const { plain, label, value } of alone ? unsynchronised(own) : await synchronised(fabric, own, { mayLack })) {
      row[label] = value;
      this.#note(plain, value);
      this.#note(label, value);
    }
    if (Object.keys(row).length > 0) await this.#write(row, step);
  }

  async #write(metrics: Metrics, step: number): Promise<void> {
    const { epoch } = this.#options.position();
    this.logged = { epoch, ...metrics };
    // A metric called "step" is the axis.
    const axis = typeof metrics.step === "number" ? metrics.step : step;
    await this.#options.fabric.logDict(this.logged, axis);
  }
}

/** The metric objects among the fields of a model, by name. */
function metricsOf(module: object): Map<string, MetricLike> {
  const found = new Map<string, MetricLike>();
  for (const [name, field] of Object.entries(Object.getOwnPropertyDescriptors(module))) {
    if (isMetric(field.value)) found.set(name, field.value);
  }
  return found;
}
