import assert from "node:assert/strict";
import { AdamW } from "../../runtime/optim/adam_w.ts";
import * as schedulers from "../../runtime/optim/schedulers.ts";
import type { RateOwner } from "../../runtime/optim/schedulers.ts";
import type { StateDict } from "../../runtime/tensor/state.ts";
import { tf } from "../../runtime/tensor/tf.ts";
import recorded from "../fixtures/optim/schedulers.json" with { type: "json" };
import { assertClose, onEachBackend } from "../tensor/on_each_backend.ts";

const { ExponentialLR, LambdaLR, LinearLR, OneCycleLR, ReduceLROnPlateau, SequentialLR, StepLR, WarmupLR } = schedulers;

interface Scheduler {
  step(metric?: number): void;
  stateDict(): StateDict;
  loadStateDict(state: StateDict): void;
}

/** Makes the scheduler that PyTorch's was recorded with. */
function make(name: string, options: object, optimizer: RateOwner): Scheduler {
  if (name === "LambdaLR") return new LambdaLR(optimizer, { lambda: (step) => 0.95 ** step });
  if (name === "SequentialLR") {
    return new SequentialLR(optimizer, {
      schedulers: [
        new LinearLR(optimizer, { startFactor: 0.1, totalIters: 5 }),
        new LambdaLR(optimizer, { lambda: () => 1 }),
        new ExponentialLR(optimizer, { gamma: 0.9 }),
      ],
      milestones: [5, 12],
    });
  }
  if (name === "WarmupLR") {
    const after = new schedulers.CosineAnnealingLR(optimizer, { tMax: 22, etaMin: 0.01 });
    return new WarmupLR(optimizer, { warmupSteps: 8, startFactor: 0.01, after });
  }
  const Kind = schedulers[name as "StepLR"] as unknown as new (optimizer: RateOwner, options: object) => Scheduler;
  return new Kind(optimizer, options);
}

for (const [index, { name, options, rates }] of recorded.cases.entries()) {
  const title = `${name} ${JSON.stringify(options)}`;
  Deno.test(`${title} gives PyTorch's rates (${index})`, () => {
    const optimizer = { learningRate: recorded.learningRate };
    const scheduler = make(name, options, optimizer);
    const actual = [optimizer.learningRate];
    for (let step = 1; step < rates.length; step++) {
      scheduler.step(recorded.metrics[step - 1]);
      actual.push(optimizer.learningRate);
    }
    assertClose(actual, rates, 1e-9);
  });

  Deno.test(`${title} goes on from a saved state to the bit (${index})`, () => {
    const optimizer = { learningRate: recorded.learningRate };
    const scheduler = make(name, options, optimizer);
    for (let step = 1; step < 14; step++) scheduler.step(recorded.metrics[step - 1]);
    const saved = structuredClone(scheduler.stateDict());
    // The optimizer has been restored too, so its rate is not the initial one any more.
    const other = { learningRate: optimizer.learningRate };
    const resumed = make(name, options, other);
    resumed.loadStateDict(saved);
    assert.equal(other.learningRate, optimizer.learningRate);
    for (let step = 14; step < rates.length; step++) {
      scheduler.step(recorded.metrics[step - 1]);
      resumed.step(recorded.metrics[step - 1]);
      assert.equal(other.learningRate, optimizer.learningRate);
    }
  });
}

onEachBackend("schedulers set the rates of this library's and of tfjs's optimizers", () => {
  for (const optimizer of [new AdamW({ learningRate: 1 }), tf.train.adam(1), tf.train.sgd(1)]) {
    const scheduler = new StepLR(optimizer, { stepSize: 1, gamma: 0.5 });
    scheduler.step();
    assert.equal(scheduler.learningRate, 0.5);
    optimizer.dispose();
  }
});

onEachBackend("tfjs's SGD really steps with the rate that a scheduler set", () => {
  const w = tf.tidy(() => tf.variable(tf.scalar(1)));
  const optimizer = tf.train.sgd(1);
  new LinearLR(optimizer, { startFactor: 0.25 });
  const gradient = tf.scalar(1);
  optimizer.applyGradients({ [w.name]: gradient });
  assert.equal(w.dataSync()[0], 0.75);
  tf.dispose([w, gradient]);
  optimizer.dispose();
});

Deno.test("wrong options, optimizers, metrics and states are refused", () => {
  const optimizer = { learningRate: 1 };
  assert.throws(() => new StepLR(optimizer, { stepSize: 0 }), /`stepSize` must be a whole number from 1, but got 0/);
  assert.throws(() => new StepLR(optimizer, { step: 1 } as never), /`StepLR` has no option `step`/);
  assert.throws(() => new StepLR({} as RateOwner, { stepSize: 1 }), /needs an optimizer with a learning rate/);
  assert.throws(
    () => new LambdaLR(optimizer, { lambda: () => NaN }),
    /must return a number from 0, but returned NaN for step 0/,
  );
  assert.throws(() => new OneCycleLR(optimizer, { maxLearningRate: 1, epochs: 3 }), /needs `totalSteps`, or both/);
  assert.throws(
    () => new OneCycleLR(optimizer, { maxLearningRate: 1, totalSteps: 9, annealStrategy: "sin" as "cos" }),
    /must be "cos" or "linear", but got sin/,
  );
  const cycle = new OneCycleLR(optimizer, { maxLearningRate: 1, totalSteps: 2 });
  cycle.step();
  cycle.step();
  assert.throws(() => cycle.step(), /made for 2 steps, but is stepped 3 times/);
  assert.throws(() => new ReduceLROnPlateau(optimizer, { factor: 1 }), /`factor` must be a number from 0 and below 1/);
  assert.throws(() => new ReduceLROnPlateau(optimizer, { mode: "up" as "min" }), /"min" or "max", but got up/);
  assert.throws(
    () => new ReduceLROnPlateau(optimizer).step(),
    /needs the metric it watches as a number, but got nothing/,
  );
  const [a, b] = [new StepLR(optimizer, { stepSize: 1 }), new StepLR({ learningRate: 1 }, { stepSize: 1 })];
  assert.throws(
    () => new SequentialLR(optimizer, { schedulers: [a, b], milestones: [1] }),
    /made for its own optimizer/,
  );
  assert.throws(
    () => new SequentialLR(optimizer, { schedulers: [a, a], milestones: [] }),
    /one milestone fewer than schedulers/,
  );
  assert.throws(
    () => new SequentialLR(optimizer, { schedulers: [a, a, a], milestones: [3, 3] }),
    /must rise, but got 3, 3/,
  );
  assert.throws(() => a.loadStateDict({ name: "LinearLR" }), /state of LinearLR, which StepLR cannot go on from/);
  assert.throws(() => a.loadStateDict({ name: "StepLR" }), /must have a number `step`/);
});
