import assert from "node:assert/strict";
import { join } from "node:path";
import { readCheckpoint } from "../../../runtime/checkpoint/read_checkpoint.ts";
import type { HostTensor } from "../../../runtime/tensor/host_tensor.ts";
import { tf } from "../../../runtime/tensor/tf.ts";
import { EMAWeightAveraging } from "../../../runtime/trainer/callbacks/ema_weight_averaging.ts";
import { LambdaCallback } from "../../../runtime/trainer/callbacks/lambda_callback.ts";
import {
  StochasticWeightAveraging,
  type StochasticWeightAveragingOptions,
} from "../../../runtime/trainer/callbacks/stochastic_weight_averaging.ts";
import type { TrainerOptions } from "../../../runtime/trainer/trainer_options.ts";
import { Folder, Line, lineBatches, Messages, quietTrainer } from "./line.ts";

const bare = (options: TrainerOptions) => quietTrainer({ enableCheckpointing: false, ...options });
const close = (actual: number, expected: number) =>
  assert.ok(Math.abs(actual - expected) < 1e-5, `${actual} is not ${expected}`);
const weightOf = async (model: Line) => (await model.weight.data())[0];

/** The weight after each step, by hand: w -= rate · 2 (w - 3) x². */
function weights(xs: number[], rate: (step: number) => number): number[] {
  let w = 0.5;
  return xs.map((x, step) => w -= rate(step) * 2 * (w - 3) * x * x);
}
const EPOCH = [0, 0.25, 0.5, 0.75];

Deno.test("the exponential average is computed after every step, validates, and is the model at the end", async () => {
  using _ = new Messages();
  const seen: [number, number][] = [];
  const model = new Line();
  const averaging = new EMAWeightAveraging({ decay: 0.75, updateStartingAtStep: 1 });
  const watch = new LambdaCallback({
    onValidationEpochStart: async () => void seen.push([await weightOf(model), 0]),
    onValidationEnd: async () => void (seen.at(-1)![1] = await weightOf(model)),
  });
  await using trainer = bare({ maxEpochs: 2, callbacks: [averaging, watch] });
  await trainer.fit(model, lineBatches(4), lineBatches(1));
  const trained = weights([...EPOCH, ...EPOCH], () => 0.1);
  let average = trained[1];
  const averages = trained.map((w, step) => step < 2 ? average : average = 0.75 * average + 0.25 * w);
  close(seen[0][0], averages[3]);
  close(seen[0][1], trained[3]);
  close(seen[1][0], averages[7]);
  close(await weightOf(model), averages[7]);
});

Deno.test("averages leave no tensors behind", async () => {
  using _ = new Messages();
  const left = async (callbacks: TrainerOptions["callbacks"]) => {
    const before = tf.memory().numTensors;
    await using trainer = bare({ maxEpochs: 2, callbacks });
    await trainer.fit(new Line(), lineBatches(4), lineBatches(1));
    return tf.memory().numTensors - before;
  };
  await left([]);
  const plain = await left([]);
  assert.equal(await left(new EMAWeightAveraging()), plain);
  assert.equal(await left(new StochasticWeightAveraging({ swaLrs: 0.1, swaEpochStart: 0 })), plain);
});

Deno.test("checkpoints hold the average as the weights; a fit that resumes goes on with both", async () => {
  using _ = new Messages();
  using folder = new Folder();
  const path = join(folder.path, "step=3.ckpt");
  class Saving extends Line {
    override async onTrainBatchEnd() {
      if (this.globalStep === 3) await this.trainer.saveCheckpoint(path);
    }
  }
  const averaging = () => new EMAWeightAveraging({ decay: 0.5 });
  const whole = new Saving();
  await using first = bare({ maxEpochs: 2, callbacks: averaging() });
  await first.fit(whole, lineBatches(4));
  const trained = weights(EPOCH, () => 0.1);
  const average = 0.5 * (0.5 * trained[0] + 0.5 * trained[1]) + 0.5 * trained[2];
  const saved = await readCheckpoint(path);
  close((saved.stateDict as Record<string, HostTensor>).weight.data[0] as number, average);
  close((saved.currentModelState as Record<string, HostTensor>).weight.data[0] as number, trained[2]);

  const resumed = new Line();
  await using second = bare({ maxEpochs: 2, callbacks: averaging() });
  await second.fit(resumed, { trainDataloaders: lineBatches(4), ckptPath: path });
  assert.equal(await weightOf(resumed), await weightOf(whole));
  const loaded = await Line.loadFromCheckpoint(path);
  close(await weightOf(loaded), average);
});

