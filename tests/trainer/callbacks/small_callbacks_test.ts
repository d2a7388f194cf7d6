import assert from "node:assert/strict";
import { join } from "node:path";
import type { Logger } from "../../../runtime/loggers/logger.ts";
import { StepLR } from "../../../runtime/optim/schedulers/step_lr.ts";
import { DeviceStatsMonitor } from "../../../runtime/trainer/callbacks/device_stats_monitor.ts";
import { GradientAccumulationScheduler } from "../../../runtime/trainer/callbacks/gradient_accumulation_scheduler.ts";
import { LambdaCallback } from "../../../runtime/trainer/callbacks/lambda_callback.ts";
import { LearningRateMonitor } from "../../../runtime/trainer/callbacks/learning_rate_monitor.ts";
import { OnExceptionCheckpoint } from "../../../runtime/trainer/callbacks/on_exception_checkpoint.ts";
import { type PredictedBatch, PredictionWriter } from "../../../runtime/trainer/callbacks/prediction_writer.ts";
import { ThroughputMonitor } from "../../../runtime/trainer/callbacks/throughput_monitor.ts";
import { Timer } from "../../../runtime/trainer/callbacks/timer.ts";
import type { TrainerOptions } from "../../../runtime/trainer/trainer_options.ts";
import { tf } from "../../../runtime/tensor/tf.ts";
import { Folder, Line, lineBatches, Messages, quietTrainer } from "./line.ts";

/** Keeps what it is given. */
class Memory implements Logger {
  readonly name = "memory";
  readonly version = "0";
  readonly logDir = undefined;
  readonly rows: [number | undefined, Record<string, number>][] = [];
  logMetrics(metrics: Readonly<Record<string, number>>, step?: number): void {
    this.rows.push([step, { ...metrics }]);
  }
  logHyperparams(): void {}
  async save() {}
  async finalize() {}
  /** Rows with a value of this name. */
  of(name: string): [number | undefined, number][] {
    return this.rows.filter(([, row]) => name in row).map(([step, row]) => [step, row[name]]);
  }
}

const bare = (options: TrainerOptions) => quietTrainer({ enableCheckpointing: false, ...options });

Deno.test("learning rates are logged by epoch, under the optimizer's name, as the scheduler changes them", async () => {
  using _ = new Messages();
  class Scheduled extends Line {
    override configureOptimizers() {
      const optimizer = tf.train.sgd(0.5);
      return {
        optimizer,
        lrScheduler: (ready: { learningRate: number }) => new StepLR(ready, { stepSize: 1, gamma: 0.5 }),
      };
    }
  }
  const logger = new Memory();
  const monitor = new LearningRateMonitor();
  await using trainer = bare({ maxEpochs: 3, logger, callbacks: monitor });
  await trainer.fit(new Scheduled(), lineBatches(2));
  assert.deepEqual(logger.of("lr-SGD"), [[0, 0.5], [2, 0.25], [4, 0.125]]);
  assert.deepEqual(monitor.lastRates, { "lr-SGD": 0.125 });
});

Deno.test("learning rates are logged by step, under the scheduler's name and beside that step's metrics", async () => {
  using _ = new Messages();
  class Scheduled extends Line {
    override configureOptimizers() {
      const optimizer = tf.train.sgd(0.5);
      const scheduler = (ready: { learningRate: number }) => new StepLR(ready, { stepSize: 1, gamma: 0.5 });
      return { optimizer, lrScheduler: { scheduler, interval: "step" as const, name: "rate" } };
    }
  }
  const logger = new Memory();
  await using trainer = bare({ maxEpochs: 1, logger, logEveryNSteps: 2, callbacks: new LearningRateMonitor() });
  await trainer.fit(new Scheduled(), lineBatches(4));
  assert.deepEqual(logger.of("rate"), [[1, 0.25], [3, 0.0625]]);
  assert.deepEqual(logger.of("train_loss_step").map(([step]) => step), [1, 3]);
});

Deno.test("optimizers of one kind are numbered", async () => {
  using _ = new Messages();
  class Two extends Line {
    second = tf.tidy(() => tf.variable(tf.scalar(1)));
    constructor() {
      super();
      this.automaticOptimization = false;
    }
    override trainingStep() {
      return undefined as never;
    }
    override configureOptimizers() {
      return [tf.train.sgd(0.5), tf.train.sgd(0.25)];
    }
  }
  const logger = new Memory();
  await using trainer = bare({
    maxEpochs: 1,
    logger,
    callbacks: new LearningRateMonitor({ loggingInterval: "epoch" }),
  });
  await trainer.fit(new Two(), lineBatches(1));
  assert.deepEqual(logger.of("lr-SGD"), [[0, 0.5]]);
  assert.deepEqual(logger.of("lr-SGD-1"), [[0, 0.25]]);
});

