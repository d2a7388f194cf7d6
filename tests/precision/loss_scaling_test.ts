import assert from "node:assert/strict";
import { joinMemoryGroup } from "../../runtime/comm/join_memory_group.ts";
import { FabricModules } from "../../runtime/fabric/fabric_modules.ts";
import { Module } from "../../runtime/nn/module.ts";
import { Adam } from "../../runtime/optim/adam.ts";
import { GradScaler } from "../../runtime/precision/grad_scaler.ts";
import { fullPrecision } from "../../runtime/precision/precision_in_use.ts";
import { gradientOf, zeroGradients } from "../../runtime/tensor/gradients.ts";
import { recordedBy, type StepRecorder } from "../../runtime/tensor/step_recording.ts";
import { tf } from "../../runtime/tensor/tf.ts";
import { DDPStrategy } from "../../strategies/ddp.ts";
import { RankFlags } from "../../strategies/rank_flags.ts";
import { SingleDeviceStrategy } from "../../strategies/single_device.ts";

await tf.setBackend("cpu");

class Net extends Module {
  readonly weight = tf.tidy(() => tf.variable(tf.tensor1d([1, -2, 3])));
  readonly bias = tf.tidy(() => tf.variable(tf.scalar(0.5)));
  override forward(x: tf.Tensor): tf.Tensor {
    return this.weight.mul(x).sum().add(this.bias).square() as tf.Tensor;
  }
}

interface Rank {
  modules: FabricModules;
  flags: RankFlags;
  scaler: GradScaler | undefined;
}

/** Ranks in one process, with a loss scale or without. Tensors made in `use` are freed; those left over are an error. */
async function withRanks(worldSize: number, scaled: boolean, use: (rank: Rank, index: number) => Promise<void>) {
  const before = tf.memory().numTensors;
  const groups = joinMemoryGroup(worldSize);
  // Ranks take turns in one process, so a scope of the engine cannot hold what each makes.
  const engine = tf.engine();
  engine.startScope();
  try {
    const outcomes = await Promise.allSettled(groups.map((group, index) => {
      const flags = new RankFlags(), scaler = scaled ? new GradScaler() : undefined;
      const strategy = worldSize > 1 ? new DDPStrategy() : new SingleDeviceStrategy();
      const synchronizer = strategy.connect(group, flags);
      const modules = new FabricModules({ synchronizer, flags, scaler, precisionInUse: fullPrecision }, () => {});
      return use({ modules, flags, scaler }, index);
    }));
    for (const outcome of outcomes) if (outcome.status === "rejected") throw outcome.reason;
  } finally {
    engine.endScope();
    for (const group of groups) await group[Symbol.asyncDispose]();
  }
  assert.equal(tf.memory().numTensors, before, "tensors are left");
}

const values = (tensor: tf.Tensor) => [...tensor.dataSync()];

Deno.test("under a loss scale gradients and losses are what they are without, in both idioms", async () => {
  const results: number[][] = [];
  for (const scaled of [false, true]) {
    for (const closure of [false, true]) {
      await withRanks(1, scaled, async ({ modules, scaler }) => {
        const net = new Net(), model = await modules.setupModule(net);
        const x = tf.tensor1d([0.1, 0.2, -0.3]);
        const loss = await modules.backward(closure ? () => model.forward(x) : model.forward(x), {});
        results.push([...values(loss), ...values(gradientOf(net.weight)!), ...values(gradientOf(net.bias)!)]);
        assert.equal(scaler?.scale, scaled ? 65_536 : undefined);
        // A second backward adds to the first.
        await modules.backward(closure ? () => model.forward(x) : model.forward(x), {});
        assert.deepEqual(values(gradientOf(net.bias)!), [results.at(-1)![4] * 2]);
        const [optimizer] = await modules.setupOptimizers([tf.train.sgd(1)]);
        optimizer.zeroGrad();
        optimizer.dispose();
        net.dispose();
      });
    }
  }
  for (const result of results) assert.deepEqual(result, results[0]);
});

Deno.test("a gradient that is not finite on one rank skips the step on all, halves the scale, and is told by a flag", async () => {
  await withRanks(2, true, async ({ modules, flags, scaler }, rank) => {
    const net = new Net(), model = await modules.setupModule(net);
    const [optimizer] = await modules.setupOptimizers([new Adam({ learningRate: 0.1 })]);
    const step = async (x: number) => {
      optimizer.zeroGrad();
      await modules.backward(model.forward(tf.fill([3], x)), {});
      optimizer.step();
    };
    await step(rank === 1 ? Infinity : 1);
    assert.deepEqual([...flags.agreed], ["nonFinite"]);
    assert.equal(scaler!.scale, 32_768);
    assert.deepEqual(values(net.weight), [1, -2, 3]);
    assert.deepEqual(optimizer.original.stateDict().state, {}, "the optimizer stepped");
    await step(1);
    assert.deepEqual([...flags.agreed], []);
    assert.deepEqual(scaler!.stateDict(), { scale: 32_768, growthTracker: 1 });
    assert.deepEqual(
      values(net.weight),
      [1 - 0.1, -2 - 0.1, 3 - 0.1].map(Math.fround),
      "it did not step",
    );
    optimizer.zeroGrad();
    optimizer.dispose();
    net.dispose();
  });
});

