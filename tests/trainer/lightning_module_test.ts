import assert from "node:assert/strict";
import { type Batch, Line, planeLoader, quietTrainer } from "./support/line.ts";
import { Rows } from "./support/rows.ts";
import { Fabric, tf } from "../../mod.ts";
import { forgetWarnings, routeMessages } from "../../runtime/core/messages.ts";
import { LightningDataModule } from "../../runtime/trainer/lightning_data_module.ts";
import { LightningModule } from "../../runtime/trainer/lightning_module.ts";

Deno.test("the same class trains in a loop of one's own with Fabric, and `log` goes to its loggers", async () => {
  const logger = new Rows();
  const fabric = new Fabric({ accelerator: "cpu", loggers: logger });
  await fabric.launch();
  const model = new Line();
  model.fabric = fabric;
  const [wrapped, optimizer] = await fabric.setup(model, model.configureOptimizers() as tf.Optimizer);
  let last = Infinity;
  for (let epoch = 0; epoch < 3; epoch++) {
    let index = 0, sum = 0;
    for await (const batch of planeLoader()) {
      optimizer.zeroGrad();
      const loss = wrapped.trainingStep(batch, index++) as tf.Tensor;
      await fabric.backward(loss);
      optimizer.step();
      sum += (await loss.data())[0];
    }
    assert.ok(sum < last);
    last = sum;
  }
  assert.equal(model.device.type, "cpu");
  await fabric.close();
  assert.equal(logger.rows.filter((row) => "train_loss" in row).length, 12);
  assert.deepEqual([model.currentEpoch, model.globalStep], [0, 0]);
});

Deno.test("without a Trainer or Fabric `log` is silent, and what needs one says so", () => {
  const model = new Line();
  model.log("x", 1);
  assert.throws(() => model.trainer, /`Line` is not attached to a `Trainer`.*`trainer\.fit\(model\)`/);
  assert.throws(() => model.optimizers(), /`Line\.optimizers` needs the `Trainer`/);
  assert.throws(() => model.device, /has no device before/);
  assert.throws(() => new LightningModule().hparams, /has no hyperparameters: call `this\.saveHyperparameters/);
});

Deno.test("hyperparameters are kept as they were, may change, and reach the loggers", async () => {
  using _ = routeMessages(() => {});
  class Model extends Line {
    constructor(hparams: { width: number; layers: number[]; secret: string }) {
      super();
      this.saveHyperparameters(hparams, { ignore: "secret" });
    }
  }
  const given = { width: 3, layers: [1, 2], secret: "x" };
  const model = new Model(given);
  given.layers.push(3);
  model.hparams.width = 4;
  assert.deepEqual([model.hparams, model.hparamsInitial], [{ width: 4, layers: [1, 2] }, { width: 3, layers: [1, 2] }]);
  assert.ok(Object.isFrozen(model.hparamsInitial) && Object.isFrozen(model.hparamsInitial.layers));

  class Data extends LightningDataModule<{ batchSize: number; width?: number }> {
    constructor(hparams: { batchSize: number; width?: number }) {
      super();
      this.saveHyperparameters(hparams);
    }
    override trainDataloader() {
      return planeLoader({ batchSize: this.hparams.batchSize });
    }
  }
  const logger = new Rows();
  const trainer = quietTrainer({ maxSteps: 1, logger });
  await trainer.fit(model, { datamodule: new Data({ batchSize: 8 }) });
  assert.deepEqual(logger.params, { batchSize: 8, width: 4, layers: [1, 2] });
  await assert.rejects(
    quietTrainer({ maxSteps: 1, logger }).fit(model, { datamodule: new Data({ batchSize: 8, width: 9 }) }),
    /the keys width are present in both the LightningModule's and LightningDataModule's hparams/,
  );
  await trainer.close();
});

Deno.test("hyperparameters that cannot be saved are named", () => {
  forgetWarnings();
  const lines: string[] = [];
  using _ = routeMessages((line) => lines.push(line));
  class Model extends LightningModule {
    constructor(hparams: object) {
      super();
      this.saveHyperparameters(hparams);
    }
  }
  const model = new Model({ net: new Line(), act: () => 1, width: 2 });
  assert.deepEqual(Object.keys(model.hparams), ["width"]);
  assert.match(lines[0], /The hyperparameter `net` is a model.*ignore: \["net"\]/);
  assert.match(lines[1], /The hyperparameter `act` cannot be saved \(function\)/);
  assert.equal(typeof model.hparams.act, "function");
  assert.throws(() => new Model(3 as unknown as object), /takes a record such as \{ hidden: 100 \}, but got number 3/);
  assert.throws(() => new Model([1]), /but got an array/);
  forgetWarnings();
});

Deno.test("batches go through the transfer hooks of the data module, else of the model", async () => {
  using _ = routeMessages(() => {});
  const seen: string[] = [];
  class Model extends Line {
    override onAfterBatchTransfer(batch: Batch) {
      seen.push("model");
      return batch;
    }
    override trainingStep(batch: Batch) {
      assert.deepEqual(batch[0].shape, [2, 2]);
      return this.lossOf(batch);
    }
  }
  class Data extends LightningDataModule {
    override trainDataloader() {
      return [[1, 2, 3, 4]];
    }
    override transferBatchToDevice(numbers: number[]) {
      seen.push("data");
      return [tf.tensor2d(numbers, [2, 2]), tf.tensor2d([[1], [2]])];
    }
  }
  const trainer = quietTrainer({ maxEpochs: 1 });
  await trainer.fit(new Model(), { datamodule: new Data() });
  assert.deepEqual(seen, ["data", "model"]);
  await assert.rejects(
    trainer.validate(new Model(), { datamodule: new Data(), dataloaders: planeLoader() }),
    /both loaders and a datamodule/,
  );
  await trainer.close();
});

Deno.test("a data module of datasets shuffles the training data and says its sizes", () => {
  const numbers = Array.from({ length: 64 }, (_, i) => i);
  const data = LightningDataModule.fromDatasets({ trainDataset: numbers, testDataset: [[1, 2], [3]], batchSize: 16 });
  assert.equal(
    String(data),
    "Train dataloader: size=64\nValidation dataloader: None\nTest dataloader: size=2, 1\nPredict dataloader: None",
  );
  assert.throws(() => data.valDataloader(), /has no `valDataloader`/);
});
