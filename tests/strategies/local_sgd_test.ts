import assert from "node:assert/strict";
import { Adam, DDPStrategy, Fabric, LocalSGDStrategy, Module, SGD, tf } from "../../mod.ts";
import { joinMemoryGroup } from "../../runtime/comm/join_memory_group.ts";
import { forgetWarnings, routeMessages } from "../../runtime/core/messages.ts";
import { FabricModules } from "../../runtime/fabric/fabric_modules.ts";
import { GradScaler } from "../../runtime/precision/grad_scaler.ts";
import { fullPrecision } from "../../runtime/precision/precision_in_use.ts";
import { RankFlags } from "../../strategies/rank_flags.ts";
import { tensorflowTest } from "../accelerators/tensorflow/only_with_tensorflow.ts";
import { inTemporaryFolder } from "../temporary_folder.ts";
import { type LocallyTrained, trainLocally } from "./local_training.ts";

/** Whether the two ranks differ after each step, as a word of `d` and `=`. */
function pattern([{ differ }]: LocallyTrained[]): string {
  return differ.map((isSo) => isSo ? "d" : "=").join("");
}

function assertSame(ranks: LocallyTrained[]): void {
  assert.deepEqual(ranks[1].after, ranks[0].after);
  assert.deepEqual(ranks[1].memory, ranks[0].memory);
  assert.ok(ranks[0].memory.length > 0);
}

Deno.test("ranks have the same weights after each localSteps steps, and what they flag is agreed on then", () =>
  inTemporaryFolder(async (folder) => {
    const { ranks } = await trainLocally({ steps: 9, localSteps: 4, folder });
    assert.equal(pattern(ranks), "ddd=ddd=d");
    for (const { flags } of ranks) assert.equal(flags.indexOf(true), 3);
    assert.equal(ranks[0].flags.filter(Boolean).length, 1);
    assert.notDeepEqual(ranks[0].before, ranks[1].before);
    // Rounded once from the sum of both.
    ranks[0].after.forEach((mean, i) => {
      assert.ok(Math.abs(mean - (ranks[0].before[i] + ranks[1].before[i]) / 2) < 1e-6);
    });
    assertSame(ranks);
  }));

Deno.test("the steps of the warm-up are DDP's, to the byte", () =>
  inTemporaryFolder(async (folder) => {
    const ddp = await trainLocally({ steps: 5, folder, optimizer: "adam" });
    const warm = await trainLocally({ steps: 5, localSteps: 2, warmupSteps: 5, folder, optimizer: "adam" });
    assert.deepEqual(warm.file, ddp.file);
    const { ranks } = await trainLocally({ steps: 9, localSteps: 2, warmupSteps: 5, folder, optimizer: "adam" });
    // The moving averages of batch normalization are each rank's own in DDP.
    assert.equal(pattern(ranks), "dddddd=d=");
    assertSame(ranks);
  }));

for (const optimizer of [undefined, "adam"] as const) {
  Deno.test(`a run that saved between two averages and one that went on from there (${optimizer ?? "momentum"}) end with the same bytes`, () =>
    inTemporaryFolder(async (folder) => {
      const common = { steps: 9, localSteps: 4, optimizer, folder };
      const whole = await trainLocally({ ...common, saveAt: 6 });
      const rest = await trainLocally({ ...common, from: "saved" });
      // Saving averages, so that the next average is four steps after it.
      assert.equal(pattern(whole.ranks), "ddd=ddddd");
      assert.deepEqual(rest.file, whole.file);
    }));
}

Deno.test("ranks with fewer batches, or none, end with the others' weights and optimizer state", () =>
  inTemporaryFolder(async (folder) => {
    for (const shares of [[[8, 8, 8, 8, 8, 8], [4, 4]], [[8, 4, 8, 8, 2], []], [[8, 8, 8], [2, 2, 2]]]) {
      const { ranks } = await trainLocally({ steps: 6, localSteps: 3, optimizer: "adam", shares, folder });
      assertSame(ranks);
      const lone = shares[1].length === 0 ? ranks[0] : undefined;
      // Who has all samples has all the weight.
      if (lone) assert.deepEqual(lone.after, lone.before);
    }
  }));