Deno.test("what overflows only by the scale is skipped until the scale fits, and then learned", async () => {
  await withRanks(1, true, async ({ modules, scaler }) => {
    const net = new Net(), model = await modules.setupModule(net);
    const [optimizer] = await modules.setupOptimizers([tf.train.sgd(1e-36)]);
    let skipped = 0;
    for (let step = 0; step < 40 && values(net.weight)[0] === 1; step++) {
      optimizer.zeroGrad();
      await modules.backward(model.forward(tf.tensor1d([1e18, 0, 0])), {});
      optimizer.step();
      if (values(net.weight)[0] === 1) skipped++;
      assert.equal(scaler!.scale, 65_536 / 2 ** skipped);
    }
    assert.ok(skipped > 5 && skipped < 40, `${skipped} steps were skipped`);
    assert.ok(values(net.weight).every(Number.isFinite));
    optimizer.zeroGrad();
    optimizer.dispose();
    net.dispose();
  });
});

Deno.test("gradients are clipped in their own units, and an overflow while clipping is no error", async () => {
  await withRanks(1, true, async ({ modules }) => {
    const net = new Net(), model = await modules.setupModule(net);
    const [optimizer] = await modules.setupOptimizers([tf.train.sgd(1)]);
    await modules.backward(model.forward(tf.tensor1d([1, 0, 0])), {});
    // Twice the sum, for the weight it is used with and for the bias.
    const norm = await modules.clipGradients(model, { maxNorm: 1 });
    assert.ok(Math.abs(norm! - Math.hypot(3, 3)) < 1e-5, `the norm is ${norm}`);
    optimizer.zeroGrad();
    await modules.backward(model.forward(tf.tensor1d([NaN, 0, 0])), {});
    assert.ok(Number.isNaN(await modules.clipGradients(model, { maxNorm: 1 })));
    optimizer.step();
    assert.deepEqual(values(net.weight), [1, -2, 3]);
    optimizer.zeroGrad();
    optimizer.dispose();
    net.dispose();
  });
});

Deno.test("an optimizer whose own gradients are finite steps while another's step is skipped", async () => {
  await withRanks(1, true, async ({ modules, scaler }) => {
    const nets = [new Net(), new Net()];
    const models = [await modules.setupModule(nets[0]), await modules.setupModule(nets[1])];
    const sgd = () => [tf.train.sgd(0.1)];
    const optimizers = [
      ...await modules.setupOptimizers(sgd(), nets[0]),
      ...await modules.setupOptimizers(sgd(), nets[1]),
    ];
    await modules.backward(models[0].forward(tf.tensor1d([Infinity, 0, 0])), { model: models[0] });
    await modules.backward(models[1].forward(tf.tensor1d([1, 0, 0])), { model: models[1] });
    for (const optimizer of optimizers) optimizer.step();
    assert.deepEqual(values(nets[0].weight), [1, -2, 3]);
    assert.notDeepEqual(values(nets[1].weight), [1, -2, 3]);
    assert.deepEqual(scaler!.stateDict(), { scale: 32_768, growthTracker: 1 });
    for (const optimizer of optimizers) {
      optimizer.zeroGrad();
      optimizer.dispose();
    }
    for (const net of nets) net.dispose();
  });
});

Deno.test("the scale is saved with the optimizer and goes on from there; a state without one leaves it", async () => {
  await withRanks(1, true, async ({ modules, scaler }) => {
    const net = new Net();
    await modules.setupModule(net);
    const [optimizer] = await modules.setupOptimizers([tf.train.sgd(1)]);
    const { gradScaler, ...without } = optimizer.stateDict();
    assert.deepEqual(gradScaler, { scale: 65_536, growthTracker: 0 });
    optimizer.loadStateDict({ ...without, gradScaler: { scale: 1024, growthTracker: 7 } });
    assert.deepEqual(scaler!.stateDict(), { scale: 1024, growthTracker: 7 });
    optimizer.loadStateDict(without);
    assert.deepEqual(scaler!.stateDict(), { scale: 1024, growthTracker: 7 });
    assert.throws(() => optimizer.loadStateDict({ ...without, gradScaler: { scale: 0 } }), /state of a GradScaler/);
    optimizer.dispose();
    net.dispose();
  });
  await withRanks(1, false, async ({ modules }) => {
    const net = new Net();
    await modules.setupModule(net);
    const [optimizer] = await modules.setupOptimizers([tf.train.sgd(1)]);
    optimizer.loadStateDict({ ...optimizer.stateDict(), gradScaler: { scale: 1024, growthTracker: 7 } });
    assert.equal(optimizer.stateDict().gradScaler, undefined);
    optimizer.dispose();
    net.dispose();
  });
});

Deno.test("errors of a loss are those that come without a scale", async () => {
  for (const scaled of [false, true]) {
    await withRanks(1, scaled, async ({ modules }) => {
      const net = new Net(), model = await modules.setupModule(net);
      await assert.rejects(() => modules.backward(tf.scalar(1), {}), /were not recorded/);
      await assert.rejects(() => modules.backward(() => tf.ones([2]), {}), /reduce it first/);
      const wrong = (async () => await model.forward(tf.ones([3]))) as unknown as () => tf.Tensor;
      await assert.rejects(() => modules.backward(wrong, {}), /promise/);
      net.dispose();
    });
  }
});

Deno.test("a step that scales its loss tells its recorder why it cannot be compiled", async () => {
  await withRanks(1, true, async ({ modules }) => {
    const net = new Net(), model = await modules.setupModule(net);
    const reasons: string[] = [];
    const recorder = { fail: (reason) => void reasons.push(reason), effect: (run) => run() } as Partial<StepRecorder>;
    await recordedBy(recorder as StepRecorder, () => modules.backward(model.forward(tf.ones([3])), {}));
    assert.equal(reasons.length, 1);
    assert.match(reasons[0], /16-mixed/);
    zeroGradients(net.parameters());
    net.dispose();
  });
});
