/** A server that answers as MLflow does and refuses what MLflow refuses. */
export class FakeMLflow implements AsyncDisposable {
  readonly experiments = new Map<string, string>();
  readonly runs: {
    id: string;
    name: string;
    status: string;
    tags: Record<string, string>;
    params: Map<string, string>;
    metrics: { key: string; value: number | string; step: number; timestamp: number }[];
  }[] = [];
  /** `POST runs/create` and the like, in the order they came. */
  readonly calls: string[] = [];
  /** Answers this status to as many requests before serving again. */
  failing = { status: 503, times: 0 };
  readonly #server: Deno.HttpServer<Deno.NetAddr>;

  constructor() {
    this.#server = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen() {} }, (request) => this.#answer(request));
  }

  get uri(): string {
    return `http://127.0.0.1:${this.#server.addr.port}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server.shutdown();
  }

  async #answer(request: Request): Promise<Response> {
    const url = new URL(request.url);
    const path = url.pathname.replace("/api/2.0/mlflow/", "");
    this.calls.push(`${request.method} ${path}`);
    const body = request.method === "POST" ? await request.json() : undefined;
    if (this.failing.times-- > 0) return new Response("<html>busy</html>", { status: this.failing.status });
    if (request.method === "GET" && path === "experiments/get-by-name") {
      const name = url.searchParams.get("experiment_name")!;
      const id = this.experiments.get(name);
      return id ? ok({ experiment: { experiment_id: id, name } }) : refuse(404, "RESOURCE_DOES_NOT_EXIST");
    }
    if (path === "experiments/create") {
      if (this.experiments.has(body.name)) return refuse(400, "RESOURCE_ALREADY_EXISTS");
      this.experiments.set(body.name, String(this.experiments.size + 1));
      return ok({ experiment_id: this.experiments.get(body.name) });
    }
    if (path === "runs/create") {
      if (![...this.experiments.values()].includes(body.experiment_id)) return refuse(404, "RESOURCE_DOES_NOT_EXIST");
      const tags = Object.fromEntries(body.tags.map((tag: { key: string; value: string }) => [tag.key, tag.value]));
      const run = {
        id: `id${this.runs.length}`,
        name: body.run_name,
        status: "RUNNING",
        tags,
        params: new Map(),
        metrics: [],
      };
      this.runs.push(run);
      return ok({ run: { info: { run_id: run.id, run_name: run.name } } });
    }
    const run = this.runs.find(({ id }) => id === body?.run_id);
    if (!run) return refuse(404, "RESOURCE_DOES_NOT_EXIST");
    if (path === "runs/update") {
      run.status = body.status;
      return ok({ run_info: {} });
    }
    if (path !== "runs/log-batch") return refuse(404, "ENDPOINT_NOT_FOUND");
    if ((body.metrics ?? []).length > 1000 || (body.params ?? []).length > 100) {
      return refuse(400, "INVALID_PARAMETER_VALUE");
    }
    for (const { key, value } of body.params ?? []) {
      if ((run.params.get(key) ?? value) !== value) return refuse(400, "INVALID_PARAMETER_VALUE");
      run.params.set(key, value);
    }
    run.metrics.push(...body.metrics ?? []);
    return ok({});
  }
}

function ok(body: unknown): Response {
  return Response.json(body);
}

function refuse(status: number, code: string): Response {
  return Response.json({ error_code: code, message: `refused: ${code}` }, { status });
}
