import assert from "node:assert/strict";
import { type Batch, dense, Line, plane, planeLoader, quietTrainer, weightsOf } from "./support/line.ts";
import { Rows } from "./support/rows.ts";
import { DataLoader, SGD, tf } from "../../mod.ts";
import { routeMessages } from "../../runtime/core/messages.ts";
import { gradientOf } from "../../runtime/tensor/gradients.ts";
import { Callback } from "../../runtime/trainer/callback.ts";
import type { LightningModule } from "../../runtime/trainer/lightning_module.ts";
import type { LightningOptimizer } from "../../runtime/trainer/optimization/lightning_optimizer.ts";
import type { Trainer } from "../../runtime/trainer/trainer.ts";
import type { TrainerOptions } from "../../runtime/trainer/trainer_options.ts";

/** Notes where validations ran, as [epoch, batches done]. */
class Validations extends Callback {
  readonly at: [number, number][] = [];
  override onValidationStart(trainer: Trainer) {
    if (!trainer.sanityChecking) this.at.push([trainer.currentEpoch, trainer.batchIdx]);
  }
}

interface Run {
  trainer: Trainer;
  lines: string[];
}

async function fit(
  options: TrainerOptions,
  how: { model?: LightningModule; train?: unknown; val?: unknown } = {},
): Promise<Run> {
  const lines: string[] = [];
  using _ = routeMessages((line) => lines.push(line));
  const trainer = quietTrainer(options);
  const train = (how.train ?? planeLoader()) as DataLoader;
  await trainer.fit(how.model ?? new Line(), train, (how.val ?? planeLoader()) as DataLoader);
  await trainer.close();
  return { trainer, lines };
}

Deno.test("training ends at `maxEpochs` or `maxSteps`, whichever comes first, and says which", async () => {
  for (
    const [options, epochs, steps, message] of [
      [{ maxEpochs: 3 }, 3, 12, "`Trainer.fit` stopped: `max_epochs=3` reached."],
      [{ maxEpochs: 3, maxSteps: 5 }, 1, 5, "`Trainer.fit` stopped: `max_steps=5` reached."],
      [{ maxSteps: 8 }, 2, 8, "`Trainer.fit` stopped: `max_steps=8` reached."],
      [{ maxEpochs: 1, maxSteps: 50 }, 1, 4, "`Trainer.fit` stopped: `max_epochs=1` reached."],
    ] as const
  ) {
    const { trainer, lines } = await fit(options);
    assert.deepEqual([trainer.currentEpoch, trainer.globalStep, lines.at(-1)], [epochs, steps, message]);
  }
});

Deno.test("a second fit goes on where the first ended", async () => {
  const lines: string[] = [];
  using _ = routeMessages((line) => lines.push(line));
  const trainer = quietTrainer({ maxEpochs: 2 });
  const model = new Line();
  await trainer.fit(model, planeLoader());
  await trainer.fit(model, planeLoader());
  await trainer.close();
  assert.equal(trainer.globalStep, 8);
  assert.equal(lines.filter((line) => line.includes("`max_epochs=2` reached")).length, 2);
});

Deno.test("nothing to train on is said, and an empty loader is an error", async () => {
  const { trainer, lines } = await fit({ maxEpochs: 1, limitTrainBatches: 0 });
  assert.equal(trainer.globalStep, 0);
  assert.ok(lines.includes("`Trainer.fit` stopped: No training batches."));
  await assert.rejects(
    fit({ maxEpochs: 1 }, { train: new DataLoader(plane(3), { batchSize: 4, dropLast: true }) }),
    /`trainDataloader` has no batches.*`limitTrainBatches: 0`/s,
  );
  await assert.rejects(fit({ maxEpochs: 1 }, { val: [] }), /`valDataloader` has no batches/);
});

