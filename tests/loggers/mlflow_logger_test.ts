import assert from "node:assert/strict";
import { forgetWarnings, routeMessages } from "../../runtime/core/messages.ts";
import { MLflowClient, MLflowError } from "../../runtime/loggers/mlflow_client.ts";
import { MLflowLogger } from "../../runtime/loggers/mlflow_logger.ts";
import { FakeMLflow } from "./fake_mlflow.ts";
import { inTemporaryFolder } from "../temporary_folder.ts";

Deno.test("a run is made with its experiment, filled in batches and ended", async () => {
  await using server = new FakeMLflow();
  const logger = new MLflowLogger({
    experimentName: "MNIST é",
    runName: "first",
    trackingUri: server.uri + "/",
    tags: { who: "me" },
  });
  assert.equal(logger.version, "first");
  assert.equal(logger.runId, undefined);
  logger.logHyperparams(Object.fromEntries(Array.from({ length: 150 }, (_, i) => [`p${i}`, i])));
  for (let step = 0; step < 1500; step++) logger.logMetrics({ loss: 1 / (step + 1) }, step);
  assert.deepEqual(server.calls, []);
  await logger.finalize("success");
  const [run] = server.runs;
  assert.equal(logger.runId, run.id);
  assert.deepEqual([run.name, run.status, run.tags, run.params.size], ["first", "FINISHED", { who: "me" }, 150]);
  assert.deepEqual(run.metrics.map(({ step }) => step), Array.from({ length: 1500 }, (_, i) => i));
  assert.deepEqual(server.calls, [
    "GET experiments/get-by-name",
    "POST experiments/create",
    "POST runs/create",
    ...Array.from({ length: 4 }, () => "POST runs/log-batch"),
    "POST runs/update",
  ]);
  const second = new MLflowLogger({ experimentName: "MNIST é", trackingUri: server.uri });
  second.logMetrics({ a: 1 });
  await second.finalize("interrupted");
  assert.equal(server.experiments.size, 1);
  assert.equal(server.runs[1].status, "KILLED");
  const again = new MLflowLogger({ runId: run.id, trackingUri: server.uri });
  again.logMetrics({ late: 1 }, 2000);
  await again.finalize("failed");
  assert.deepEqual([run.status, run.metrics.length], ["FAILED", 1501]);
});

Deno.test("a server that is busy for a moment is asked again; one that stays away keeps the values for the next save", async () => {
  let uri: string;
  {
    await using server = new FakeMLflow();
    uri = server.uri;
    const logger = new MLflowLogger({ trackingUri: uri });
    server.failing = { status: 503, times: 2 };
    logger.logMetrics({ a: 1 }, 0);
    await logger.save();
    assert.equal(server.runs[0].metrics.length, 1);
    server.failing = { status: 403, times: 1 };
    logger.logMetrics({ a: 2 }, 1);
    await assert.rejects(logger.save(), /MLflow answered 403 {2}to POST runs\/log-batch: <html>busy/);
    await logger.finalize("success");
    assert.deepEqual(server.runs[0].metrics.map(({ value }) => value), [1, 2]);
  }
  const client = new MLflowClient(uri, { retries: 1, retryDelayMs: 1 });
  await assert.rejects(client.updateRun("x", { status: "FINISHED" }), (error) => {
    assert.ok(error instanceof MLflowError);
    assert.match(error.message, /did not answer .*: is `mlflow server` running there\?/);
    return true;
  });
});

Deno.test("a parameter that changes is said by save, and the rest goes on", async () => {
  await using server = new FakeMLflow();
  const logger = new MLflowLogger({ trackingUri: server.uri });
  logger.logHyperparams({ lr: 1 });
  await logger.save();
  logger.logHyperparams({ lr: 2 });
  logger.logMetrics({ a: 1 }, 0);
  await assert.rejects(logger.save(), /400 INVALID_PARAMETER_VALUE/);
  logger.logMetrics({ a: 2 }, 1);
  await logger.finalize("success");
  assert.equal(server.runs[0].params.get("lr"), "1");
  assert.deepEqual(server.runs[0].metrics.map(({ value }) => value), [1, 2]);
});

