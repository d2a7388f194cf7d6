import assert from "node:assert/strict";
import { type Batch, dense, Line, planeLoader, quietTrainer, weightsOf } from "./support/line.ts";
import { Rows } from "./support/rows.ts";
import { seed_everything, tf } from "../../mod.ts";
import { CheckpointError } from "../../runtime/core/errors.ts";
import { routeMessages } from "../../runtime/core/messages.ts";
import { MeanSquaredError } from "../../runtime/metrics/regression/mean_squared_error.ts";
import { ExponentialLR, ReduceLROnPlateau } from "../../runtime/optim/schedulers.ts";
import { Adam } from "../../runtime/optim/adam.ts";
import { unseedRandom } from "../../runtime/seed/random_state.ts";
import { writeCheckpoint } from "../../runtime/checkpoint/write_checkpoint.ts";
import { Callback } from "../../runtime/trainer/callback.ts";
import type { LightningModule } from "../../runtime/trainer/lightning_module.ts";
import type { Trainer } from "../../runtime/trainer/trainer.ts";
import type { TrainerOptions } from "../../runtime/trainer/trainer_options.ts";

/** Draws random numbers, keeps metrics over the epoch, and changes its learning rate: all of it must go on. */
class Dropping extends Line {
  override readonly net = tf.sequential({
    layers: [dense(6, 2, { activation: "tanh" }), tf.layers.dropout({ rate: 0.3 }), dense(1, 6, { seed: 8 })],
  });
  readonly squared = new MeanSquaredError();
  override trainingStep(batch: Batch): tf.Tensor {
    const [x, y] = batch;
    const prediction = this.forward(x);
    this.squared.update(prediction, y);
    this.log("train_mse", this.squared, { onStep: false, onEpoch: true });
    const loss = prediction.sub(y).square().mean();
    this.log("train_loss", loss as tf.Tensor, { onStep: true, onEpoch: true });
    return loss as tf.Tensor;
  }
  override configureOptimizers(): ReturnType<LightningModule["configureOptimizers"]> {
    const optimizer = new Adam({ learningRate: 0.02 });
    return [[optimizer], [
      { scheduler: new ExponentialLR(optimizer, { gamma: 0.97 }), interval: "step" as const },
    ]];
  }
}

/** Saves when `when` says so, once, as one that comes last in the hook. */
class SaveAt extends Callback {
  saved = false;
  constructor(readonly hook: keyof Callback, readonly when: (trainer: Trainer) => boolean, readonly path: string) {
    super();
    Object.defineProperty(this, hook, {
      value: async (trainer: Trainer) => {
        if (this.saved || trainer.sanityChecking || !this.when(trainer)) return;
        this.saved = true;
        await trainer.saveCheckpoint(this.path);
      },
    });
  }
  override get order() {
    return "checkpoint" as const;
  }
}

interface Outcome {
  weights: Record<string, number[]>;
  rows: Record<string, number>[];
  globalStep: number;
}

async function train(
  options: TrainerOptions,
  run: { ckptPath?: string; seed?: number; model?: () => LightningModule } = {},
): Promise<Outcome> {
  using _ = routeMessages(() => {});
  seed_everything(run.seed ?? 3, { verbose: false });
  const logger = new Rows();
  const model = run.model?.() ?? new Dropping();
  const trainer = quietTrainer({ maxEpochs: 3, logEveryNSteps: 2, logger, deterministic: true, ...options });
  await trainer.fit(model, {
    trainDataloaders: planeLoader({ samples: 30, shuffle: true }),
    valDataloaders: planeLoader({ samples: 10 }),
    ckptPath: run.ckptPath,
  });
  await trainer.close();
  unseedRandom();
  const weights = weightsOf(model);
  model.dispose();
  return { weights, rows: logger.rows, globalStep: trainer.globalStep };
}