Deno.test("monitors without a logger are an error that says so", async () => {
  using _ = new Messages();
  for (const callback of [new LearningRateMonitor(), new DeviceStatsMonitor()]) {
    await using trainer = bare({ maxEpochs: 1, callbacks: callback });
    await assert.rejects(
      trainer.fit(new Line(), lineBatches(1)),
      /Cannot use `\w+Monitor` callback with `Trainer` that has no logger/,
    );
  }
  assert.throws(() => new LearningRateMonitor({ loggingInterval: "batch" } as never), TypeError);
});

Deno.test("a timer ends the training after the step in which the time is up, and counts time before a resume", async () => {
  using messages = new Messages();
  let now = 0;
  const timer = new Timer({ duration: "00:00:01:30", now: () => now });
  class Slow extends Line {
    override onTrainBatchStart() {
      now += 40_000;
    }
  }
  await using trainer = bare({ maxEpochs: 10, callbacks: timer });
  await trainer.fit(new Slow(), lineBatches(2));
  assert.equal(trainer.globalStep, 3);
  assert.equal(timer.timeElapsed(), 120);
  assert.equal(timer.timeRemaining(), 0);
  assert.match(messages.text, /Time limit reached\. Elapsed time is 0:02:00\. Signaling Trainer to stop\./);
  const resumed = new Timer({ duration: { minutes: 3 } });
  resumed.loadStateDict(timer.stateDict());
  assert.equal(resumed.timeRemaining(), 60);
});

Deno.test("a timer by epoch lets the epoch end; validation has a time of its own", async () => {
  using _ = new Messages();
  let now = 0;
  const timer = new Timer({ duration: { seconds: 50 }, interval: "epoch", now: () => now, verbose: false });
  class Slow extends Line {
    override onTrainBatchStart() {
      now += 40_000;
    }
    override validationStep() {
      now += 7000;
    }
  }
  await using trainer = bare({ maxEpochs: 10, callbacks: timer });
  await trainer.fit(new Slow(), lineBatches(3), lineBatches(2));
  assert.equal(trainer.globalStep, 3);
  assert.equal(timer.timeElapsed("validate"), 14);
  assert.throws(() => new Timer({ duration: "1h" }), /`Timer\(\{ duration \}\)` must be "DD:HH:MM:SS"/);
});

Deno.test("a callback of functions is called as one of methods", async () => {
  using _ = new Messages();
  const calls: string[] = [];
  const callback = new LambdaCallback({
    setup: (_trainer, _module, stage) => void calls.push(`setup ${stage}`),
    onTrainBatchEnd: (trainer, _module, _outputs, _batch, batchIdx) =>
      void calls.push(`${batchIdx} of ${trainer.globalStep}`),
  });
  await using trainer = bare({ maxEpochs: 1, callbacks: callback });
  await trainer.fit(new Line(), lineBatches(2));
  assert.deepEqual(calls, ["setup fit", "0 of 1", "1 of 2"]);
  assert.throws(() => new LambdaCallback({ onTrainBatchEnds: () => {} } as never), /did you mean `onTrainBatchEnd`/);
  assert.throws(() => new LambdaCallback({ stateDict: () => {} } as never), /no hook `stateDict`/);
  assert.throws(() => new LambdaCallback({ onTrainEnd: 5 } as never), /must be a function, but got number/);
});

Deno.test("accumulation follows the schedule", async () => {
  using _ = new Messages();
  const steps: number[] = [];
  const count = () => new LambdaCallback({ onTrainEpochEnd: (trainer) => void steps.push(trainer.globalStep) });
  const schedule = () => new GradientAccumulationScheduler({ 1: 2, 3: 4 });
  await using trainer = bare({ maxEpochs: 4, callbacks: [schedule(), count()] });
  await trainer.fit(new Line(), lineBatches(4));
  assert.deepEqual(steps, [4, 6, 8, 9]);
  assert.throws(() => new GradientAccumulationScheduler({}), TypeError);
  assert.throws(() => new GradientAccumulationScheduler({ 0: 0 }), RangeError);
  assert.throws(() => new GradientAccumulationScheduler({ [-1]: 2 }), RangeError);
  await using contradicting = bare({ maxEpochs: 1, accumulateGradBatches: 2, callbacks: schedule() });
  await assert.rejects(contradicting.fit(new Line(), lineBatches(1)), /Either remove `accumulateGradBatches`/);
});

