import assert from "node:assert/strict";
import { tensorflowTest } from "../accelerators/tensorflow/only_with_tensorflow.ts";
import { type Batch, Line, planeLoader, quietTrainer, weightsOf } from "./support/line.ts";
import { Rows } from "./support/rows.ts";
import { Adam, type LightningOptimizer, MeanSquaredError, SGD, StepLR, tf } from "../../mod.ts";
import { forgetWarnings, routeMessages } from "../../runtime/core/messages.ts";
import { Callback } from "../../runtime/trainer/callback.ts";
import type { Trainer } from "../../runtime/trainer/trainer.ts";
import type { TrainerOptions } from "../../runtime/trainer/trainer_options.ts";

/** Logs a tensor for the step and the epoch, and a metric that the step updates. */
class Watched extends Line {
  readonly error = new MeanSquaredError();
  override trainingStep([x, y]: Batch): ReturnType<Line["trainingStep"]> {
    const output = this.forward(x);
    const loss = output.sub(y).square().mean();
    this.error.update(output, y);
    this.log("loss", loss, { onStep: true, onEpoch: true });
    this.log("error", this.error, { onStep: false, onEpoch: true });
    return loss;
  }
}

async function fit(model: Line, options: TrainerOptions, samples = 42) {
  const lines: string[] = [];
  forgetWarnings();
  using _ = routeMessages((line) => lines.push(line));
  const logger = new Rows();
  const trainer = quietTrainer({ maxEpochs: 4, logger, logEveryNSteps: 1, ...options });
  const before = tf.memory().numTensors;
  await trainer.fit(model, planeLoader({ samples }));
  const added = tf.memory().numTensors - before;
  await trainer.close();
  const told = lines.filter((line) => line.includes("trainingStep"));
  return { rows: logger.rows, weights: weightsOf(model), told, added, trainer };
}

function assertClose(actual: readonly Record<string, number>[], expected: readonly Record<string, number>[]): void {
  assert.deepEqual(actual.map(Object.keys), expected.map(Object.keys));
  for (const [i, row] of expected.entries()) {
    for (const [name, value] of Object.entries(row)) {
      const difference = Math.abs(actual[i][name] - value);
      assert.ok(difference <= 1e-5 * Math.max(1, Math.abs(value)), `row ${i}: ${name} ${actual[i][name]} ${value}`);
    }
  }
}

tensorflowTest("a compiled training logs, counts and learns what one op by op does", async (t) => {
  for (
    const [name, options] of [
      ["with a last, smaller batch", {}],
      ["accumulating batches", { accumulateGradBatches: 3 }],
      ["clipping the norm of gradients", { gradientClipVal: 0.05 }],
      ["clipping gradients by value", { gradientClipVal: 0.05, gradientClipAlgorithm: "value" }],
    ] as [string, TrainerOptions][]
  ) {
    await t.step(name, async () => {
      const plain = await fit(new Watched(), { ...options, compile: false });
      const compiled = await fit(new Watched(), { ...options, compile: "graph" });
      assert.match(compiled.told.join("\n"), /^`trainingStep` was recorded \(\d+ ops\) and runs/);
      assert.deepEqual(plain.told, []);
      assertClose(compiled.rows, plain.rows);
      for (const [name, values] of Object.entries(plain.weights)) {
        for (const [i, value] of values.entries()) assert.ok(Math.abs(compiled.weights[name][i] - value) < 1e-5);
      }
      assert.equal(compiled.added, plain.added);
    });
  }
});

tensorflowTest("a compiled training follows its schedulers, and what is logged of them", async () => {
  class Scheduled extends Watched {
    override configureOptimizers(): ReturnType<Line["configureOptimizers"]> {
      const optimizer = tf.train.sgd(0.2);
      return {
        optimizer,
        lrScheduler: { scheduler: (made) => new StepLR(made, { stepSize: 3, gamma: 0.5 }), interval: "step" },
      };
    }
  }
  const plain = await fit(new Scheduled(), { compile: false });
  const compiled = await fit(new Scheduled(), { compile: "graph" });
  assert.equal(compiled.told.length, 1);
  assertClose(compiled.rows, plain.rows);
});

tensorflowTest("what runs in the middle of a step keeps it from being compiled, and is named", async () => {
  class Hooked extends Line {
    override onAfterBackward() {}
  }
  const { told } = await fit(new Hooked(), {});
  assert.equal(told.length, 1);
  assert.match(told[0], /`trainingStep` runs op by op, because `onAfterBackward` is called in the middle of it/);
  class Counting extends Callback {
    count = 0;
    override onBeforeZeroGrad() {
      this.count++;
    }
  }
  const callback = new Counting();
  const { told: again, trainer } = await fit(new Line(), { callbacks: callback });
  assert.match(again[0], /because `onBeforeZeroGrad` is called/);
  assert.equal(callback.count, trainer.globalStep);
});

tensorflowTest("a step that takes the number of its batch, logs a number or reads a value runs op by op", async () => {
  const numbers: number[] = [];
  class Numbered extends Line {
    override trainingStep(batch: Batch, batchIdx: number) {
      numbers.push(batchIdx);
      return super.trainingStep(batch, batchIdx);
    }
  }
  const numbered = await fit(new Numbered(), { maxEpochs: 1 });
  assert.match(numbered.told[0], /because it takes `batchIdx`/);
  assert.deepEqual(numbers, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);

  class LogsNumber extends Line {
    steps = 0;
    override trainingStep(batch: Batch) {
      this.log("steps", ++this.steps);
      return this.lossOf(batch);
    }
  }
  const logs = await fit(new LogsNumber(), { maxEpochs: 1 });
  assert.match(logs.told[0], /because it logs `steps` as a number, which would stay the same/);
  assert.deepEqual(logs.rows.map(({ steps }) => steps), [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]);

  class Reads extends Line {
    override trainingStep(batch: Batch) {
      const loss = this.lossOf(batch);
      return loss.dataSync()[0] > 1 ? loss : loss.mul(2);
    }
  }
  const reads = await fit(new Reads(), { maxEpochs: 1 });
  assert.match(reads.told[0], /runs op by op, because it reads/);
});