Deno.test("validation runs when `valCheckInterval` and `checkValEveryNEpoch` say so", async () => {
  for (
    const [options, expected] of [
      [{}, [[0, 4], [1, 4]]],
      [{ valCheckInterval: 0.5 }, [[0, 2], [0, 4], [1, 2], [1, 4]]],
      [{ valCheckInterval: "25%" }, [[0, 1], [0, 2], [0, 3], [0, 4], [1, 1], [1, 2], [1, 3], [1, 4]]],
      [{ valCheckInterval: 3 }, [[0, 3], [1, 3]]],
      [{ checkValEveryNEpoch: 2 }, [[1, 4]]],
      [{ valCheckInterval: 3, checkValEveryNEpoch: null }, [[0, 3], [1, 2]]],
      [{ valCheckInterval: 5, checkValEveryNEpoch: null }, [[1, 1]]],
      [{ limitValBatches: 0 }, []],
      [{ valCheckInterval: "00:01:00:00" }, []],
    ] as [TrainerOptions, [number, number][]][]
  ) {
    const validations = new Validations();
    await fit({ maxEpochs: 2, callbacks: validations, ...options });
    assert.deepEqual(validations.at, expected, JSON.stringify(options));
  }
  await assert.rejects(
    fit({ maxEpochs: 1, valCheckInterval: 100 }),
    /`valCheckInterval` \(100\) must be less than or equal to the number of the training batches \(4\)/,
  );
});

Deno.test("the sanity check runs a few batches of each loader, or all, and not when resuming", async () => {
  for (const [numSanityValSteps, expected] of [[undefined, 2], [0, 0], [3, 3], [-1, 4]] as const) {
    let batches = 0;
    class Count extends Callback {
      override onValidationBatchStart(trainer: Trainer) {
        if (trainer.sanityChecking) batches++;
      }
    }
    await fit({ maxEpochs: 1, numSanityValSteps, callbacks: new Count() });
    assert.equal(batches, expected);
  }
});

Deno.test("limits are numbers of batches, fractions or percentages", async () => {
  for (const [limitTrainBatches, expected] of [[1, 1], [3, 3], [0.5, 2], ["100%", 4], [10, 4], ["30%", 1]] as const) {
    const { trainer } = await fit({ maxEpochs: 1, limitTrainBatches });
    assert.equal(trainer.globalStep, expected);
  }
  await assert.rejects(
    fit({ maxEpochs: 1, limitTrainBatches: 0.1 }),
    /You requested to check 0\.1 of the `trainDataloader` but 0\.1 \* 4 < 1.*Try at least `limitTrainBatches: 0\.25`/s,
  );
});

Deno.test("a fast development run takes one step of everything and saves and logs nothing", async () => {
  const logger = new Rows();
  const { trainer, lines } = await fit({ fastDevRun: true, logger, maxEpochs: 5 });
  assert.deepEqual([trainer.globalStep, trainer.currentEpoch, logger.rows.length], [1, 1, 0]);
  assert.match(lines[0], /Running in `fast_dev_run` mode: will run the requested loop using 1 batch\(es\)/);
  assert.equal((await fit({ fastDevRun: 3 })).trainer.globalStep, 3);
});

Deno.test("overfitting uses the same batches in the same order", async () => {
  const seen: number[] = [];
  class Note extends Line {
    override trainingStep(batch: Batch) {
      seen.push(batch[0].dataSync()[0]);
      return this.lossOf(batch);
    }
  }
  const { lines } = await fit(
    { maxEpochs: 2, overfitBatches: 2, limitValBatches: 0 },
    { model: new Note(), train: planeLoader({ shuffle: true }) },
  );
  assert.deepEqual(seen.slice(0, 2), seen.slice(2));
  assert.ok(lines.some((line) => line.includes("We are turning off the train dataloader shuffling for you")));
});

/** The order of step, gradient and update, as Lightning's own test records it. */
class Ordered extends Line {
  readonly order: string[] = [];
  override trainingStep(batch: Batch) {
    this.order.push("ts");
    return this.lossOf(batch);
  }
  override optimizerZeroGrad(_epoch: number, _batchIdx: number, optimizer: LightningOptimizer) {
    this.order.push("zg");
    optimizer.zeroGrad();
  }
  override async backward(loss: tf.Tensor) {
    this.order.push("bw");
    await super.backward(loss);
  }
  override async optimizerStep(...[epoch, batchIdx, optimizer, closure]: Parameters<LightningModule["optimizerStep"]>) {
    this.order.push("step");
    await super.optimizerStep(epoch, batchIdx, optimizer, closure);
  }
}

Deno.test("accumulation steps at the end of each window, and at the end of the epoch", async () => {
  const model = new Ordered();
  const { trainer } = await fit({ maxEpochs: 1, accumulateGradBatches: 3, limitValBatches: 0 }, {
    model,
    train: planeLoader({ samples: 20 }),
  });
  assert.deepEqual(model.order.join(" "), "ts zg bw ts bw step ts bw ts zg bw step ts bw");
  assert.equal(trainer.globalStep, 2);
});

