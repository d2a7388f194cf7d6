import assert from "node:assert/strict";
import { type Batch, Line, planeLoader, quietTrainer } from "./support/line.ts";
import { Rows } from "./support/rows.ts";
import { tf } from "../../mod.ts";
import { routeMessages } from "../../runtime/core/messages.ts";
import { Accuracy } from "../../runtime/metrics/metrics.ts";
import { Callback } from "../../runtime/trainer/callback.ts";
import { LambdaCallback } from "../../runtime/trainer/callbacks/lambda_callback.ts";
import type { LightningModule } from "../../runtime/trainer/lightning_module.ts";
import type { Trainer } from "../../runtime/trainer/trainer.ts";
import type { TrainerOptions } from "../../runtime/trainer/trainer_options.ts";

interface Logged {
  rows: Record<string, number>[];
  metrics: Readonly<Record<string, number>>;
  bar: Readonly<Record<string, number>>;
}

/** Fits and gives what reached the loggers, those who monitor, and the bar. */
async function fit(
  model: LightningModule,
  options: TrainerOptions = {},
  val: unknown = planeLoader(),
): Promise<Logged> {
  using _ = routeMessages(() => {});
  const logger = new Rows();
  const trainer = quietTrainer({ maxEpochs: 1, logEveryNSteps: 1, logger, ...options });
  await trainer.fit(model, planeLoader(), val as ReturnType<typeof planeLoader>);
  await trainer.close();
  return { rows: logger.rows, metrics: { ...trainer.callbackMetrics }, bar: { ...trainer.progressBarMetrics } };
}

Deno.test("what `log` is told decides where a value goes and under which name", async () => {
  class Model extends Line {
    override trainingStep(batch: Batch) {
      const loss = this.lossOf(batch);
      this.log("default", loss);
      this.log("l_e", loss, { onStep: false, onEpoch: true });
      this.log("l_s", loss, { onStep: true, onEpoch: false });
      this.log("l_se", loss, { onStep: true, onEpoch: true });
      this.log("p_e", loss, { onStep: false, onEpoch: true, progBar: true, logger: false });
      this.log("p_s", loss, { onStep: true, onEpoch: false, progBar: true, logger: false });
      this.log("p_se", loss, { onStep: true, onEpoch: true, progBar: true, logger: false });
      return loss;
    }
  }
  const { rows, metrics, bar } = await fit(new Model(), { limitValBatches: 0 });
  const logged = new Set(rows.flatMap((row) => Object.keys(row)).filter((name) => !["epoch", "step"].includes(name)));
  assert.deepEqual([...logged].sort(), ["default", "l_e", "l_s", "l_se_epoch", "l_se_step"]);
  assert.deepEqual(Object.keys(bar).sort(), ["p_e", "p_s", "p_se_epoch", "p_se_step"]);
  assert.deepEqual(
    Object.keys(metrics).sort(),
    ["default", "l_e", "l_s", "l_se", "l_se_epoch", "l_se_step", "p_e", "p_s", "p_se", "p_se_epoch", "p_se_step"],
  );
});

Deno.test("rows of steps carry their step, rows of an epoch that of its last", async () => {
  let step = 0;
  class Model extends Line {
    override trainingStep(batch: Batch) {
      this.log("foo", step++, { onStep: true, onEpoch: true });
      return this.lossOf(batch);
    }
  }
  const { rows } = await fit(new Model(), { maxEpochs: 2, limitTrainBatches: 2, limitValBatches: 0 });
  const seen = rows.map(({ step, epoch, foo_step, foo_epoch }) =>
    foo_step === undefined ? { step, epoch, foo_epoch } : { step, epoch, foo_step }
  );
  assert.deepEqual(seen, [
    { step: 0, epoch: 0, foo_step: 0 },
    { step: 1, epoch: 0, foo_step: 1 },
    { step: 1, epoch: 0, foo_epoch: 0.5 },
    { step: 2, epoch: 1, foo_step: 2 },
    { step: 3, epoch: 1, foo_step: 3 },
    { step: 3, epoch: 1, foo_epoch: 2.5 },
  ]);
});

Deno.test("`logEveryNSteps` writes after the steps n, 2n, …", async () => {
  const { rows } = await fit(new Line(), { maxEpochs: 3, logEveryNSteps: 5, limitValBatches: 0 });
  assert.deepEqual(rows.map(({ step }) => step), [4, 9]);
});

