import assert from "node:assert/strict";
import { Line, planeLoader, quietTrainer } from "../support/line.ts";
import {
  Callback,
  type OptimizerConfiguration,
  ReduceLROnPlateau,
  SGD,
  StepLR,
  tf,
  type Trainer,
} from "../../../mod.ts";
import { forgetWarnings, routeMessages } from "../../../runtime/core/messages.ts";
import { parseOptimizerConfiguration } from "../../../runtime/trainer/optimization/optimizer_config.ts";

const scheduler = { step() {}, stateDict: () => ({}), loadStateDict() {} };

/** The sorted form: how many optimizers, and for each scheduler which one it belongs to. */
function sorted(given: unknown): [number, (number | undefined)[]] {
  const { optimizers, schedulers } = parseOptimizerConfiguration(given);
  return [optimizers.length, schedulers.map(({ optimizerIndex }) => optimizerIndex)];
}

Deno.test("every form that configureOptimizers may return is understood", () => {
  const a = tf.train.sgd(0.1), b = tf.train.adam(0.1);
  const cases: [unknown, [number, (number | undefined)[]]][] = [
    [null, [0, []]],
    [undefined, [0, []]],
    [[], [0, []]],
    [a, [1, []]],
    [[a], [1, []]],
    [[a, b], [2, []]],
    [{ optimizer: a }, [1, []]],
    [{ optimizer: a, lrScheduler: undefined }, [1, []]],
    [{ optimizer: a, lrScheduler: scheduler }, [1, [0]]],
    [{ optimizer: a, lrScheduler: () => scheduler }, [1, [0]]],
    [{ optimizer: a, lrScheduler: { scheduler, interval: "step", frequency: 2 } }, [1, [0]]],
    [[{ optimizer: a, lrScheduler: scheduler }, { optimizer: b, lrScheduler: scheduler }], [2, [0, 1]]],
    [[{ optimizer: a }, { optimizer: b, lrScheduler: scheduler }], [2, [1]]],
    [[[a], [scheduler]], [1, [0]]],
    [[[a], [scheduler, scheduler]], [1, [0, 0]]],
    [[[a, b], [scheduler]], [2, [0]]],
    [[[a, b], [scheduler, { scheduler, interval: "step" }]], [2, [0, 1]]],
    [[[a, b], [scheduler, scheduler, scheduler]], [2, [0, 1, undefined]]],
    [[[a], []], [1, []]],
  ];
  for (const [given, expected] of cases) assert.deepEqual(sorted(given), expected);
  const { schedulers: [{ options }] } = parseOptimizerConfiguration({
    ...{ optimizer: a, lrScheduler: scheduler, monitor: "val_loss" },
  });
  assert.equal(options.monitor, "val_loss");
});

Deno.test("anything else is an error that says what it may return", () => {
  const optimizer = tf.train.sgd(0.1);
  const cases: [unknown, RegExp][] = [
    ["sgd", /returned string, but it must be an optimizer, an array of optimizers, \{ optimizer, lrScheduler \}/],
    [
      [optimizer, new StepLR(new SGD({ learningRate: 0.1 }), { stepSize: 1 })],
      /an array of something else.*\[optimizers, schedulers\]/,
    ],
    [[optimizer, scheduler], /a record with `step`\. It takes `optimizer`/],
    [[[scheduler], [optimizer]], /an array of something else/],
    [new Map(), /returned Map/],
    [{ lrScheduler: scheduler }, /must be an optimizer/],
    [{ optimizer, lrSheduler: scheduler }, /`lrSheduler`; did you mean `lrScheduler`\?/],
    [{ optimizer, lrScheduler: "step" }, /must be a scheduler, or a record such as/],
    [{ optimizer, lrScheduler: { interval: "step" } }, /must be a scheduler, or a record/],
    [{ optimizer, lrScheduler: { scheduler, intervall: "step" } }, /`intervall`; did you mean `interval`\?/],
    [
      { optimizer, lrScheduler: { scheduler, interval: "batch" } },
      /`interval` must be "epoch" or "step", but got "batch"/,
    ],
    [{ optimizer, lrScheduler: { scheduler, frequency: 0 } }, /`frequency` must be a positive integer, but got 0/],
  ];
  for (const [given, message] of cases) assert.throws(() => parseOptimizerConfiguration(given), message);
});

