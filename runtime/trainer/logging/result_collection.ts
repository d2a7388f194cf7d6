import { rejectUnknownOptions } from "../../core/suggest.ts";
import { hold } from "../../tensor/scope.ts";
import type { StateDict } from "../../tensor/state.ts";
import { noGrad } from "../../tensor/tape.ts";
import { tf } from "../../tensor/tf.ts";
import { batchSizeOf } from "./batch_size.ts";
import { isMetric, type Loggable, type MetricLike } from "./loggable.ts";
import { LOG_OPTIONS, type LogOptions } from "./log_options.ts";
import { logRule } from "./log_rules.ts";
import { LoggedMetric, type ResolvedLogOptions } from "./logged_metric.ts";
import { readScalars } from "./read_scalars.ts";

/** What was logged since the last reset, in training or in evaluation. */
export class ResultCollection {
  readonly #entries = new Map<string, LoggedMetric>();
  #batch: unknown;
  #batchSize: number | undefined;
  #dataloaderIdx: number | undefined;
  /** Batches since the last reset. A rank without any has nothing to log. */
  batches = 0;

  get entries(): Iterable<LoggedMetric> {
    return this.#entries.values();
  }

  /** The batch whose size is the weight of what is logged from now on. */
  beginBatch(batch: unknown, dataloaderIdx?: number): void {
    this.#batch = batch;
    this.#batchSize = undefined;
    this.#dataloaderIdx = dataloaderIdx;
    this.batches++;
  }

  /** No batch is out: what is logged now belongs to the epoch. */
  endBatches(): void {
    this.#batch = undefined;
    this.#batchSize = undefined;
    this.#dataloaderIdx = undefined;
  }