for (const known of [true, false]) {
  Deno.test(`the tail of an accumulation window is divided by the batches that it has, the epoch's length ${known ? "" : "not "}known`, async () => {
    // 5 batches in windows of 3: the second has 2, and its step must be that of one batch of both.
    const loader = planeLoader({ samples: 20 });
    const data = known ? loader : { [Symbol.asyncIterator]: () => loader[Symbol.asyncIterator]() };
    const accumulating = new Line();
    await fit({ maxEpochs: 1, accumulateGradBatches: 3, limitValBatches: 0 }, { model: accumulating, train: data });
    const batched = new Line();
    const { x, y } = await whole(planeLoader({ samples: 20, batchSize: 20 }));
    const batches = [[x.slice([0], [12]), y.slice([0], [12])], [x.slice([12], [8]), y.slice([12], [8])]];
    await fit({ maxEpochs: 1, limitValBatches: 0 }, { model: batched, train: batches });
    const [a, b] = [accumulating, batched].map((model) => Object.values(weightsOf(model)).flat());
    a.forEach((value, i) => assert.ok(Math.abs(value - b[i]) < 1e-6, `${a} and ${b}`));
  });
}

async function whole(loader: DataLoader<Batch>): Promise<{ x: tf.Tensor; y: tf.Tensor }> {
  for await (const [x, y] of loader) return { x: tf.keep(x.clone()), y: tf.keep(y.clone()) };
  throw new Error("no batch");
}

Deno.test("gradients are clipped by norm or by value before the step", async () => {
  for (const [algorithm, limit] of [["norm", 0.01], ["value", 0.001]] as const) {
    const seen: number[] = [];
    class Look extends Line {
      override async optimizerStep(...[, , optimizer, closure]: Parameters<LightningModule["optimizerStep"]>) {
        await closure();
        seen.push(...this.parameters().flatMap((variable) => [...gradientOf(variable)!.dataSync()]));
        optimizer.original.step();
      }
    }
    await fit({
      maxSteps: 1,
      gradientClipVal: limit,
      gradientClipAlgorithm: algorithm,
      limitValBatches: 0,
    }, { model: new Look() });
    if (algorithm === "norm") assert.ok(Math.abs(Math.hypot(...seen) - limit) < 1e-5);
    else seen.forEach((value) => assert.ok(Math.abs(value) <= limit + 1e-9));
  }
});

Deno.test("`shouldStop` ends the training after the step, with a validation, once the least is done", async () => {
  class StopAt extends Callback {
    constructor(readonly step: number) {
      super();
    }
    override onTrainBatchStart(trainer: Trainer) {
      if (trainer.globalStep === this.step) trainer.shouldStop = true;
    }
  }
  const validations = new Validations();
  const { trainer } = await fit({ maxEpochs: 5, callbacks: [new StopAt(5), validations] });
  assert.deepEqual([trainer.currentEpoch, trainer.globalStep, validations.at], [1, 6, [[0, 4], [1, 2]]]);

  const early = await fit({ maxEpochs: 9, minEpochs: 3, callbacks: new StopAt(1) });
  assert.deepEqual([early.trainer.globalStep, early.trainer.currentEpoch], [12, 3]);
  assert.ok(early.lines.some((line) => /required `min_epochs=3` or `min_steps=None` has not been met/.test(line)));

  const steps = await fit({ maxEpochs: 9, minSteps: 7, callbacks: new StopAt(1) });
  assert.equal(steps.trainer.globalStep, 7);
});

Deno.test("-1 from `onTrainBatchStart` skips the rest of the epoch", async () => {
  class Skip extends Line {
    override onTrainBatchStart(_batch: unknown, batchIdx: number) {
      return batchIdx === 2 ? -1 : undefined;
    }
  }
  const { trainer } = await fit({ maxEpochs: 2, limitValBatches: 0 }, { model: new Skip() });
  assert.deepEqual([trainer.globalStep, trainer.currentEpoch], [4, 2]);
});

