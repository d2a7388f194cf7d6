import assert from "node:assert/strict";
import { Adam } from "../../runtime/optim/adam.ts";
import { AdamW } from "../../runtime/optim/adam_w.ts";
import { asOptimizer, type Optimizer } from "../../runtime/optim/optimizer.ts";
import { SGD } from "../../runtime/optim/sgd.ts";
import { accumulateGradient, gradientOf, setGradient, zeroGradients } from "../../runtime/tensor/gradients.ts";
import { withScope } from "../../runtime/tensor/scope.ts";
import { snapshot } from "../../runtime/tensor/read.ts";
import type { StateDict } from "../../runtime/tensor/state.ts";
import { tf } from "../../runtime/tensor/tf.ts";
import recorded from "../fixtures/optim/optimizers.json" with { type: "json" };
import { assertClose, onEachBackend } from "../tensor/on_each_backend.ts";

type Name = "kernel" | "bias";
const NAMES: readonly Name[] = ["kernel", "bias"];

function variables(): Map<string, tf.Variable> {
  return withScope(() =>
    new Map(NAMES.map((name) => [name, tf.variable(tf.tensor(recorded.start[name], recorded.shapes[name]))]))
  );
}

/** Takes the recorded steps `from` to `to`. */
function train(optimizer: Optimizer, named: Map<string, tf.Variable>, from: number, to: number): void {
  for (let step = from; step < to; step++) {
    withScope(() => {
      for (const name of NAMES) {
        accumulateGradient(named.get(name)!, tf.tensor(recorded.gradients[step][name], recorded.shapes[name]));
      }
      optimizer.step();
      optimizer.zeroGrad();
    });
  }
}

function values(named: Map<string, tf.Variable>): number[][] {
  return [...named.values()].map((variable) => [...variable.dataSync()]);
}

function dispose(optimizer: Optimizer, named: Map<string, tf.Variable>): void {
  optimizer.dispose();
  tf.dispose([...named.values()]);
}

interface TorchOptions {
  lr: number;
  betas?: number[];
  eps?: number;
  weight_decay?: number;
  momentum?: number;
  nesterov?: boolean;
}

function likeTorch(kind: string, { lr, weight_decay, ...options }: TorchOptions): Optimizer & (SGD | Adam) {
  const all = { learningRate: lr, ...(weight_decay === undefined ? {} : { weightDecay: weight_decay }), ...options };
  const Kind = { SGD, Adam, AdamW }[kind]!;
  return new Kind(all as ConstructorParameters<typeof Kind>[0]);
}

onEachBackend("SGD, Adam and AdamW take the same twenty steps as PyTorch's", () => {
  assert.equal(recorded.cases.length, 10);
  for (const { kind, options, history } of recorded.cases) {
    const named = variables();
    const optimizer = asOptimizer(likeTorch(kind, options), { named });
    for (const [step, expected] of history.entries()) {
      train(optimizer, named, step, step + 1);
      assertClose(named.get("kernel")!.dataSync(), expected.kernel, 3e-6);
      assertClose(named.get("bias")!.dataSync(), expected.bias, 3e-6);
    }
    dispose(optimizer, named);
  }
});

const MAKERS: Record<string, () => tf.Optimizer | Optimizer> = {
  "tf.train.sgd": () => tf.train.sgd(0.1),
  "tf.train.momentum": () => tf.train.momentum(0.1, 0.9, true),
  "tf.train.adagrad": () => tf.train.adagrad(0.1),
  "tf.train.adadelta": () => tf.train.adadelta(0.1),
  "tf.train.adam": () => tf.train.adam(0.1),
  "tf.train.adamax": () => tf.train.adamax(0.1, 0.9, 0.99, 1e-7, 0.1),
  "tf.train.rmsprop": () => tf.train.rmsprop(0.1, 0.9, 0.5, 1e-7, true),
  "SGD": () => new SGD({ learningRate: 0.1, momentum: 0.9 }),
  "Adam": () => new Adam({ learningRate: 0.1, weightDecay: 0.1 }),
  "AdamW": () => new AdamW({ learningRate: 0.1 }),
};

for (const [name, make] of Object.entries(MAKERS)) {
  onEachBackend(`${name} that is saved and loaded goes on to the bit, into a fresh or a used optimizer`, async () => {
    const named = variables();
    const optimizer = asOptimizer(make(), { named });
    train(optimizer, named, 0, 10);
    optimizer.learningRate = 0.05;
    // Through host tensors, as from a file.
    const saved = await snapshot(optimizer.stateDict()) as StateDict;
    const weights = values(named);
    train(optimizer, named, 10, 20);
    const undisturbed = values(named);

    for (const used of [false, true]) {
      const again = variables();
      const resumed = asOptimizer(make(), { named: again });
      if (used) train(resumed, again, 0, 3);
      resumed.loadStateDict(saved);
      assert.equal(resumed.learningRate, 0.05);
      withScope(() => [...again.values()].forEach((v, i) => v.assign(tf.tensor(weights[i], v.shape))));
      train(resumed, again, 10, 20);
      assert.deepEqual(values(again), undisturbed);
      dispose(resumed, again);
    }
    dispose(optimizer, named);
  });

  onEachBackend(`${name} obeys a learning rate of 0 set later, and skips variables without a gradient`, () => {
    const named = variables();
    const optimizer = asOptimizer(make(), { named });
    train(optimizer, named, 0, 2);
    const before = values(named);
    withScope(() => setGradient(named.get("kernel")!, tf.ones([3, 2])));
    optimizer.step();
    assert.notDeepEqual([...named.get("kernel")!.dataSync()], before[0]);
    assert.deepEqual([...named.get("bias")!.dataSync()], before[1]);
    optimizer.zeroGrad();
    assert.equal(gradientOf(named.get("kernel")!), undefined);
    const still = values(named);
    optimizer.learningRate = 0;
    assert.equal(optimizer.learningRate, 0);
    if (!name.endsWith("rmsprop")) {
      train(optimizer, named, 2, 3);
      assert.deepEqual(values(named), still);
    }
    dispose(optimizer, named);
  });
}