Deno.test("the mean of an epoch is weighted by the samples of each batch", async () => {
  class Model extends Line {
    override validationStep([x]: Batch, index: number) {
      this.log("mean", index);
      this.log("sum", index, { reduceFx: "sum" });
      this.log("min", tf.scalar(index - 5), { reduceFx: "min" });
      this.log("max", index * 2, { reduceFx: "max" });
      this.log("own", index, { batchSize: 1 });
      return x.shape;
    }
  }
  // Batches of 4, 4 and 2.
  const { metrics } = await fit(new Model(), {}, planeLoader({ samples: 10 }));
  const { mean, sum, min, max, own } = metrics;
  assert.deepEqual({ mean, sum, min, max, own }, { mean: (4 + 2 * 2) / 10, sum: 3, min: -5, max: 4, own: 1 });
});

Deno.test("metric objects are computed at the end of the epoch and start anew in the next", async () => {
  class Model extends Line {
    readonly accuracy = new Accuracy({ task: "multiclass", numClasses: 2 });
    override validationStep(_batch: Batch, index: number) {
      const right = this.currentEpoch === 0 ? index === 0 : true;
      this.accuracy.update(tf.tensor2d([[1, 0], [1, 0]]), tf.tensor1d(right ? [0, 0] : [0, 1], "int32"));
      this.log("acc", this.accuracy);
    }
  }
  const { rows } = await fit(new Model(), { maxEpochs: 2, limitValBatches: 2 });
  assert.deepEqual(rows.filter((row) => "acc" in row).map(({ acc }) => acc), [0.75, 1]);
});

Deno.test("several loaders get names of their own, and each its record", async () => {
  using _ = routeMessages(() => {});
  class Model extends Line {
    override validationStep(_batch: Batch, _index: number, loader: number) {
      this.log("foo", loader + 1);
      this.log("bare", loader, { addDataloaderIdx: false });
      return undefined;
    }
    override onValidationEpochEnd() {
      this.log("foobar", 3);
    }
  }
  const trainer = quietTrainer();
  const results = await trainer.validate(new Model(), [planeLoader(), planeLoader()]);
  await trainer.close();
  assert.deepEqual(results, [
    { "foo/dataloader_idx_0": 1, bare: 0, foobar: 3 },
    { "foo/dataloader_idx_1": 2, bare: 1, foobar: 3 },
  ]);
});

Deno.test("what the sanity check logged is gone when the training begins", async () => {
  const seen: string[][] = [];
  class Look extends Callback {
    override onTrainStart(trainer: { callbackMetrics: object }) {
      seen.push(Object.keys(trainer.callbackMetrics));
    }
  }
  const { rows } = await fit(new Line(), { callbacks: new Look() as Callback });
  assert.deepEqual(seen, [[]]);
  assert.equal(rows.filter((row) => "val_loss" in row).length, 1);
});

Deno.test("values stay on the device until an interval is over", async () => {
  using _ = routeMessages(() => {});
  const counts = { data: 0, dataSync: 0 };
  const { data, dataSync } = tf.Tensor.prototype;
  tf.Tensor.prototype.data = function (this: tf.Tensor, ...args) {
    counts.data++;
    return data.apply(this, args) as ReturnType<typeof data>;
  } as typeof data;
  tf.Tensor.prototype.dataSync = function (this: tf.Tensor, ...args) {
    counts.dataSync++;
    return dataSync.apply(this, args) as ReturnType<typeof dataSync>;
  } as typeof dataSync;
  const at: Record<string, number>[] = [];
  class Watch extends Callback {
    override onTrainBatchStart() {
      at.push({ ...counts });
    }
  }
  try {
    const trainer = quietTrainer({ maxEpochs: 1, logEveryNSteps: 4, callbacks: new Watch() });
    await trainer.fit(new Line(), planeLoader({ samples: 24 }));
    await trainer.close();
  } finally {
    tf.Tensor.prototype.data = data;
    tf.Tensor.prototype.dataSync = dataSync;
  }
  // Batches 0 to 5: the first interval ends after batch 3, and of a value of the step only the newest is of use.
  assert.deepEqual(at.map(({ data }) => data - at[0].data), [0, 0, 0, 0, 1, 1]);
  assert.deepEqual(at.map(({ dataSync }) => dataSync - at[0].dataSync), [0, 0, 0, 0, 0, 0]);
});

