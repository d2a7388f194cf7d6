import assert from "node:assert/strict";
import { forgetWarnings } from "../../../runtime/core/messages.ts";
import { TensorDataset } from "../../../runtime/data/tensor_dataset.ts";
import { DataLoader } from "../../../runtime/data/data_loader.ts";
import { StepLR } from "../../../runtime/optim/schedulers/step_lr.ts";
import { tf } from "../../../runtime/tensor/tf.ts";
import { BackboneFinetuning } from "../../../runtime/trainer/callbacks/backbone_finetuning.ts";
import { BatchSizeFinder } from "../../../runtime/trainer/callbacks/batch_size_finder.ts";
import { LambdaCallback } from "../../../runtime/trainer/callbacks/lambda_callback.ts";
import { LearningRateFinder } from "../../../runtime/trainer/callbacks/learning_rate_finder.ts";
import { LightningModule } from "../../../runtime/trainer/lightning_module.ts";
import type { OptimizerConfiguration } from "../../../runtime/trainer/optimization/optimizer_config.ts";
import type { TrainerOptions } from "../../../runtime/trainer/trainer_options.ts";
import { Line, lineBatches, Messages, quietTrainer } from "./line.ts";

/** A line through points whose losses are alike. */
const points = () => {
  const batches = [0.9, 1.1, 1, 0.95, 1.05].map((x) => [[[x]], [[3 * x]]]);
  return {
    length: batches.length,
    async *[Symbol.asyncIterator]() {
      yield* batches;
    },
  };
};
const bare = (options: TrainerOptions) => quietTrainer({ enableCheckpointing: false, ...options });
const close = (actual: number, expected: number) =>
  assert.ok(Math.abs(actual - expected) < 1e-6 * Math.abs(expected), `${actual} is not ${expected}`);

Deno.test("the learning-rate finder tries growing rates, suggests one, and leaves all else as it was", async () => {
  using messages = new Messages();
  const finder = new LearningRateFinder({ minLr: 1e-4, maxLr: 10, numTrainingSteps: 50 });
  const rates: number[] = [], weights: number[] = [];
  const watch = new LambdaCallback({
    async onTrainStart(trainer, module) {
      rates.push(trainer.optimizers[0].learningRate);
      weights.push((await (module as Line).weight.data())[0]);
      assert.equal(trainer.globalStep, 0);
    },
  });
  const model = new Line();
  await using trainer = bare({ maxEpochs: 1, callbacks: [watch, finder] });
  await trainer.fit(model, points());
  const { lr, loss } = finder.results;
  close(lr[0], 1e-4 * 1e5 ** (1 / 50));
  close(lr[1] / lr[0], 1e5 ** (1 / 50));
  assert.equal(lr.length, loss.length);
  assert.ok(finder.suggestion()! > 1e-4 && finder.suggestion()! < 10);
  assert.deepEqual(rates, [finder.suggestion()]);
  assert.equal(model.learningRate, finder.suggestion());
  assert.deepEqual(weights, [0.5]);
  assert.match(messages.text, /Learning rate set to /);
});

Deno.test("a scheduler starts from the rate that was found", async () => {
  using _ = new Messages();
  class Scheduled extends Line {
    override configureOptimizers(): OptimizerConfiguration {
      return { optimizer: tf.train.sgd(0.1), lrScheduler: (ready) => new StepLR(ready, { stepSize: 1, gamma: 0.5 }) };
    }
  }
  const finder = new LearningRateFinder({ minLr: 1e-3, maxLr: 1, numTrainingSteps: 30, mode: "linear" });
  const rates: number[] = [];
  const watch = new LambdaCallback({
    onTrainEpochStart: (trainer) => void rates.push(trainer.optimizers[0].learningRate),
  });
  await using trainer = bare({ maxEpochs: 2, callbacks: [finder, watch] });
  await trainer.fit(new Scheduled(), points());
  close(finder.results.lr[1] - finder.results.lr[0], 0.999 / 30);
  assert.deepEqual(rates, [finder.suggestion()!, finder.suggestion()! / 2]);
});

Deno.test("the suggestion is where the loss falls fastest; too few points give none", async () => {
  using messages = new Messages();
  forgetWarnings();
  const finder = new LearningRateFinder();
  finder.results.lr.push(1, 2, 3, 4, 5, 6);
  finder.results.loss.push(10, 9.5, 9, 6, 5.5, 20);
  // Slopes between neighbours: -0.5, -1.75, -1.75, -0.25.
  assert.equal(finder.suggestion({ skipBegin: 1 }), 3);
  assert.equal(finder.suggestion(), undefined);
  await using trainer = bare({ maxEpochs: 1, callbacks: new LearningRateFinder({ numTrainingSteps: 5 }) });
  const model = new Line();
  await trainer.fit(model, points());
  assert.equal(model.learningRate, 0.1);
  assert.match(messages.text, /not enough points/);
});

Deno.test("options of the finders that are wrong are named", () => {
  assert.throws(() => new LearningRateFinder({ minLr: 0 }), RangeError);
  assert.throws(() => new LearningRateFinder({ minLr: 0.1, maxLr: 0.01 }), /maxLr.*above 0\.1/);
  assert.throws(() => new LearningRateFinder({ mode: "log" as never }), TypeError);
  assert.throws(() => new BatchSizeFinder({ mode: "double" as never }), TypeError);
  assert.throws(() => new BatchSizeFinder({ initVal: 0 }), RangeError);
});