tensorflowTest(
  "compiled steps, of both kinds, end with the bytes of those op by op",
  () =>
    inTemporaryFolder(async (folder) => {
      for (const localSteps of [2, 3]) {
        const common = { steps: 16, localSteps, accelerator: "cpu", folder, optimizer: "adam" } as const;
        const plain = await trainLocally(common);
        const compiled = await trainLocally({ ...common, compile: true });
        assert.match(compiled.err, /was recorded \(\d+ ops\)/);
        assert.doesNotMatch(compiled.err, /warning/);
        assert.deepEqual(compiled.ranks[0].differ, plain.ranks[0].differ);
        assert.deepEqual(compiled.file, plain.file);
        assertSame(compiled.ranks);
      }
    }),
);

async function alone(use: (fabric: Fabric, net: tf.Sequential) => Promise<void>, options: object = {}): Promise<void> {
  const fabric = new Fabric({ accelerator: "wasm", strategy: new LocalSGDStrategy(), ...options });
  await fabric.launch();
  const net = tf.sequential({ layers: [tf.layers.dense({ inputShape: [2], units: 1 })] });
  try {
    await use(fabric, net);
  } finally {
    net.dispose();
    await fabric.close();
  }
}

Deno.test("one rank alone trains as with any other strategy", async () => {
  const ends: number[][] = [];
  for (const strategy of [new LocalSGDStrategy({ localSteps: 2 }), new DDPStrategy()]) {
    await alone(async (fabric, net) => {
      const [kernel, bias] = net.trainableWeights.map((weight) => weight.read() as tf.Variable);
      kernel.assign(tf.tensor2d([1, -1], [2, 1]));
      bias.assign(tf.tensor1d([0.5]));
      const [model, optimizer] = await fabric.setup(net, new Adam({ learningRate: 0.1 }));
      for (let i = 0; i < 5; i++) {
        optimizer.zeroGrad();
        await fabric.backward(model.forward(tf.tensor2d([[i, 1]])).square().mean());
        await optimizer.step();
      }
      await optimizer.synchronize();
      assert.equal(optimizer.differs, false);
      ends.push([...kernel.dataSync(), ...bias.dataSync()]);
    }, { strategy });
  }
  assert.deepEqual(ends[0], ends[1]);
});

Deno.test("a model that no optimizer of this library updates is refused with what to do", () =>
  alone(async (fabric, net) => {
    const model = await fabric.setupModule(net);
    await assert.rejects(
      async () => await fabric.backward(model.forward(tf.ones([1, 2])).mean()),
      /none was set up with this model: pass it to `fabric\.setup`/,
    );
    await assert.rejects(
      fabric.setupOptimizers(tf.train.momentum(0.1, 0.9)),
      /`LocalSGDStrategy` cannot average the state of Momentum.*new SGD\(\)/s,
    );
  }));

Deno.test("16-mixed, whose loss scales would differ between ranks, is refused with what to use instead", async () => {
  const [group] = joinMemoryGroup(1), flags = new RankFlags();
  const synchronizer = new LocalSGDStrategy().connect(group, flags), scaler = new GradScaler();
  assert.throws(
    () => new FabricModules({ synchronizer, flags, scaler, precisionInUse: fullPrecision }, () => {}),
    /"16-mixed" cannot be used with a strategy whose ranks step alone.*"bf16-mixed"/,
  );
  await group[Symbol.asyncDispose]();
});

/** One weight, and a loss whose gradient is the mean of what is put in, minus the weight. */
class Pull extends Module {
  readonly weight = tf.tidy(() => tf.variable(tf.scalar(0)));
  override forward(x: tf.Tensor): tf.Tensor {
    return this.weight.sub(x).square().mean().div(2);
  }
}

