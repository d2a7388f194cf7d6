import assert from "node:assert/strict";
import { forgetWarnings } from "../../../runtime/core/messages.ts";
import { EarlyStopping, type EarlyStoppingOptions } from "../../../runtime/trainer/callbacks/early_stopping.ts";
import type { TrainerOptions } from "../../../runtime/trainer/trainer_options.ts";
import { Line, lineBatches, Messages, quietTrainer } from "./line.ts";

/** Fits with a validation metric `val` that takes these values. */
async function fit(scores: number[], options: Partial<EarlyStoppingOptions> = {}, trainerOptions: TrainerOptions = {}) {
  using messages = new Messages();
  const stopping = new EarlyStopping({ monitor: "val", ...options });
  const model = new Line();
  model.scores = scores;
  await using trainer = quietTrainer({
    maxEpochs: scores.length,
    enableCheckpointing: false,
    callbacks: stopping,
    ...trainerOptions,
  });
  await trainer.fit(model, lineBatches(2), lineBatches(1));
  return { stopping, epochs: trainer.currentEpoch, text: messages.text };
}

Deno.test("it stops after as many checks without improvement as patience says", async () => {
  const { stopping, epochs, text } = await fit([5, 4, 4, 3, 3, 3, 2, 1], { patience: 2 });
  assert.equal(epochs, 6);
  assert.equal(stopping.stoppedEpoch, 5);
  assert.equal(stopping.stoppedReason, "patienceExhausted");
  assert.equal(stopping.bestScore, 3);
  assert.match(
    text,
    /Monitored metric val did not improve in the last 2 records\. Best score: 3\.000\. Signaling Trainer to stop\./,
  );
});

Deno.test("an improvement of minDelta or less is none", async () => {
  const { epochs } = await fit([1, 0.95, 0.91, 0.5, 0.1], { patience: 2, minDelta: 0.1 });
  assert.equal(epochs, 3);
  assert.equal((await fit([1, 0.75, 0.5, 0.25], { patience: 1, minDelta: 0.25 })).epochs, 2);
});

Deno.test('mode "max" wants large values', async () => {
  const { epochs, stopping } = await fit([0.1, 0.2, 0.15, 0.3], { mode: "max", patience: 1 });
  assert.equal(epochs, 3);
  assert.equal(stopping.bestScore, 0.2);
});

Deno.test("a metric that is not finite stops at once, unless that is allowed", async () => {
  const { epochs, stopping, text } = await fit([1, NaN, 0.5]);
  assert.equal(epochs, 2);
  assert.equal(stopping.stoppedReason, "nonFiniteMetric");
  assert.match(text, /Monitored metric val = NaN is not finite\. Previous best value was 1\.000\./);
  assert.equal((await fit([1, NaN, 0.5], { checkFinite: false })).epochs, 3);
});

Deno.test("thresholds stop, the good one before patience and the bad one too", async () => {
  const good = await fit([1, 0.4, 0.3], { stoppingThreshold: 0.5 });
  assert.equal(good.epochs, 2);
  assert.equal(good.stopping.stoppedReason, "stoppingThreshold");
  assert.match(good.text, /Stopping threshold reached: val = 0\.4 < 0\.5\. Signaling Trainer to stop\./);
  const bad = await fit([1, 11, 0.3], { divergenceThreshold: 10 });
  assert.equal(bad.epochs, 2);
  assert.equal(bad.stopping.stoppedReason, "divergenceThreshold");
});

Deno.test("minEpochs is kept", async () => {
  assert.equal((await fit([1, 1, 1, 1, 1, 1], { patience: 1 }, { minEpochs: 4 })).epochs, 4);
});

Deno.test("with verbose improvements are told, as Lightning words them", async () => {
  const { text } = await fit([1, 0.875], { verbose: true });
  assert.match(text, /Metric val improved\. New best score: 1\.000/);
  assert.match(text, /Metric val improved by 0\.125 >= min_delta = 0\. New best score: 0\.875/);
});

Deno.test("it can watch a metric of training, of the epoch that has just ended", async () => {
  using _ = new Messages();
  const seen: number[] = [];
  const stopping = new EarlyStopping({ monitor: "train_loss_epoch", patience: 1 });
  class Diverging extends Line {
    override learningRate = 0;
    override onTrainEpochEnd() {
      seen.push(stopping.waitCount);
    }
  }
  await using trainer = quietTrainer({ maxEpochs: 5, enableCheckpointing: false, callbacks: stopping });
  await trainer.fit(new Diverging(), lineBatches(2));
  assert.equal(trainer.currentEpoch, 2);
  assert.equal(stopping.stoppedReason, "patienceExhausted");
  assert.deepEqual(seen, [0, 0]);
});

Deno.test("a metric that is not there is an error that lists the others, or a warning if not strict", async () => {
  forgetWarnings();
  await assert.rejects(
    fit([1, 1], { monitor: "vall" }),
    /Early stopping conditioned on metric `vall` which is not available\..*any of the following: .*`val`/,
  );
  const { text, epochs } = await fit([1, 1], { monitor: "vall", strict: false });
  assert.equal(epochs, 2);
  assert.match(text, /conditioned on metric `vall`.*\[early-stopping-metric:vall\]/);
});

Deno.test("its count goes on after resuming", () => {
  const before = new EarlyStopping({ monitor: "val" });
  before.waitCount = 2;
  before.bestScore = 0.5;
  const after = new EarlyStopping({ monitor: "val" });
  after.loadStateDict(before.stateDict());
  assert.equal(after.waitCount, 2);
  assert.equal(after.bestScore, 0.5);
  assert.equal(after.stateKey, 'EarlyStopping{"monitor":"val","mode":"min"}');
});

Deno.test("options that are wrong are named", () => {
  const bad = (options: unknown) => () => new EarlyStopping(options as EarlyStoppingOptions);
  assert.throws(bad({}), /`EarlyStopping\(\{ monitor \}\)` must be a name, but got undefined/);
  assert.throws(bad({ monitor: "a", patiense: 1 }), /did you mean `patience`/);
  assert.throws(bad({ monitor: "a", patience: -1 }), RangeError);
  assert.throws(bad({ monitor: "a", minDelta: -1 }), RangeError);
  assert.throws(bad({ monitor: "a", mode: "auto" }), TypeError);
  assert.throws(bad({ monitor: "a", stoppingThreshold: NaN }), RangeError);
});