Deno.test("a run that fails during validation has its own weights back", async () => {
  using _ = new Messages();
  class Failing extends Line {
    override validationStep() {
      throw new Error("no validation today");
    }
  }
  const model = new Failing();
  await using trainer = bare({ maxEpochs: 1, callbacks: new EMAWeightAveraging({ decay: 0.5 }) });
  await assert.rejects(trainer.fit(model, lineBatches(4), lineBatches(1)), /no validation today/);
  close(await weightOf(model), weights(EPOCH, () => 0.1)[3]);
});

/** Fits five epochs with averaging of the last; gives the weights by hand, too. */
async function average(options: StochasticWeightAveragingOptions) {
  using _ = new Messages();
  const model = new Line();
  const rates: number[] = [];
  const callbacks = [
    new StochasticWeightAveraging(options),
    new LambdaCallback({ onTrainEpochEnd: (trainer) => void rates.push(trainer.optimizers[0].learningRate) }),
  ];
  await using trainer = bare({ maxEpochs: 5, callbacks });
  await trainer.fit(model, lineBatches(4));
  return { model, rates };
}

Deno.test("the mean of the last epochs' weights is the model's at the end, trained at rates that are annealed", async () => {
  const { model, rates } = await average({ swaLrs: 0.02, swaEpochStart: 2, annealingEpochs: 2 });
  const expected = [0.1, 0.1, 0.1, 0.06, 0.02];
  rates.forEach((rate, epoch) => close(rate, expected[epoch]));
  const trained = weights(Array(5).fill(EPOCH).flat(), (step) => expected[Math.floor(step / 4)]);
  close(await weightOf(model), (trained[11] + trained[15] + trained[19]) / 3);
});

Deno.test("averaging may begin at a part of the epochs and anneal linearly", async () => {
  const { rates } = await average({
    swaLrs: 0.02,
    swaEpochStart: 0.4,
    annealingEpochs: 4,
    annealingStrategy: "linear",
  });
  [0.1, 0.1, 0.1, 0.08, 0.06].forEach((rate, epoch) => close(rates[epoch], rate));
});

Deno.test("a mean that was begun goes on after resuming", async () => {
  using _ = new Messages();
  using folder = new Folder();
  const averaging = () => new StochasticWeightAveraging({ swaLrs: 0.02, swaEpochStart: 1, annealingEpochs: 2 });
  const path = join(folder.path, "mid.ckpt");
  class Saving extends Line {
    override async onTrainBatchEnd() {
      if (this.globalStep === 10) await this.trainer.saveCheckpoint(path);
    }
  }
  const whole = new Saving();
  await using first = bare({ maxEpochs: 4, callbacks: averaging() });
  await first.fit(whole, lineBatches(4));
  const resumed = new Line();
  await using second = bare({ maxEpochs: 4, callbacks: averaging() });
  await second.fit(resumed, { trainDataloaders: lineBatches(4), ckptPath: path });
  assert.equal(await weightOf(resumed), await weightOf(whole));
});

Deno.test("options that are wrong are named", async () => {
  using _ = new Messages();
  assert.throws(
    () => new EMAWeightAveraging({ decay: 1.5 }),
    /`EMAWeightAveraging\(\{ decay \}\)` must be a number from 0 to 1/,
  );
  assert.throws(() => new EMAWeightAveraging({ updateEveryNSteps: 0 }), RangeError);
  assert.throws(() => new StochasticWeightAveraging({} as never), /swaLrs/);
  assert.throws(() => new StochasticWeightAveraging({ swaLrs: 0.1, swaEpochStart: 1.5 }), RangeError);
  assert.throws(() => new StochasticWeightAveraging({ swaLrs: 0.1, annealingStrategy: "step" as never }), TypeError);
  await using endless = bare({ maxEpochs: -1, maxSteps: 3, callbacks: new StochasticWeightAveraging({ swaLrs: 0.1 }) });
  await assert.rejects(
    endless.fit(new Line(), lineBatches(2)),
    /is a part of `maxEpochs`, but the Trainer has no limit/,
  );
  await using several = bare({ maxEpochs: 1, callbacks: new StochasticWeightAveraging({ swaLrs: [0.1, 0.2] }) });
  await assert.rejects(several.fit(new Line(), lineBatches(2)), /has 2 learning rates, but there are 1 optimizers/);
});
