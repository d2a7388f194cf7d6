import { warn } from "../core/messages.ts";
import { rejectUnknownOptions } from "../core/suggest.ts";
import { flatParams, plainParams } from "./hyperparams.ts";
import type { Logger } from "./logger.ts";
import { checkStep, namedMetrics } from "./metrics.ts";
import { type KeyValue, type Metric, MLflowClient, MLflowError } from "./mlflow_client.ts";
import { WriteBehind } from "./write_behind.ts";

/** Options of {@linkcode MLflowLogger}. */
export interface MLflowLoggerOptions {
  /** The experiment, which is made if there is none of the name. Default: "lightning_logs". */
  experimentName?: string;
  /** The run's name. Default: `run-` and the time in UTC. */
  runName?: string;
  /** Goes on with the run of this id. Default: a new run. */
  runId?: string;
  /** Where the server listens. Default: "http://127.0.0.1:5000". */
  trackingUri?: string;
  /** Tags of a new run. Default: none. */
  tags?: Readonly<Record<string, string>>;
  /** Put before every metric's name, followed by `-`. Default: "". */
  prefix?: string;
  /** Where a new experiment keeps files. Default: the server's choice. */
  artifactLocation?: string;
  /** Sent with every request, e.g. `{ Authorization: "Bearer …" }`. Default: none. */
  headers?: Readonly<Record<string, string>>;
}

type Entry = { metric: Metric } | { param: KeyValue };

/** What MLflow's servers take in one request. */
const METRICS_A_REQUEST = 1000, PARAMS_A_REQUEST = 100, PARAM_CHARACTERS = 6000;

/**
 * Logs to an MLflow server by its REST API. The experiment and the run are made when the first values are sent. Values are sent in
 * batches; no call waits for the server. While it does not answer they are kept, and `save()` and `finalize()` reject; what it refuses
 * for good (a parameter that changes its value) is dropped, and the next of them rejects with the reason. What is not sent when the process ends
 * without `finalize()` is lost, which is said.
 *
 * @example
 * ```ts ignore
 * const logger = new MLflowLogger({ experimentName: "MNIST", trackingUri: "http://127.0.0.1:5000" });
 * logger.logHyperparams({ learningRate: 1e-3 });
 * logger.logMetrics({ train_loss: 0.5 }, 0);
 * await logger.finalize("success");
 * ```
 */
export class MLflowLogger implements Logger {
  readonly name: string;
  /** The run's name; the server's id is `runId`. */
  readonly version: string;
  readonly logDir: undefined = undefined;
  readonly #options: MLflowLoggerOptions;
  readonly #client: MLflowClient;
  readonly #entries: WriteBehind<Entry>;
  #runId: string | undefined;
  #refused: MLflowError | undefined;
  #isEnded = false;
  #rows = 0;

  /** @throws TypeError for an option that is unknown, or an address that is none */
  constructor(options: MLflowLoggerOptions = {}) {
    rejectUnknownOptions("MLflowLogger", options, [
      "experimentName",
      "runName",
      "runId",
      "trackingUri",
      "tags",
      "prefix",
      "artifactLocation",
      "headers",
    ]);
    this.#options = options;
    this.name = options.experimentName ?? "lightning_logs";
    this.version = options.runName ??
      `run-${new Date().toISOString().slice(0, 19).replace("T", "-").replaceAll(":", "")}`;
    this.#runId = options.runId;
    this.#client = new MLflowClient(options.trackingUri ?? "http://127.0.0.1:5000", { headers: options.headers });
    this.#entries = new WriteBehind({ write: (entries) => this.#send(entries) });
  }

  /** The server's id of the run; undefined before the first values were sent. */
  get runId(): string | undefined {
    return this.#runId;
  }

  /** Notes metrics. Without a step they get the number of the call. */
  logMetrics(metrics: Readonly<Record<string, number>>, step?: number): void {
    checkStep(step);
    const timestamp = Date.now();
    for (const [name, value] of Object.entries(namedMetrics(metrics, this.#options.prefix ?? ""))) {
      this.#entries.add({ metric: { key: validName(name), value, timestamp, step: Math.trunc(step ?? this.#rows) } });
    }
    this.#rows++;
  }

  /** Notes parameters; nested ones are named `outer/inner`. MLflow lets none change. */
  logHyperparams(params: Readonly<Record<string, unknown>>): void {
    for (const [name, value] of Object.entries(flatParams(plainParams(params)))) {
      const text = typeof value === "string" ? value : JSON.stringify(value);
      if (text.length > PARAM_CHARACTERS) {
        warn("mlflow-long-parameter", `The parameter \`${name}\` is cut to MLflow's ${PARAM_CHARACTERS} characters.`);
      }
      this.#entries.add({ param: { key: validName(name), value: text.slice(0, PARAM_CHARACTERS) } });
    }
  }

  async save(): Promise<void> {
    await this.#entries.flush();
    this.#throwRefused();
  }

  /** Sends all and marks the run FINISHED, FAILED or KILLED. */
  async finalize(status: "success" | "failed" | "interrupted"): Promise<void> {
    await this.#entries.close();
    if (this.#runId !== undefined && !this.#isEnded) {
      const word = { success: "FINISHED", failed: "FAILED", interrupted: "KILLED" }[status];
      await this.#client.updateRun(this.#runId, { status: word, endTime: Date.now() });
      this.#isEnded = true;
    }
    this.#throwRefused();
  }

  async #send(entries: readonly Entry[]): Promise<void> {
    const runId = await this.#startedRun();
    const metrics = entries.flatMap((entry) => "metric" in entry ? [entry.metric] : []);
    const params = entries.flatMap((entry) => "param" in entry ? [entry.param] : []);
    // A batch that is sent twice, because a later one failed, changes nothing on the server.
    for (const part of parts(params, PARAMS_A_REQUEST)) await this.#sendPart(runId, { params: part });
    for (const part of parts(metrics, METRICS_A_REQUEST)) await this.#sendPart(runId, { metrics: part });
  }

  async #sendPart(runId: string, part: { metrics?: Metric[]; params?: KeyValue[] }): Promise<void> {
    try {
      await this.#client.logBatch(runId, part);
    } catch (error) {
      if (!(error instanceof MLflowError) || error.status !== 400) throw error;
      this.#refused ??= error;
    }
  }

  async #startedRun(): Promise<string> {
    if (this.#runId !== undefined) {
      if (this.#isEnded) await this.#client.updateRun(this.#runId, { status: "RUNNING" });
      this.#isEnded = false;
      return this.#runId;
    }
    const { tags = {}, artifactLocation } = this.#options;
    return this.#runId = await this.#client.createRun({
      experimentId: await this.#client.experimentId(this.name, artifactLocation),
      name: this.version,
      startTime: Date.now(),
      tags: Object.entries(tags).map(([key, value]) => ({ key, value: String(value) })),
    });
  }

  #throwRefused(): void {
    const refused = this.#refused;
    this.#refused = undefined;
    if (refused) throw refused;
  }
}

/** MLflow allows letters, digits and some signs in names; others become `_`. */
function validName(name: string): string {
  const valid = name.replace(/[^\w\-. :/]/g, "_");
  if (valid !== name) {
    warn("mlflow-name", `MLflow does not take the name \`${name}\`; it is logged as \`${valid}\`, others alike.`);
  }
  return valid;
}

function parts<T>(items: readonly T[], size: number): T[][] {
  return Array.from({ length: Math.ceil(items.length / size) }, (_, i) => items.slice(i * size, (i + 1) * size));
}
