import { hostname } from "node:os";
import { join } from "node:path";
import { rejectUnknownOptions } from "../core/suggest.ts";
import { AppendFile } from "./append_file.ts";
import { stringifyYaml } from "./deps.ts";
import { histogram } from "./histogram.ts";
import { flatParams, plainParams, type PlainValue } from "./hyperparams.ts";
import type { Logger } from "./logger.ts";
import { checkStep, namedMetrics } from "./metrics.ts";
import { RunFolder } from "./run_folder.ts";
import { encodeEvent, type EventContent, type TensorBoardEvent } from "./tensorboard_events.ts";
import { tfRecord } from "./tfrecord.ts";
import { WriteBehind } from "./write_behind.ts";

/** Options of {@linkcode TensorBoardLogger}. */
export interface TensorBoardLoggerOptions {
  /** The experiment, a folder below the root. Default: "lightning_logs". "" for none. */
  name?: string;
  /** The run: a number N is `version_N`, a string is taken as it is. Default: one more than the highest there is. */
  version?: number | string;
  /** Put before every metric's name, followed by `-`. Default: "". */
  prefix?: string;
  /** Log `hp_metric` as -1 with hyperparameters that come without metrics, which TensorBoard's HPARAMS page needs. Default: true. */
  defaultHpMetric?: boolean;
}

let files = 0;

/**
 * Logs to TensorBoard: `tensorboard --logdir rootDir` shows scalars, hyperparameters, histograms and text. The event file lies in
 * `rootDir/name/version_N`, hyperparameters also in `hparams.yaml` beside it. Scalars have the precision of float32.
 *
 * No call waits for the disk; what is unwritten when the process ends by itself or by `Deno.exit` is written then.
 *
 * @example
 * ```ts
 * const folder = await Deno.makeTempDir();
 * const logger = new TensorBoardLogger(folder, { name: "MNIST" });
 * logger.logHyperparams({ learningRate: 1e-3 });
 * logger.logMetrics({ train_loss: 0.5 }, 0);
 * logger.logHistogram("dense/kernel", new Float32Array([-1, 0, 1]), 0);
 * await logger.finalize("success");
 * await Deno.remove(folder, { recursive: true });
 * ```
 */
export class TensorBoardLogger implements Logger {
  readonly name: string;
  readonly #prefix: string;
  readonly #defaultHpMetric: boolean;
  readonly #folder: RunFolder;
  readonly #events: WriteBehind<TensorBoardEvent>;
  #file: AppendFile | undefined;
  #fileName = "";
  #params: Record<string, PlainValue> = {};
  #hasSession = false;
  #rows = 0;

  /** @throws TypeError or RangeError for an option that is unknown or impossible */
  constructor(rootDir: string, options: TensorBoardLoggerOptions = {}) {
    rejectUnknownOptions("TensorBoardLogger", options, ["name", "version", "prefix", "defaultHpMetric"]);
    this.name = options.name ?? "lightning_logs";
    this.#prefix = options.prefix ?? "";
    this.#defaultHpMetric = options.defaultHpMetric ?? true;
    this.#folder = new RunFolder(rootDir, {
      name: this.name,
      version: options.version,
      whenNotEmpty: "TensorBoard shows what is in it as one run.",
    });
    this.#events = new WriteBehind({
      write: async (events) => {
        this.#open();
        if (events.some(holdsParams)) await Deno.writeTextFile(this.#yamlPath, stringifyYaml(this.#params));
        await this.#file!.append(encode(events));
      },
      writeNow: (events) => {
        this.#open();
        if (events.some(holdsParams)) Deno.writeTextFileSync(this.#yamlPath, stringifyYaml(this.#params));
        this.#file!.appendNow(encode(events));
      },
    });
  }

  get version(): string {
    return this.#folder.version;
  }

  get logDir(): string {
    return this.#folder.path;
  }

  /** Notes scalars. Without a step they get the number of the call. */
  logMetrics(metrics: Readonly<Record<string, number>>, step?: number): void {
    checkStep(step);
    this.#add({ kind: "scalars", values: namedMetrics(metrics, this.#prefix) }, step ?? this.#rows);
    this.#rows++;
  }

  /**
   * Notes hyperparameters; later ones replace earlier ones of the same name. Nested ones are named `outer/inner`.
   * @param metrics what the HPARAMS page compares runs by; logged as scalars at step 0. Default: `hp_metric`, see the options
   */
  logHyperparams(params: Readonly<Record<string, unknown>>, metrics?: Readonly<Record<string, number>>): void {
    const scalars = metrics ?? (this.#defaultHpMetric ? { hp_metric: -1 } : {});
    const names = Object.keys(scalars);
    this.#params = { ...this.#params, ...plainParams(params) };
    const flat = flatParams(this.#params);
    if (names.length > 0) this.#add({ kind: "scalars", values: namedMetrics(scalars, "") }, 0);
    this.#add({ kind: "experiment", params: flat, metrics: names }, 0);
    this.#add({ kind: "sessionStart", params: flat }, 0);
    this.#hasSession = true;
  }

  /** Notes how values are distributed; those that are not finite are left out. The values are counted before this returns. */
  logHistogram(tag: string, values: ArrayLike<number>, step?: number): void {
    checkStep(step);
    this.#add({ kind: "histogram", tag, histogram: histogram(values) }, step ?? 0);
  }

  /** Notes a text, which TensorBoard shows as Markdown. */
  logText(tag: string, text: string, step?: number): void {
    checkStep(step);
    this.#add({ kind: "text", tag, text: String(text) }, step ?? 0);
  }

  save(): Promise<void> {
    return this.#tell(this.#events.flush());
  }

  finalize(status: "success" | "failed" | "interrupted"): Promise<void> {
    if (this.#hasSession) this.#add({ kind: "sessionEnd", status }, 0);
    this.#hasSession = false;
    return this.#tell(this.#events.close());
  }

  #add(content: EventContent, step: number): void {
    const wallTime = Date.now() / 1000;
    if (this.#fileName === "") {
      this.#fileName = `events.out.tfevents.${Math.floor(wallTime)}.${hostname()}.${Deno.pid}.${files++}`;
      this.#events.add({ wallTime, step: 0, content: { kind: "version" } });
    }
    this.#events.add({ wallTime, step: Math.trunc(step), content });
  }

  get #yamlPath(): string {
    return join(this.logDir, "hparams.yaml");
  }

  #open(): void {
    this.#folder.claim();
    this.#file ??= new AppendFile(join(this.logDir, this.#fileName));
  }

  async #tell(written: Promise<void>): Promise<void> {
    try {
      await written;
    } catch (cause) {
      throw new Error(
        `Could not write the logs to ${this.logDir} (${
          (cause as Error).message
        }). The events are kept and tried again with ` +
          `the next save: free space there or give this process the right to write`,
        { cause },
      );
    }
  }
}

function holdsParams({ content }: TensorBoardEvent): boolean {
  return content.kind === "sessionStart";
}

function encode(events: readonly TensorBoardEvent[]): Uint8Array {
  const records = events.map((event) => tfRecord(encodeEvent(event)));
  const whole = new Uint8Array(records.reduce((sum, record) => sum + record.length, 0));
  let at = 0;
  for (const record of records) {
    whole.set(record, at);
    at += record.length;
  }
  return whole;
}