/** Two optimizers that take turns in each step, the second at half the loss. */
class Turns extends Watched {
  override automaticOptimization = false;
  override async trainingStep([x, y]: Batch): Promise<undefined> {
    const [kernels, biases] = this.optimizers() as LightningOptimizer[];
    for (const [optimizer, share] of [[kernels, 1], [biases, 0.5]] as const) {
      this.toggleOptimizer(optimizer);
      const output = this.forward(x), loss = output.sub(y).square().mean().mul(share) as tf.Scalar;
      optimizer.zeroGrad();
      await this.manualBackward(loss);
      await optimizer.step();
      this.untoggleOptimizer(optimizer);
      if (share === 1) this.log("loss", loss, { onStep: true, onEpoch: true });
      if (share === 1) this.error.update(output, y);
    }
    this.log("error", this.error, { onStep: false, onEpoch: true });
  }
  override configureOptimizers(): never {
    const [kernel, bias] = this.parameters();
    return [
      new Adam({ learningRate: 0.1, parameters: [kernel] }),
      new SGD({ learningRate: 0.2, parameters: [bias] }),
    ] as never;
  }
}

tensorflowTest(
  "manual optimization is compiled if asked for, and then learns and counts what it does op by op",
  async () => {
    const plain = await fit(new Turns(), { compile: "auto" });
    assert.deepEqual(plain.told, []);
    for (const compile of ["graph", "xla"] as const) {
      const compiled = await fit(new Turns(), { compile });
      assert.match(compiled.told.join("\n"), /^`trainingStep` was recorded \(\d+ ops\) and runs/);
      assertClose(compiled.rows, plain.rows);
      for (const [name, values] of Object.entries(plain.weights)) {
        for (const [i, value] of values.entries()) assert.ok(Math.abs(compiled.weights[name][i] - value) < 1e-5);
      }
      assert.equal(compiled.added, plain.added);
      assert.deepEqual(
        [compiled.trainer.globalStep, compiled.trainer.optimizerSteps],
        [plain.trainer.globalStep, plain.trainer.optimizerSteps],
      );
      assert.equal(compiled.trainer.optimizerSteps, 2 * compiled.trainer.globalStep);
    }
  },
);

tensorflowTest(
  "manual optimization that steps its schedulers, or takes turns by the step's number, runs op by op",
  async () => {
    class Scheduling extends Turns {
      override async trainingStep(batch: Batch): Promise<undefined> {
        await super.trainingStep(batch);
        this.lrSchedulers();
      }
    }
    const scheduling = await fit(new Scheduling(), { compile: "graph" });
    assert.match(scheduling.told.join("\n"), /runs op by op, because it asks for the schedulers/);
    class Alternating extends Turns {
      override async trainingStep(batch: Batch): Promise<undefined> {
        if (this.trainer.globalStep % 3 !== 0) await super.trainingStep(batch);
      }
    }
    const plain = await fit(new Alternating(), { compile: false });
    const alternating = await fit(new Alternating(), { compile: "graph" });
    assert.deepEqual(alternating.weights, plain.weights);
  },
);

tensorflowTest("a step that looks at the epoch is recorded for each", async () => {
  class ByEpoch extends Line {
    override trainingStep(batch: Batch) {
      const loss = this.lossOf(batch).mul(this.currentEpoch === 0 ? 1 : 0.5);
      this.log("loss", loss);
      return loss;
    }
  }
  const plain = await fit(new ByEpoch(), { compile: false });
  const compiled = await fit(new ByEpoch(), { compile: "graph" });
  assert.match(compiled.told[0], /was recorded/);
  assertClose(compiled.rows, plain.rows);
});

tensorflowTest("callbacks see what a compiled step left: parameters, outputs and metrics", async () => {
  const seen: { weights: number[][]; losses: number[] }[] = [];
  for (const compile of ["graph", false] as const) {
    const record = { weights: [] as number[][], losses: [] as number[] };
    seen.push(record);
    class Watcher extends Callback {
      override async onTrainBatchEnd(_: Trainer, module: Line, outputs: unknown) {
        record.weights.push(Object.values(weightsOf(module)).flat());
        record.losses.push((await (outputs as tf.Tensor).data())[0]);
      }
    }
    await fit(new Line(), { compile, callbacks: new Watcher() });
  }
  const [compiled, plain] = seen;
  assert.equal(compiled.losses.length, 44);
  const close = (a: number[], b: number[]) => a.every((x, i) => Math.abs(x - b[i]) < 1e-5);
  assert.ok(close(compiled.losses, plain.losses));
  assert.ok(compiled.weights.every((weights, i) => close(weights, plain.weights[i])));
});

Deno.test("a `compile` that is no mode is an error that lists them", () => {
  assert.throws(
    () => quietTrainer({ compile: "jit" as "xla" }),
    /`Trainer\(\{ compile \}\)` must be "auto", "xla", "graph", "exact" or false, but got "jit"/,
  );
});