const points: { what: string; hook: keyof Callback; when: (trainer: Trainer) => boolean }[] = [
  { what: "after the very first batch", hook: "onTrainBatchEnd", when: () => true },
  { what: "in the middle of an epoch", hook: "onTrainBatchEnd", when: (t) => t.currentEpoch === 1 && t.batchIdx === 3 },
  {
    what: "before a validation in the epoch",
    hook: "onTrainBatchEnd",
    when: (t) => t.currentEpoch === 1 && t.batchIdx === 4,
  },
  {
    what: "after a validation in the epoch",
    hook: "onValidationEnd",
    when: (t) => t.currentEpoch === 1 && t.batchIdx === 4,
  },
  {
    what: "after the last batch of an epoch",
    hook: "onTrainBatchEnd",
    when: (t) => t.currentEpoch === 1 && t.isLastBatch,
  },
  {
    what: "between validation and the next epoch",
    hook: "onValidationEnd",
    when: (t) => t.currentEpoch === 1 && t.isLastBatch,
  },
  { what: "at the end of an epoch", hook: "onTrainEpochEnd", when: (t) => t.currentEpoch === 1 },
  { what: "before the first batch of an epoch", hook: "onTrainEpochStart", when: (t) => t.currentEpoch === 2 },
];

for (const accumulateGradBatches of [1, 3]) {
  Deno.test(`a run resumed from any point ends with the same bytes as one that was never stopped, accumulating ${accumulateGradBatches}`, async (t) => {
    const folder = await Deno.makeTempDir();
    // 8 batches an epoch: windows of 3, 3 and 2 of them.
    const options: TrainerOptions = { accumulateGradBatches, valCheckInterval: 4 };
    const whole = await train(options);
    assert.equal(whole.globalStep, accumulateGradBatches === 1 ? 24 : 9);
    for (const [index, { what, hook, when }] of points.entries()) {
      await t.step(what, async () => {
        const path = `${folder}/${index}.ckpt`;
        const save = new SaveAt(hook, when, path);
        await train({ ...options, callbacks: save });
        assert.ok(save.saved);
        // Another seed, so that what is not restored shows.
        const resumed = await train(options, { ckptPath: path, seed: 99 });
        assert.deepEqual(resumed.weights, whole.weights);
        assert.equal(resumed.globalStep, whole.globalStep);
        assert.deepEqual(resumed.rows, whole.rows.slice(-resumed.rows.length));
        assert.ok(resumed.rows.length > 0);
      });
    }
    await Deno.remove(folder, { recursive: true });
  });
}

Deno.test("saving changes nothing: a run that saves ends with the same bytes as one that does not", async () => {
  const folder = await Deno.makeTempDir();
  const whole = await train({});
  const saving = await train({ callbacks: new SaveAt("onTrainBatchEnd", (t) => t.batchIdx === 2, `${folder}/a.ckpt`) });
  await Deno.remove(folder, { recursive: true });
  assert.deepEqual(saving, whole);
});

Deno.test("a run that ended at `maxSteps` goes on in the middle of its epoch", async () => {
  const folder = await Deno.makeTempDir();
  const whole = await train({ maxSteps: 21, maxEpochs: -1 });
  const path = `${folder}/a.ckpt`;
  await train({ maxSteps: 11, maxEpochs: -1, callbacks: new SaveAt("onTrainEnd", () => true, path) });
  const resumed = await train({ maxSteps: 21, maxEpochs: -1 }, { ckptPath: path, seed: 98 });
  await Deno.remove(folder, { recursive: true });
  assert.deepEqual(resumed.weights, whole.weights);
});

Deno.test("a plateau scheduler and a callback's state go on", async () => {
  class Plateau extends Dropping {
    override configureOptimizers() {
      const optimizer = new Adam({ learningRate: 0.02 });
      const scheduler = new ReduceLROnPlateau(optimizer, { patience: 0, factor: 0.5, threshold: 0.5 });
      return { optimizer, lrScheduler: scheduler, monitor: "val_loss" };
    }
  }
  class Counter extends Callback {
    batches = 0;
    override onTrainBatchEnd() {
      this.batches++;
    }
    override stateDict() {
      return { batches: this.batches };
    }
    override loadStateDict(state: { batches?: unknown }) {
      this.batches = state.batches as number;
    }
  }
  const folder = await Deno.makeTempDir();
  const path = `${folder}/a.ckpt`;
  const model = () => new Plateau();
  const whole = await train({ maxEpochs: 5 }, { model });
  await train({
    maxEpochs: 5,
    callbacks: [new Counter(), new SaveAt("onTrainEpochEnd", (t) => t.currentEpoch === 2, path)],
  }, { model });
  const counter = new Counter();
  const resumed = await train({ maxEpochs: 5, callbacks: counter }, { ckptPath: path, seed: 97, model });
  await Deno.remove(folder, { recursive: true });
  assert.deepEqual(resumed.weights, whole.weights);
  assert.equal(counter.batches, 40);
});