Deno.test("a failed run leaves its state to resume from; a good one removes it", async () => {
  using _ = new Messages();
  using folder = new Folder();
  class Failing extends Line {
    fails = true;
    override onTrainBatchEnd() {
      if (this.fails && this.globalStep === 3) throw new Error("power cut");
    }
  }
  const checkpoint = () => new OnExceptionCheckpoint(folder.path);
  const own = checkpoint();
  await using first = quietTrainer({ maxEpochs: 2, callbacks: own, defaultRootDir: join(folder.path, "root") });
  await assert.rejects(first.fit(new Failing(), lineBatches(4)), /power cut/);
  assert.deepEqual(folder.files(), ["on_exception.ckpt"]);
  assert.equal(own.lastModelPath, own.path);
  const model = new Failing();
  model.fails = false;
  await using second = quietTrainer({
    maxEpochs: 1,
    callbacks: checkpoint(),
    defaultRootDir: join(folder.path, "root"),
  });
  await second.fit(model, { trainDataloaders: lineBatches(4), ckptPath: own.path });
  assert.equal(second.globalStep, 4);
  assert.deepEqual(folder.files().filter((name) => name.startsWith("on_exception")), []);
});

Deno.test("predictions are written by batch and by epoch", async () => {
  using _ = new Messages();
  const batches: unknown[] = [], epochs: number[][] = [];
  class Writer extends PredictionWriter {
    override async writeOnBatchEnd(
      _t: unknown,
      _m: unknown,
      prediction: unknown,
      { batchIdx, dataloaderIdx }: PredictedBatch,
    ) {
      batches.push([dataloaderIdx, batchIdx, (await (prediction as tf.Tensor).data())[0]]);
    }
    override async writeOnEpochEnd(_t: unknown, _m: unknown, predictions: readonly (readonly unknown[])[]) {
      for (const loader of predictions) {
        epochs.push(await Promise.all(loader.map(async (one) => (await (one as tf.Tensor).data())[0])));
      }
    }
  }
  await using trainer = bare({ callbacks: new Writer({ writeInterval: "batchAndEpoch" }) });
  await trainer.predict(new Line(), lineBatches(4));
  assert.deepEqual(batches, [[0, 0, 0], [0, 1, 0.125], [0, 2, 0.25], [0, 3, 0.375]]);
  assert.deepEqual(epochs, [[0, 0.125, 0.25, 0.375]]);
  assert.throws(() => new Writer({ writeInterval: "step" } as never), TypeError);
  class Empty extends PredictionWriter {}
  assert.throws(() => new Empty(), /`Empty` must have a method `writeOnBatchEnd`/);
  await using forgetful = bare({ callbacks: new Writer({ writeInterval: "epoch" }) });
  await assert.rejects(
    forgetful.predict(new Line(), { dataloaders: lineBatches(1), returnPredictions: false }),
    /returnPredictions: false/,
  );
});

Deno.test("throughput is what was done in the window", async () => {
  using _ = new Messages();
  let now = 0;
  const logger = new Memory();
  const monitor = new ThroughputMonitor({ windowSize: 2, now: () => now, length: () => 7 });
  class Timed extends Line {
    override onTrainBatchStart() {
      now += 500;
    }
    override validationStep() {
      now += 250;
    }
  }
  await using trainer = bare({ maxEpochs: 1, logger, logEveryNSteps: 2, callbacks: monitor });
  await trainer.fit(new Timed(), lineBatches(4), lineBatches(2));
  assert.deepEqual(logger.of("train/device/samples_per_sec"), [[1, 2], [3, 2]]);
  assert.deepEqual(logger.of("train/device/items_per_sec"), [[1, 14], [3, 14]]);
  assert.deepEqual(logger.of("train/time"), [[1, 1], [3, 2]]);
  assert.deepEqual(logger.of("validate/device/batches_per_sec"), [[1, 4]]);
  assert.throws(() => new ThroughputMonitor({ batchSize: 5 } as never), /must be a function of a batch/);
  assert.throws(() => new ThroughputMonitor({ windowSize: 1 }), RangeError);
});

Deno.test("what lies on the device is logged before and after a step", async () => {
  using _ = new Messages();
  const logger = new Memory();
  await using trainer = bare({ maxEpochs: 1, logger, logEveryNSteps: 2, callbacks: new DeviceStatsMonitor() });
  await trainer.fit(new Line(), lineBatches(4));
  for (const hook of ["onTrainBatchStart", "onTrainBatchEnd"]) {
    const tensors = logger.of(`DeviceStatsMonitor.${hook}/tensors`);
    assert.deepEqual(tensors.map(([step]) => step), [1, 3]);
    assert.ok(tensors.every(([, count]) => count > 0));
    assert.ok(logger.of(`DeviceStatsMonitor.${hook}/rss`).every(([, bytes]) => bytes > 1e6));
  }
  assert.ok(logger.of("DeviceStatsMonitor.onTrainBatchEnd/cpu_percent").every(([, percent]) => percent >= 0));
});