/** Trains two epochs of four batches; the learning rates of the steps, and what was said. */
async function fit(configure: () => unknown): Promise<{ rates: number[]; lines: string[] }> {
  class Configured extends Line {
    override configureOptimizers() {
      return configure.call(this) as OptimizerConfiguration;
    }
  }
  const rates: number[] = [], lines: string[] = [];
  class Rates extends Callback {
    override onTrainBatchStart(trainer: Trainer) {
      rates.push(trainer.optimizers[0]?.learningRate ?? 0);
    }
  }
  using _ = routeMessages((line) => lines.push(line));
  await using trainer = quietTrainer({ maxEpochs: 2, callbacks: new Rates() });
  await trainer.fit(new Configured(), planeLoader(), planeLoader());
  return { rates, lines };
}

Deno.test("schedulers advance after epochs or steps, as often as asked, of tfjs's optimizers too", async () => {
  const half = (optimizer: SGD) => new StepLR(optimizer, { stepSize: 1, gamma: 0.5 });
  const rates = async (lrScheduler: object) => {
    const { rates } = await fit(() => ({ optimizer: tf.train.sgd(1 / 64), lrScheduler }));
    return rates.map((rate) => rate * 64);
  };
  assert.deepEqual(await rates(half), [1, 1, 1, 1, 0.5, 0.5, 0.5, 0.5]);
  assert.deepEqual(await rates({ scheduler: half, interval: "step" }), [0, 1, 2, 3, 4, 5, 6, 7].map((n) => 2 ** -n));
  assert.deepEqual(
    await rates({ scheduler: half, interval: "step", frequency: 3 }),
    [1, 1, 1, 0.5, 0.5, 0.5, 0.25, 0.25],
  );
  assert.deepEqual(await rates({ scheduler: half, frequency: 2 }), Array(8).fill(1));
  const { rates: promised } = await fit(() => Promise.resolve(tf.train.sgd(0.25)));
  assert.deepEqual(promised, Array(8).fill(0.25));
});

Deno.test("a plateau scheduler without its metric is an error that lists those there are, or waits if it is not strict", async () => {
  forgetWarnings();
  const plateau = (options: object) => () => ({
    optimizer: tf.train.sgd(0.1),
    lrScheduler: { scheduler: (optimizer: SGD) => new ReduceLROnPlateau(optimizer), ...options },
  });
  await assert.rejects(
    fit(plateau({ monitor: "val_los" })),
    /conditioned on the metric `val_los`, which is not available\. Available metrics are: .*`val_loss`/,
  );
  await assert.rejects(fit(plateau({})), /which metric a plateau scheduler watches/);
  const { rates, lines } = await fit(plateau({ monitor: "val_los", strict: false }));
  assert.deepEqual(rates, Array(8).fill(rates[0]));
  assert.equal(lines.filter((line) => line.includes("[scheduler-metric:val_los]")).length, 1);
  forgetWarnings();
});

Deno.test("a fit without an optimizer runs and says so", async () => {
  forgetWarnings();
  const { rates, lines } = await fit(() => null);
  assert.equal(rates.length, 8);
  assert.ok(lines.some((line) => /returned nothing, this fit will run with no optimizer/.test(line)), lines.join("\n"));
});

Deno.test("a scheduler function must make a scheduler, for an optimizer that is known", async () => {
  await assert.rejects(
    fit(() => ({ optimizer: tf.train.sgd(0.1), lrScheduler: () => undefined })),
    /must have a method `step`, or be a function that takes the optimizer .* but got undefined/,
  );
  class Two extends Line {
    override automaticOptimization = false;
    override configureOptimizers() {
      return [[tf.train.sgd(1), tf.train.sgd(1)], [() => scheduler, () => scheduler, () => scheduler]] as never;
    }
  }
  await using trainer = quietTrainer({ maxEpochs: 1 });
  await assert.rejects(trainer.fit(new Two(), planeLoader()), /more schedulers than its 2 optimizers/);
});