Deno.test("data that has no state is gone through again up to the place", async () => {
  using _ = routeMessages(() => {});
  const folder = await Deno.makeTempDir();
  const path = `${folder}/a.ckpt`;
  const batches = [1, 2, 3, 4].map((n) => [tf.tensor2d([[n, 1]]), tf.tensor2d([[n]])] as Batch);
  const seen: number[] = [];
  class Noting extends Line {
    override rate = 0.01;
    override trainingStep(batch: Batch) {
      seen.push(batch[0].dataSync()[0]);
      return this.lossOf(batch);
    }
  }
  const first = quietTrainer({ maxEpochs: 1, maxSteps: 2 });
  await first.fit(new Noting(), batches);
  await first.saveCheckpoint(path);
  const second = quietTrainer({ maxEpochs: 2 });
  await second.fit(new Noting(), { trainDataloaders: batches, ckptPath: path });
  await Deno.remove(folder, { recursive: true });
  assert.deepEqual(seen, [1, 2, 3, 4, 1, 2, 3, 4]);
  tf.dispose(batches);
});

Deno.test("a checkpoint of a newer version, of weights only, of another thing or of other optimizers is an error that says so", async () => {
  using _ = routeMessages(() => {});
  const folder = await Deno.makeTempDir();
  const trainer = quietTrainer({ maxSteps: 1 });
  await trainer.fit(new Line(), planeLoader());
  const fit = (path: string, model: LightningModule = new Line()) =>
    quietTrainer({ maxSteps: 2 }).fit(model, { trainDataloaders: planeLoader(), ckptPath: path });

  await trainer.saveCheckpoint(`${folder}/weights.ckpt`, { weightsOnly: true });
  await assert.rejects(fit(`${folder}/weights.ckpt`), /contains only the model.*saveWeightsOnly/s);

  await writeCheckpoint(`${folder}/newer.ckpt`, { version: 2, epoch: 0, globalStep: 0, stateDict: {} });
  await assert.rejects(fit(`${folder}/newer.ckpt`), (error: Error) => {
    assert.ok(error instanceof CheckpointError);
    return /newer version.*of version 2, and this one reads up to 1/s.test(error.message);
  });

  await writeCheckpoint(`${folder}/other.ckpt`, { something: 1 });
  await assert.rejects(fit(`${folder}/other.ckpt`), /is not a checkpoint of a Trainer: it has something/);

  await trainer.saveCheckpoint(`${folder}/full.ckpt`);
  class None extends Line {
    override configureOptimizers() {
      return null;
    }
  }
  await assert.rejects(
    fit(`${folder}/full.ckpt`, new None()),
    /has 1 optimizers, but `configureOptimizers` returned 0/,
  );
  await assert.rejects(fit(`${folder}/missing.ckpt`), /missing\.ckpt/);
  await assert.rejects(fit("best"), /no ModelCheckpoint has saved one/);
  await Deno.remove(folder, { recursive: true });
});

Deno.test("loadFromCheckpoint makes the model with its hyperparameters and weights", async () => {
  using _ = routeMessages(() => {});
  const folder = await Deno.makeTempDir();
  const path = `${folder}/a.ckpt`;
  interface Params {
    units: number;
    rate: number;
  }
  class Sized extends Line {
    override readonly net: tf.Sequential;
    readonly units: number;
    constructor(hparams: Params = { units: 3, rate: 0.1 }) {
      super();
      this.saveHyperparameters(hparams);
      this.units = hparams.units;
      this.net = tf.sequential({ layers: [dense(hparams.units, 2), dense(1, hparams.units)] });
    }
  }
  const model = new Sized({ units: 5, rate: 0.2 });
  const trainer = quietTrainer({ maxSteps: 3 });
  await trainer.fit(model, planeLoader());
  await trainer.saveCheckpoint(path);
  const loaded = await Sized.loadFromCheckpoint(path);
  assert.deepEqual(loaded.hparams, { units: 5, rate: 0.2 });
  assert.deepEqual(weightsOf(loaded), weightsOf(model));
  const changed = await Sized.loadFromCheckpoint(path, { hparams: { rate: 0.5 } });
  assert.deepEqual(changed.hparams, { units: 5, rate: 0.5 });
  await assert.rejects(Sized.loadFromCheckpoint(path, { hparams: { units: 4 } }), /net\.0\.kernel/);
  await Deno.remove(folder, { recursive: true });
});
