/** An answer of an MLflow server that is no success. */
export class MLflowError extends Error {
  override readonly name = "MLflowError";
  /** HTTP status; 0 if no answer came. */
  readonly status: number;
  /** MLflow's own code, e.g. RESOURCE_DOES_NOT_EXIST; "" if there is none. */
  readonly code: string;
  constructor(message: string, facts: { status: number; code: string }, options?: ErrorOptions) {
    super(message, options);
    this.status = facts.status;
    this.code = facts.code;
  }
}

/** Options of {@linkcode MLflowClient}. */
export interface MLflowClientOptions {
  /** Sent with every request, e.g. `{ Authorization: "Bearer …" }`. Default: none. */
  headers?: Readonly<Record<string, string>>;
  /** Milliseconds that an answer may take. Default: 10000. */
  timeoutMs?: number;
  /** Further tries after no answer, 429 or a server's error. Default: 2. */
  retries?: number;
  /** Milliseconds before the first further try; doubles each time. Default: 250. */
  retryDelayMs?: number;
}

/** The part of MLflow's REST API (https://mlflow.org/docs/latest/rest-api.html) that logging needs. */
export class MLflowClient {
  readonly #base: string;
  readonly #headers: Readonly<Record<string, string>>;
  readonly #timeoutMs: number;
  readonly #retries: number;
  readonly #retryDelayMs: number;

  /** @throws TypeError if the address is none of http or https */
  constructor(trackingUri: string, options: MLflowClientOptions = {}) {
    if (!/^https?:$/.test(URL.parse(trackingUri)?.protocol ?? "")) {
      throw new TypeError(
        `An MLflow tracking URI begins with http:// or https://, but got ${
          JSON.stringify(trackingUri)
        }: start a server with ` +
          `\`mlflow server\` and give its address`,
      );
    }
    this.#base = `${trackingUri.replace(/\/+$/, "")}/api/2.0/mlflow/`;
    this.#headers = options.headers ?? {};
    this.#timeoutMs = options.timeoutMs ?? 10_000;
    this.#retries = options.retries ?? 2;
    this.#retryDelayMs = options.retryDelayMs ?? 250;
  }

  /** The id of an experiment, which is made if there is none of the name. */
  async experimentId(name: string, artifactLocation?: string): Promise<string> {
    const query = `experiments/get-by-name?experiment_name=${encodeURIComponent(name)}`;
    const find = async () => (await this.#call("GET", query)).experiment.experiment_id as string;
    try {
      return await find();
    } catch (error) {
      if (!(error instanceof MLflowError) || error.code !== "RESOURCE_DOES_NOT_EXIST") throw error;
    }
    try {
      const body = { name, artifact_location: artifactLocation };
      return (await this.#call("POST", "experiments/create", body)).experiment_id as string;
    } catch (error) {
      if (!(error instanceof MLflowError) || error.code !== "RESOURCE_ALREADY_EXISTS") throw error;
      return await find(); // another run was quicker
    }
  }

  /** Starts a run and gives its id. */
  async createRun(run: {
    experimentId: string;
    name: string;
    startTime: number;
    tags: readonly KeyValue[];
  }): Promise<string> {
    const body = { experiment_id: run.experimentId, run_name: run.name, start_time: run.startTime, tags: run.tags };
    return (await this.#call("POST", "runs/create", body)).run.info.run_id;
  }

  async logBatch(runId: string, batch: { metrics?: readonly Metric[]; params?: readonly KeyValue[] }): Promise<void> {
    const metrics = batch.metrics?.map((m) => ({ ...m, value: Number.isFinite(m.value) ? m.value : String(m.value) }));
    await this.#call("POST", "runs/log-batch", { run_id: runId, metrics, params: batch.params });
  }

  async updateRun(runId: string, update: { status: string; endTime?: number }): Promise<void> {
    await this.#call("POST", "runs/update", { run_id: runId, status: update.status, end_time: update.endTime });
  }

  // deno-lint-ignore no-explicit-any -- the server's JSON, of which each caller reads what the API promises
  async #call(method: "GET" | "POST", path: string, body?: unknown): Promise<any> {
    for (let attempt = 0;; attempt++) {
      try {
        return await this.#callOnce(method, path, body);
      } catch (error) {
        const { status } = error as MLflowError;
        const mayPass = status === 0 || status === 429 || status >= 500;
        if (!mayPass || attempt >= this.#retries) throw error;
        await new Promise((resolve) => setTimeout(resolve, this.#retryDelayMs * 2 ** attempt));
      }
    }
  }

  async #callOnce(method: "GET" | "POST", path: string, body: unknown): Promise<unknown> {
    let response: Response, text: string;
    try {
      response = await fetch(this.#base + path, {
        method,
        headers: { ...this.#headers, ...(body === undefined ? {} : { "Content-Type": "application/json" }) },
        body: body === undefined ? undefined : JSON.stringify(body),
        signal: AbortSignal.timeout(this.#timeoutMs),
      });
      text = await response.text();
    } catch (cause) {
      throw new MLflowError(
        `MLflow at ${this.#base} did not answer (${(cause as Error).message}): is \`mlflow server\` running there?`,
        { status: 0, code: "" },
        { cause },
      );
    }
    const answer = parse(text);
    if (response.ok && answer) return answer;
    const { error_code: code = "", message = text.slice(0, 200) } = answer ?? {};
    throw new MLflowError(
      `MLflow answered ${response.status} ${code} to ${method} ${path.split("?")[0]}: ${message}`,
      { status: response.status, code: String(code) },
    );
  }
}

/** A parameter or a tag. */
export interface KeyValue {
  readonly key: string;
  readonly value: string;
}

/** One value of a metric; the time is milliseconds since 1970. */
export interface Metric {
  readonly key: string;
  readonly value: number;
  readonly timestamp: number;
  readonly step: number;
}

function parse(text: string): Record<string, unknown> | undefined {
  try {
    const json = JSON.parse(text);
    return typeof json === "object" && json !== null ? json : undefined;
  } catch {
    return undefined;
  }
}