/** The values that 20 recorded steps lead to through `asOptimizer`, and through tfjs's optimizer alone. */
function bothWays(make: () => tf.Optimizer): [number[][], number[][]] {
  const [a, b] = [variables(), variables()];
  const wrapped = asOptimizer(make(), { named: a }), alone = make();
  train(wrapped, a, 0, 20);
  for (let step = 0; step < 20; step++) {
    withScope(() =>
      alone.applyGradients(
        NAMES.map((name) => ({
          name: b.get(name)!.name,
          tensor: tf.tensor(recorded.gradients[step][name], recorded.shapes[name]),
        })) as unknown as Parameters<typeof alone.applyGradients>[0],
      )
    );
  }
  const result: [number[][], number[][]] = [values(a), values(b)];
  dispose(wrapped, a);
  alone.dispose();
  tf.dispose([...b.values()]);
  return result;
}

onEachBackend("tfjs's optimizers through asOptimizer equal themselves alone, to the bit", () => {
  const [through, alone] = bothWays(() => tf.train.rmsprop(0.01, 0.9));
  assert.deepEqual(through, alone);
});

onEachBackend("tf.train.adam, computed in one pass, differs from itself alone by rounding only", () => {
  const [through, alone] = bothWays(() => tf.train.adam(0.1));
  for (const [k, value] of through.flat().entries()) {
    const expected = alone.flat()[k];
    assert.ok(Math.abs(value - expected) <= 2e-5 * Math.max(1, Math.abs(expected)), `${value} is not ${expected}`);
  }
});

onEachBackend("a state that was saved before the first step makes a used optimizer fresh", async () => {
  for (const make of Object.values(MAKERS)) {
    const [named, other] = [variables(), variables()];
    const fresh = asOptimizer(make(), { named }), used = asOptimizer(make(), { named: other });
    train(used, other, 0, 3);
    used.loadStateDict(await snapshot(fresh.stateDict()) as StateDict);
    withScope(() => NAMES.forEach((name) => other.get(name)!.assign(named.get(name)!.clone())));
    train(fresh, named, 0, 5);
    train(used, other, 0, 5);
    assert.deepEqual(values(other), values(named));
    dispose(fresh, named);
    dispose(used, other);
  }
});

onEachBackend("groups have learning rates and decays of their own, which follow the optimizer's in proportion", () => {
  const named = variables();
  const [kernel, bias] = [named.get("kernel")!, named.get("bias")!];
  const optimizer = asOptimizer(
    new SGD({ learningRate: 0.1, parameters: [kernel, { parameters: [bias], learningRate: 0.2, weightDecay: 0.5 }] }),
    { named },
  );
  optimizer.learningRate = 1;
  const before = values(named);
  withScope(() => {
    setGradient(kernel, tf.ones([3, 2]));
    setGradient(bias, tf.ones([2]));
  });
  optimizer.step();
  assertClose(kernel.dataSync(), before[0].map((x) => x - 1));
  assertClose(bias.dataSync(), before[1].map((x) => x - 2 * (1 + 0.5 * x)));
  zeroGradients([kernel, bias]);
  dispose(optimizer, named);
});

onEachBackend("wrong hyperparameters, parameters and states are refused with a remedy", () => {
  const named = variables();
  assert.throws(() => new Adam({ learningRate: -1 }), /`learningRate` must be a number from 0, but got -1/);
  assert.throws(() => new Adam({ learningRate: NaN }), /`learningRate` must be a number from 0, but got NaN/);
  assert.throws(() => new AdamW({ betas: [0.9, 1] }), /`betas\[1\]` must be a number from 0 and below 1, but got 1/);
  assert.throws(() => new AdamW({ lr: 1 } as never), /`AdamW` has no option `lr`/);
  assert.throws(() => new SGD({ nesterov: true }), /`nesterov: true` needs a `momentum`/);
  assert.throws(() => new SGD().step(), /SGD has no parameters yet: pass it to fabric.setup/);
  assert.throws(() => asOptimizer(new SGD(), { named: new Map() }), /got no parameters/);
  const sgd = tf.train.sgd(1);
  assert.throws(() => asOptimizer(sgd, { named: new Map() }), /got no parameters/);
  assert.throws(() => asOptimizer({} as Optimizer, { named }), /An optimizer is one of tfjs's/);
  const stranger = tf.tidy(() => tf.variable(tf.zeros([1])));
  assert.throws(() => asOptimizer(new SGD({ parameters: [stranger] }), { named }), /no trainable part of the models/);
  const adam = asOptimizer(new Adam(), { named }), other = variables();
  assert.throws(() => asOptimizer(adam, { named: other }), /updates another model's parameters already/);
  assert.throws(() => adam.learningRate = -1, /`learningRate` must be a number from 0, but got -1/);
  assert.throws(() => adam.loadStateDict({ name: "SGD" }), /state of SGD, which Adam cannot go on from/);
  assert.throws(
    () => adam.loadStateDict({ name: "Adam", learningRate: 1, state: { strange: { step: 1 } } }),
    /parameters that it does not update here: strange\. It updates: kernel, bias/,
  );
  assert.throws(() => adam.loadStateDict({ name: "Adam", state: {} }), /must have a number `learningRate`/);
  sgd.dispose();
  tf.dispose([stranger, ...other.values()]);
  dispose(adam, named);
});