Deno.test("names that MLflow does not take are changed and long parameters cut, each with one warning", async () => {
  forgetWarnings();
  const said: string[] = [];
  await using server = new FakeMLflow();
  {
    using _ = routeMessages((line) => said.push(line));
    const logger = new MLflowLogger({ trackingUri: server.uri });
    logger.logMetrics({ "loss%": 1, "val/acc-1.0 x:y": 2 }, 0);
    logger.logMetrics({ "loss%": 1 }, 1);
    logger.logHyperparams({ text: "x".repeat(7000) });
    await logger.finalize("success");
  }
  forgetWarnings();
  assert.deepEqual(server.runs[0].metrics.map(({ key }) => key), ["loss_", "val/acc-1.0 x:y", "loss_"]);
  assert.equal(server.runs[0].params.get("text")?.length, 6000);
  assert.equal(said.length, 2);
});

Deno.test("an address that is none is refused", () => {
  assert.throws(() => new MLflowLogger({ trackingUri: "localhost:5000" }), /begins with http:\/\/ or https:\/\//);
  assert.throws(() => new MLflowLogger({ trackingUri: "./mlruns" }), TypeError);
});

Deno.test("a real MLflow server takes a run with parameters, many values and a NaN", async (t) => {
  const python = Deno.env.get("WEFT_TEST_PYTHON") ?? "python3";
  const probe = await new Deno.Command(python, { args: ["-c", "import mlflow.server, flask"] }).output().catch(() =>
    undefined
  );
  if (!probe?.success) {
    console.log(`skipped: ${python} has no mlflow; name one that has in WEFT_TEST_PYTHON`);
    await t.step({ name: "needs a Python with mlflow", ignore: true, fn() {} });
    return;
  }
  await inTemporaryFolder(async (folder) => {
    const listener = Deno.listen({ port: 0, hostname: "127.0.0.1" });
    const { port } = listener.addr;
    listener.close();
    const server = new Deno.Command(python, {
      args: [
        "-m",
        "mlflow",
        "server",
        "--host",
        "127.0.0.1",
        "--port",
        String(port),
        "--workers",
        "1",
        "--backend-store-uri",
        `sqlite:///${folder}/mlflow.db`,
        "--artifacts-destination",
        `${folder}/artifacts`,
      ],
      cwd: folder,
      env: { MLFLOW_SERVER_ENABLE_JOB_EXECUTION: "false" },
      stdout: "null",
      stderr: "null",
      detached: true,
    }).spawn();
    let ended = false;
    server.status.then(() => ended = true);
    try {
      const uri = `http://127.0.0.1:${port}`;
      // It imports for a minute where the machine is busy.
      for (;;) {
        const health = await fetch(`${uri}/health`).then((response) => response.text()).catch(() => "");
        if (health === "OK") break;
        assert.ok(!ended, "mlflow server ended before it answered");
        await new Promise((resolve) => setTimeout(resolve, 100));
      }
      const logger = new MLflowLogger({ experimentName: "MNIST é", trackingUri: uri, tags: { who: "me" } });
      logger.logHyperparams({ lr: 1e-3, model: { hidden: [100, 10] } });
      for (let step = 0; step < 1200; step++) logger.logMetrics({ "train/loss": 1 / (step + 1) }, step);
      logger.logMetrics({ odd: NaN }, 0);
      await logger.finalize("success");
      const get = async (path: string) => await (await fetch(`${uri}/api/2.0/mlflow/${path}`)).json();
      const { run } = await get(`runs/get?run_id=${logger.runId}`);
      assert.equal(run.info.status, "FINISHED");
      assert.equal(run.info.run_name, logger.version);
      assert.deepEqual(
        Object.fromEntries(run.data.params.map((p: { key: string; value: string }) => [p.key, p.value])),
        { lr: "0.001", "model/hidden": "[100,10]" },
      );
      const { metrics } = await get(`metrics/get-history?run_id=${logger.runId}&metric_key=train/loss`);
      assert.equal(metrics.length, 1200);
      const last = metrics.find((metric: { step: number }) => metric.step === 1199);
      assert.ok(Math.abs(last.value - 1 / 1200) < 1e-12);
      assert.ok(run.data.metrics.some((metric: { key: string }) => metric.key === "odd"));
    } finally {
      if (!ended) Deno.kill(-server.pid, "SIGTERM");
      await server.status;
    }
  });
});