Deno.test("a step that returns nothing is skipped with a warning, and the weights stay", async () => {
  class None extends Line {
    override trainingStep() {
      return null;
    }
  }
  const model = new None();
  const before = weightsOf(model);
  const { lines } = await fit({ maxEpochs: 1, limitValBatches: 0 }, { model });
  assert.deepEqual(weightsOf(model), before);
  assert.equal(lines.filter((line) => line.includes("[training-step-none]")).length, 1);
});

Deno.test("a loss that is not one finite number is an error that says what to do", async () => {
  const failing = (step: (model: Line, batch: Batch) => unknown, options: TrainerOptions = {}) => {
    class Model extends Line {
      override trainingStep(batch: Batch) {
        return step(this, batch) as tf.Tensor;
      }
    }
    return fit({ maxEpochs: 1, limitValBatches: 0, ...options }, { model: new Model() });
  };
  await assert.rejects(
    failing((m, b) => m.forward(b[0])),
    /the loss must be one number, but has shape \[4,1\]: return `loss.mean\(\)`/,
  );
  await assert.rejects(failing(() => 3), /must return the loss, a tensor, or \{ loss, … \}, but returned number/);
  await assert.rejects(failing(() => ({ los: 1 })), /returned \{ los \}/);
  await assert.rejects(
    failing((m, b) => m.lossOf(b).mul(NaN), { detectAnomaly: true }),
    /The loss is NaN at epoch 0, batch 0/,
  );
  await assert.rejects(
    failing((m, b) => m.forward(b[0]).mul(0).sqrt().mean(), { detectAnomaly: true }),
    /The gradients of net\.0\.kernel, net\.0\.bias are not finite at epoch 0, batch 0/,
  );
});

Deno.test("two optimizers take turns in manual optimization, and one training step is counted", async () => {
  class Pair extends Line {
    override automaticOptimization = false;
    readonly a = tf.variable(tf.scalar(1));
    readonly b = tf.variable(tf.scalar(1));
    override async trainingStep() {
      const [first, second] = this.optimizers() as LightningOptimizer[];
      this.toggleOptimizer(first);
      await this.manualBackward(this.a.mul(this.b).square() as tf.Tensor);
      await first.step();
      first.zeroGrad();
      this.untoggleOptimizer(first);
      // A second pass of the same step.
      this.toggleOptimizer(second);
      await this.manualBackward(this.a.mul(this.b).square() as tf.Tensor);
      await second.step();
      second.zeroGrad();
      this.untoggleOptimizer(second);
    }
    override configureOptimizers() {
      return [
        new SGD({ learningRate: 0.1, parameters: [this.a] }),
        new SGD({ learningRate: 0.1, parameters: [this.b] }),
      ];
    }
  }
  const model = new Pair();
  const { trainer } = await fit({ maxSteps: 1, limitValBatches: 0 }, { model });
  assert.deepEqual([trainer.globalStep, trainer.optimizerSteps], [1, 2]);
  // The gradient of a²b² is 2ab² for a, and then 2a²b for b with the new a; that of the first pass is not in it.
  assert.ok(Math.abs(model.a.dataSync()[0] - 0.8) < 1e-6);
  assert.ok(Math.abs(model.b.dataSync()[0] - (1 - 0.1 * 2 * 0.8 ** 2)) < 1e-6);
});

Deno.test("automatic optimization takes one optimizer, and manual what it can do itself", async () => {
  class Two extends Line {
    override configureOptimizers() {
      return [tf.train.sgd(0.1), tf.train.sgd(0.1)];
    }
  }
  await assert.rejects(fit({ maxEpochs: 1 }, { model: new Two() }), /only supported with manual optimization/);
  class Manual extends Line {
    override automaticOptimization = false;
  }
  await assert.rejects(
    fit({ gradientClipVal: 1 }, { model: new Manual() }),
    /gradient clipping is not supported for manual/,
  );
  await assert.rejects(
    fit({ accumulateGradBatches: 2 }, { model: new Manual() }),
    /accumulation is not supported for manual/,
  );
  class Odd extends Line {
    override configureOptimizers() {
      return { optimiser: tf.train.sgd(0.1) } as never;
    }
  }
  await assert.rejects(fit({ maxEpochs: 1 }, { model: new Odd() }), /`optimiser`; did you mean `optimizer`\?/);
  class Plateau extends Line {
    override configureOptimizers() {
      const optimizer = tf.train.sgd(0.1);
      return {
        optimizer,
        lrScheduler: { scheduler: { step() {}, stateDict: () => ({}), loadStateDict() {} }, reduceOnPlateau: true },
      };
    }
  }
  await assert.rejects(fit({ maxEpochs: 1 }, { model: new Plateau() }), /which metric a plateau scheduler watches/);
});