Deno.test("a run leaves no tensors behind but the model's", async () => {
  using _ = routeMessages(() => {});
  const model = new Line();
  const warmUp = quietTrainer({ maxEpochs: 1 });
  await warmUp.fit(model, planeLoader(), planeLoader());
  const before = tf.memory().numTensors;
  const trainer = quietTrainer({ maxEpochs: 3, logEveryNSteps: 3, accumulateGradBatches: 2 });
  await trainer.fit(model, planeLoader(), planeLoader());
  await trainer.validate(model, planeLoader());
  tf.dispose(await trainer.predict(model, planeLoader()) as tf.Tensor[]);
  // The gradients of the last step stay until they are asked to go.
  const gradients = model.parameters().length;
  assert.ok(tf.memory().numTensors - before <= gradients, `${tf.memory().numTensors - before} tensors more`);
});

Deno.test("`log` says what is wrong with what it is given, and where it means nothing", async () => {
  const failing: [string, (model: LightningModule) => void, RegExp][] = [
    [
      "a string",
      (m) => m.log("foo", "bar" as unknown as number),
      /`this\.log\(foo, bar\)` was called, but `string` values cannot be logged/,
    ],
    ["null", (m) => m.log("foo", null as unknown as number), /null values cannot be logged/],
    ["a vector", (m) => m.log("foo", tf.ones([3])), /must have a single element and has shape \[3\].*value\.mean\(\)/s],
    ["nothing to log", (m) => m.log("foo", 1, { onStep: false, onEpoch: false }), /is not useful/],
    [
      "a reduction",
      (m) => m.log("foo", 1, { reduceFx: "median" as "mean" }),
      /"mean", "min", "max" and "sum".*Found: median/s,
    ],
    [
      "a misspelt option",
      (m) => m.log("foo", 1, { progbar: true } as object),
      /no option `progbar`; did you mean `progBar`\?/,
    ],
    ["two meanings", (m) => {
      m.log("foo", 1, { onEpoch: true });
      m.log("foo", 1, { onEpoch: false, onStep: true });
    }, /`this\.log\("foo", …\)` twice in `trainingStep` with different arguments/],
    ["no name", (m) => m.log("", 1), /needs a name/],
  ];
  for (const [what, log, message] of failing) {
    class Model extends Line {
      override trainingStep(batch: Batch) {
        log(this);
        return this.lossOf(batch);
      }
    }
    await assert.rejects(fit(new Model(), { limitValBatches: 0 }), message, what);
  }
  for (const hook of ["onFitStart", "onTrainEnd", "onValidationEnd", "setup"] as const) {
    class Model extends Line {}
    Object.defineProperty(Model.prototype, hook, {
      value(this: LightningModule) {
        this.log("foo", 1);
      },
    });
    await assert.rejects(fit(new Model()), new RegExp(`You can't .this\\.log\\(\\). inside .${hook}.`));
  }
  class OnStep extends Line {
    override onTrainEpochStart() {
      this.log("foo", 1, { onStep: true });
    }
  }
  await assert.rejects(fit(new OnStep()), /can only log on epoch level/);
});

Deno.test("a value logged before the first batch counts once", async () => {
  class Model extends Line {
    override onTrainStart() {
      this.log("start", 7);
    }
  }
  const { rows } = await fit(new Model(), { limitTrainBatches: 1, limitValBatches: 0 });
  assert.deepEqual(rows.filter((row) => "start" in row).map(({ step, start }) => ({ step, start })), [{
    step: 0,
    start: 7,
  }]);
});

Deno.test("hooks see the values of the last step, however fast the epoch was and whether there is a bar", async () => {
  for (const enableProgressBar of [false, true]) {
    const seen: string[] = [];
    const see = (at: string) => (trainer: Trainer) => {
      if (!trainer.sanityChecking) seen.push(`${at} ${trainer.metricSteps.loss} ${trainer.callbackMetrics.loss}`);
    };
    class Model extends Line {
      override trainingStep(batch: Batch, batchIdx: number) {
        const loss = this.lossOf(batch);
        // A tensor: it is read when something is due.
        this.log("loss", tf.scalar(batchIdx), { progBar: true });
        return loss;
      }
    }
    const callback = new LambdaCallback({
      onTrainBatchEnd: see("batch"),
      onValidationEnd: see("validation"),
      onTrainEpochEnd: see("epoch"),
    });
    await fit(new Model(), { enableProgressBar, logEveryNSteps: 50, valCheckInterval: 2, callbacks: [callback] });
    assert.deepEqual(seen, [
      // Within the interval nothing is read for callbacks.
      "batch undefined undefined",
      "batch undefined undefined",
      "validation 2 1",
      "batch 2 1",
      "batch 2 1",
      "validation 4 3",
      "epoch 4 3",
    ]);
  }
});