Deno.test("weights and momentum are what a calculation by hand gives, each rank weighted by its samples", async () => {
  await tf.setBackend("cpu");
  const rate = 0.5, momentum = 0.9, localSteps = 2;
  // What each rank is pulled to in each step, and by how many samples.
  const steps = [[[1, 2], [5, 2]], [[2, 2], [-3, 6]], [[0, 4], [1, 4]], [[4, 4], [2, 0]], [[1, 1], [2, 1]]];
  const expected = [0, 1].map(() => ({ weight: 0, speed: 0, samples: 0 }));
  const groups = joinMemoryGroup(2);
  const ranks = await Promise.all(groups.map(async (group) => {
    const flags = new RankFlags(), synchronizer = new LocalSGDStrategy({ localSteps }).connect(group, flags);
    const modules = new FabricModules(
      { synchronizer, flags, scaler: undefined, precisionInUse: fullPrecision },
      () => {},
    );
    const net = new Pull(), model = await modules.setupModule(net);
    const [optimizer] = await modules.setupOptimizers([new SGD({ learningRate: rate, momentum })], net);
    return { flags, modules, net, model, optimizer };
  }));
  for (const [i, step] of steps.entries()) {
    for (const [rank, [to, samples]] of step.entries()) {
      const one = expected[rank];
      if (samples > 0) one.speed = momentum * one.speed + (one.weight - to);
      if (samples > 0) one.weight -= rate * one.speed;
      one.samples += samples;
    }
    if ((i + 1) % localSteps === 0) {
      const total = expected[0].samples + expected[1].samples;
      const mean = (of: "weight" | "speed") => expected.reduce((sum, one) => sum + one[of] * one.samples / total, 0);
      const [weight, speed] = [mean("weight"), mean("speed")];
      for (const one of expected) Object.assign(one, { weight, speed, samples: 0 });
    }
    await Promise.all(ranks.map(async ({ flags, modules, model, net, optimizer }, rank) => {
      const [to, samples] = step[rank];
      optimizer.zeroGrad();
      flags.samples.add(samples);
      if (samples > 0) await modules.backward(model.forward(tf.fill([samples], to)), { model: net });
      else await modules.backwardWithoutBatch(net);
      await optimizer.step();
    }));
    for (const [rank, { net }] of ranks.entries()) {
      const found = net.weight.dataSync()[0];
      assert.ok(Math.abs(found - expected[rank].weight) < 1e-5, `step ${i}, rank ${rank}: ${found}`);
    }
  }
  // They differ after an odd number of steps, until they agree.
  assert.notEqual(ranks[0].net.weight.dataSync()[0], ranks[1].net.weight.dataSync()[0]);
  const messages: string[] = [];
  forgetWarnings();
  {
    using _ = routeMessages((line) => messages.push(line));
    ranks[0].model.train(false);
    ranks[0].model.forward(tf.ones([1]));
    await Promise.all(ranks.map(({ optimizer }) => optimizer.synchronize()));
    ranks[0].model.forward(tf.ones([1]));
  }
  assert.equal(messages.length, 1);
  assert.match(messages[0], /weights of this rank alone.*`await optimizer\.synchronize\(\)`/);
  assert.equal(ranks[0].net.weight.dataSync()[0], ranks[1].net.weight.dataSync()[0]);
  for (const group of groups) await group[Symbol.asyncDispose]();
});

Deno.test("numbers of steps that cannot be are refused when the strategy is made", () => {
  for (const localSteps of [0, -1, 1.5, NaN]) {
    assert.throws(
      () => new LocalSGDStrategy({ localSteps }),
      /RangeError: `localSteps` must be a whole number, 1 or more/,
    );
  }
  assert.throws(() => new LocalSGDStrategy({ warmupSteps: -1 }), /`warmupSteps` must be a whole number, 0 or more/);
  assert.throws(() => new LocalSGDStrategy({ period: 4 } as object), /period/);
});