Deno.test("modes of the model's parts survive a validation", async () => {
  class Inner extends Line {}
  class Outer extends Line {
    readonly frozen = new Inner();
    override onTrainStart() {
      this.frozen.eval();
    }
  }
  const model = new Outer();
  const seen: boolean[][] = [];
  class Look extends Callback {
    override onTrainEpochStart() {
      seen.push([model.training, model.frozen.training]);
    }
    override onValidationStart() {
      seen.push([model.training, model.frozen.training]);
    }
  }
  await fit({ maxEpochs: 2, numSanityValSteps: 0, callbacks: new Look() }, { model });
  assert.deepEqual(seen, [[true, false], [false, false], [true, false], [false, false]]);
});

Deno.test("an error in a hook reaches the caller, after `onException` and with the loggers closed", async () => {
  const logger = new Rows();
  const seen: unknown[] = [];
  class Watch extends Callback {
    override onException(_trainer: Trainer, _module: LightningModule, error: unknown) {
      seen.push((error as Error).message);
    }
  }
  class Failing extends Line {
    override onTrainBatchEnd(_outputs: unknown, _batch: unknown, batchIdx: number) {
      if (batchIdx === 1) throw new Error("enough");
    }
  }
  const model = new Failing();
  await assert.rejects(fit({ maxEpochs: 1, callbacks: new Watch(), logger }, { model }), /^Error: enough$/);
  assert.deepEqual([seen, logger.finalized], [["enough"], ["failed"]]);
  assert.throws(() => model.trainer, /is not attached to a `Trainer`/);
});

Deno.test("predictions come in the order of the data, and are the caller's", async () => {
  using _ = routeMessages(() => {});
  const trainer = quietTrainer();
  const model = new Line();
  const parts = await trainer.predict(model, planeLoader({ samples: 10 })) as tf.Tensor[];
  const { x } = await whole(planeLoader({ samples: 10, batchSize: 10 }));
  assert.deepEqual(parts.flatMap((part) => [...part.dataSync()]), [...model.forward(x).dataSync()]);
  assert.deepEqual(await trainer.predict(model, { dataloaders: planeLoader(), returnPredictions: false }), []);
  tf.dispose(parts);
  await trainer.close();
});

Deno.test("time ends a training", async () => {
  const { trainer, lines } = await fit({ maxTime: { seconds: 0 }, limitValBatches: 0 });
  assert.equal(trainer.globalStep, 1);
  assert.match(lines.join("\n"), /Time limit reached\. Elapsed time is 0:00:00\. Signaling Trainer to stop\./);
});

Deno.test("a rehearsal leaves everything as it was", async () => {
  class Rehearse extends Callback {
    readonly losses: number[] = [];
    override async onFitStart(trainer: Trainer) {
      await trainer.rehearse({ steps: 6, batchSize: 8, onStep: (_step, loss) => void this.losses.push(loss) });
    }
  }
  const options: TrainerOptions = { maxEpochs: 2, limitValBatches: 0 };
  class Momentum extends Line {
    override readonly net = tf.sequential({ layers: [dense(3, 2), dense(1, 3)] });
    override configureOptimizers() {
      return tf.train.adam(0.05);
    }
  }
  const [plain, rehearsed] = [new Momentum(), new Momentum()];
  await fit(options, { model: plain });
  const callback = new Rehearse();
  const { trainer } = await fit({ ...options, callbacks: callback }, { model: rehearsed });
  assert.equal(callback.losses.length, 6);
  assert.ok(callback.losses[5] < callback.losses[0]);
  assert.equal(trainer.globalStep, 8);
  assert.deepEqual(weightsOf(rehearsed), weightsOf(plain));
});

Deno.test("loaders are asked for again every so many epochs", async () => {
  let asked = 0;
  class Own extends Line {
    override trainDataloader() {
      asked++;
      return planeLoader();
    }
  }
  using _ = routeMessages(() => {});
  const trainer = quietTrainer({ maxEpochs: 5, reloadDataloadersEveryNEpochs: 2 });
  await trainer.fit(new Own());
  await trainer.close();
  assert.equal(asked, 3);
});