  log(hook: string | undefined, name: string, value: Loggable, options: LogOptions): void {
    const entry = this.#entry(hook, name, options);
    if (isMetric(value)) {
      entry.metric = value;
      entry.isFresh = true;
      return;
    }
    const weight = entry.options.onEpoch ? options.batchSize ?? this.#inferredSize() : 1;
    if (typeof value === "number") entry.push(value, weight);
    else if (typeof value === "boolean") entry.push(value ? 1 : 0, weight);
    else if (value instanceof tf.Tensor) {
      if (value.size !== 1) {
        throw new TypeError(
          `\`this.log(${name}, tensor)\` was called, but the tensor must have a single element and has shape [${value.shape}]. ` +
            `You can try doing \`this.log("${name}", value.mean())\``,
        );
      }
      // A variable goes on changing.
      entry.push(hold(value instanceof tf.Variable ? noGrad(() => value.clone()) : value), weight);
    } else {
      throw new TypeError(
        `\`this.log(${name}, ${String(value)})\` was called, but ${
          value === null ? "null" : `\`${typeof value}\``
        } values cannot be logged: give a number, a tensor with one element or a metric`,
      );
    }
  }

  /** Reads what is still on the device, without blocking it. */
  async read(): Promise<void> {
    const tensors: tf.Tensor[] = [];
    const waiting = [...this.#entries.values()].filter(({ pending }) => pending.length > 0);
    for (const { pending } of waiting) {
      for (const { value } of pending) if (typeof value !== "number") tensors.push(value);
    }
    const values = await readScalars(tensors);
    let next = 0;
    for (const entry of waiting) {
      entry.fold(entry.pending.map(({ value }) => typeof value === "number" ? value : values[next++]));
    }
  }

  /** Forgets everything, and resets metric objects whose epoch this was. */
  reset(): void {
    for (const entry of this.#entries.values()) {
      entry.dropPending();
      if (entry.options.onEpoch) entry.metric?.reset();
    }
    this.#entries.clear();
    this.batches = 0;
    this.endBatches();
  }

  /** Everything pending must have been read. Metric objects are named by `nameOf`. */
  stateDict(nameOf: (metric: MetricLike) => string | undefined): StateDict {
    const entries = [...this.#entries.values()].map((entry) => ({
      ...entry.stateDict(),
      metric: entry.metric ? nameOf(entry.metric) ?? null : null,
    }));
    return { batches: this.batches, entries };
  }

  loadStateDict(state: StateDict, metricOf: (name: string) => MetricLike | undefined): void {
    for (const entry of this.#entries.values()) entry.dropPending();
    this.#entries.clear();
    this.batches = state.batches as number;
    for (const saved of state.entries as StateDict[]) {
      const identity = {
        name: saved.name as string,
        hook: saved.hook as string,
        dataloaderIdx: saved.dataloaderIdx === null ? undefined : saved.dataloaderIdx as number,
      };
      const entry = new LoggedMetric(identity, saved.options as unknown as ResolvedLogOptions);
      entry.loadStateDict(saved);
      if (typeof saved.metric === "string") entry.metric = metricOf(saved.metric);
      this.#entries.set(keyOf(identity), entry);
    }
  }

  #inferredSize(): number {
    if (this.#batch === undefined) return 1;
    return this.#batchSize ??= batchSizeOf(this.#batch);
  }

  #entry(hook: string | undefined, name: string, options: LogOptions): LoggedMetric {
    const key = keyOf({ name, hook: hook!, dataloaderIdx: this.#dataloaderIdx });
    const known = this.#entries.get(key);
    if (known && matches(known.options, options)) return known;
    const resolved = resolve(hook, name, options);
    if (known) {
      throw new Error(
        `You called \`this.log("${name}", …)\` twice in \`${hook}\` with different arguments. This is not allowed: ` +
          "give the second another name",
      );
    }
    const entry = new LoggedMetric({ name, hook: hook!, dataloaderIdx: this.#dataloaderIdx }, resolved);
    this.#entries.set(key, entry);
    return entry;
  }
}

function keyOf({ name, hook, dataloaderIdx }: { name: string; hook: string; dataloaderIdx?: number }): string {
  return `${hook}.${name}${dataloaderIdx === undefined ? "" : `.${dataloaderIdx}`}`;
}

function matches(known: ResolvedLogOptions, given: LogOptions): boolean {
  for (const key in given) {
    const name = key as keyof LogOptions;
    if (name === "batchSize" || name === "syncDist") continue;
    if (given[name] !== undefined && given[name] !== known[name]) return false;
  }
  return true;
}

function resolve(hook: string | undefined, name: string, options: LogOptions): ResolvedLogOptions {
  const rule = logRule(hook);
  rejectUnknownOptions("log", options, LOG_OPTIONS);
  if (typeof name !== "string" || name === "") {
    throw new TypeError(`\`this.log\` needs a name, but got ${JSON.stringify(name)}`);
  }
  const onStep = options.onStep ?? rule.onStep, onEpoch = options.onEpoch ?? rule.onEpoch;
  if (rule.epochOnly && onStep) {
    throw new Error(
      `You can't \`this.log("${name}", …, { onStep: true })\` inside \`${hook}\`: it can only log on epoch level`,
    );
  }
  if (!onStep && !onEpoch) {
    throw new Error(`\`this.log("${name}", …, { onStep: false, onEpoch: false })\` is not useful`);
  }
  const reduceFx = options.reduceFx ?? "mean";
  if (!["mean", "min", "max", "sum"].includes(reduceFx)) {
    throw new TypeError(
      'Only `this.log(…, { reduceFx })` of "mean", "min", "max" and "sum" is supported. ' +
        `If you need a custom reduction, log a metric object instead. Found: ${String(reduceFx)}`,
    );
  }
  return Object.freeze({
    onStep,
    onEpoch,
    reduceFx,
    progBar: options.progBar ?? false,
    logger: options.logger ?? true,
    syncStep: options.syncDist ?? false,
    syncEpoch: options.syncDist ?? true,
    rankZeroOnly: options.rankZeroOnly ?? false,
    addDataloaderIdx: options.addDataloaderIdx ?? true,
  });
}