/** A line whose step fails, as for want of memory, above a batch size. */
class Limited extends LightningModule {
  weight = tf.tidy(() => tf.variable(tf.tensor2d([[0.5]])));
  batchSize = 4;
  readonly sizes: number[] = [];
  readonly limit: number;
  constructor(limit: number) {
    super();
    this.limit = limit;
  }
  override trainingStep([x, y]: [tf.Tensor2D, tf.Tensor2D]) {
    this.sizes.push(x.shape[0]);
    if (x.shape[0] > this.limit) throw new Error("OOM when allocating tensor");
    return x.matMul(this.weight as tf.Tensor2D).sub(y).square().mean();
  }
  override configureOptimizers(): OptimizerConfiguration {
    return tf.train.sgd(0.1);
  }
  override trainDataloader() {
    const xs = Float32Array.from({ length: 100 }, (_, i) => i / 100);
    const column = (values: Float32Array) => ({ dtype: "float32" as const, shape: [100, 1], data: values });
    return new DataLoader(new TensorDataset(column(xs), column(xs.map((x) => 3 * x))), { batchSize: this.batchSize });
  }
}

for (const [mode, expected] of [["power", 16], ["binsearch", 27]] as const) {
  Deno.test(`the batch-size finder (${mode}) trains with the largest size that fits`, async () => {
    using _ = new Messages();
    const model = new Limited(27);
    const finder = new BatchSizeFinder({ mode, stepsPerTrial: 1 });
    await using trainer = bare({ maxEpochs: 1, callbacks: finder });
    await trainer.fit(model);
    assert.equal(finder.optimalBatchSize, expected);
    assert.equal(model.batchSize, expected);
    assert.equal(trainer.globalStep, Math.ceil(100 / expected));
    assert.equal(model.sizes.at(-2), expected);
  });
}

Deno.test("the batch size never exceeds the data; an error that is not of memory is the user's", async () => {
  using _ = new Messages();
  const model = new Limited(1000);
  const finder = new BatchSizeFinder({ stepsPerTrial: 1 });
  await using trainer = bare({ maxEpochs: 1, callbacks: finder });
  await trainer.fit(model);
  assert.equal(finder.optimalBatchSize, 100);
  assert.equal(trainer.globalStep, 1);
  class Broken extends Limited {
    override trainingStep(): never {
      throw new TypeError("a typo");
    }
  }
  await using second = bare({ maxEpochs: 1, callbacks: new BatchSizeFinder() });
  await assert.rejects(second.fit(new Broken(1)), /a typo/);
  await using third = bare({ maxEpochs: 1, callbacks: new BatchSizeFinder({ batchArgName: "size" }) });
  await assert.rejects(third.fit(new Limited(1)), /found no number `size`/);
});

/** backbone · x, then head · that. */
class Tuned extends LightningModule {
  backbone = tf.sequential({
    layers: [tf.layers.dense({ inputShape: [1], units: 1, useBias: false, kernelInitializer: "ones" })],
  });
  head = tf.tidy(() => tf.variable(tf.scalar(0.5)));
  override trainingStep([x, y]: [number[][], number[][]]) {
    return this.run(this.backbone, tf.tensor2d(x)).mul(this.head).sub(tf.tensor2d(y)).square().mean();
  }
  override configureOptimizers(): OptimizerConfiguration {
    return tf.train.sgd(0.1);
  }
  async weights(): Promise<[number, number]> {
    return [(await this.backbone.getWeights()[0].data())[0], (await this.head.data())[0]];
  }
}

Deno.test("the backbone is frozen until its epoch, then learns at a rate of its own that grows to the optimizer's", async () => {
  using _ = new Messages();
  const model = new Tuned();
  const finetuning = new BackboneFinetuning({
    unfreezeBackboneAtEpoch: 2,
    backboneInitialRatioLr: 0.25,
    lambda: () => 3,
  });
  const seen: [number, number][] = [], rates: (number | undefined)[] = [];
  const watch = new LambdaCallback({
    async onTrainEpochEnd() {
      seen.push(await model.weights());
      rates.push(finetuning.backboneLearningRate);
    },
  });
  await using trainer = bare({ maxEpochs: 5, callbacks: [finetuning, watch] });
  await trainer.fit(model, { trainDataloaders: lineBatches(4) });
  assert.deepEqual(rates.slice(0, 2), [undefined, undefined]);
  [0.025, 0.075, 0.1].forEach((rate, i) => close(rates[i + 2]!, rate));
  // By hand: two numbers, gradients 2 (b h x - 3x) h x and 2 (b h x - 3x) b x.
  let b = 1, h = 0.5;
  for (let epoch = 0; epoch < 5; epoch++) {
    for (const x of [0, 0.25, 0.5, 0.75]) {
      const residual = 2 * (b * h * x - 3 * x) * x;
      const rate = [0, 0, 0.025, 0.075, 0.1][epoch];
      [b, h] = [b - rate * residual * h, h - 0.1 * residual * b];
    }
    assert.ok(
      Math.abs(seen[epoch][0] - b) < 1e-5 && Math.abs(seen[epoch][1] - h) < 1e-5,
      `epoch ${epoch}: ${seen[epoch]} ${[b, h]}`,
    );
  }
});

Deno.test("a model without a backbone is told so", async () => {
  using _ = new Messages();
  await using trainer = bare({ maxEpochs: 1, callbacks: new BackboneFinetuning() });
  await assert.rejects(trainer.fit(new Line(), lineBatches(1)), /`Line` needs a field `backbone`/);
  assert.throws(() => new BackboneFinetuning({ lambda: 2 as never }), /must be a function of the epoch/);
  assert.throws(() => new BackboneFinetuning({ backboneInitialRatioLr: 0 }), RangeError);
});
