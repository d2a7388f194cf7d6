import assert from "node:assert/strict";
import {
  Adam,
  crossEntropy,
  CSVLogger,
  DataLoader,
  Fabric,
  type FabricOptions,
  type Logger,
  Module,
  SGD,
  TensorDataset,
  tf,
} from "../../mod.ts";
import { gradientOf } from "../../runtime/tensor/gradients.ts";
import { routeMessages } from "../../runtime/core/messages.ts";

class Linear extends Module {
  readonly #private = 2;
  readonly weight = tf.tidy(() => tf.variable(tf.tensor2d([1, 2, 3, 4], [2, 2])));
  override forward(x: tf.Tensor): tf.Tensor {
    return x.matMul(this.weight as tf.Tensor2D).mul(this.#private / 2);
  }
  trainingStep(x: tf.Tensor): tf.Tensor {
    return this.forward(x).square().mean();
  }
  score(x: tf.Tensor): tf.Tensor {
    return this.forward(x).sum();
  }
}

const input = () => tf.tensor2d([1, -1, 0.5, 2], [2, 2]);

async function withFabric(use: (fabric: Fabric) => Promise<void>, options: FabricOptions = {}): Promise<void> {
  await using fabric = new Fabric({ accelerator: "wasm", ...options });
  await fabric.launch();
  await use(fabric);
}

async function withFolder(use: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    await use(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("one rank knows who it is", () =>
  withFabric((fabric) => {
    assert.deepEqual([fabric.globalRank, fabric.localRank, fabric.nodeRank, fabric.worldSize], [0, 0, 0, 1]);
    assert.equal(fabric.isGlobalZero, true);
    assert.equal(`${fabric.device}`, "wasm:0");
    assert.equal(fabric.strategy, "single_device");
    assert.throws(() => fabric.logger, RangeError);
    return Promise.resolve();
  }));

Deno.test("backward after an eager forward, across an await, gives the gradients of a closure", () =>
  withFabric(async (fabric) => {
    const [model, optimizer] = await fabric.setup(new Linear(), tf.train.sgd(0.1));
    const x = input();
    const output = model.forward(x);
    await Promise.resolve();
    await fabric.backward(output.square().mean());
    const eager = [...gradientOf(model.weight)!.dataSync()];
    optimizer.zeroGrad();
    await fabric.backward(() => model.forward(x).square().mean());
    assert.deepEqual([...gradientOf(model.weight)!.dataSync()], eager);
    const closure = tf.variableGrads(() => model.original.forward(x).square().mean().asScalar());
    assert.deepEqual([...closure.grads[model.weight.name].dataSync()], eager);
    optimizer.zeroGrad();
  }));

Deno.test("trainingStep is recorded, and any method that is marked as a forward method", () =>
  withFabric(async (fabric) => {
    const model = await fabric.setup(new Linear());
    await fabric.backward(model.trainingStep(input()));
    assert.ok(gradientOf(model.weight));
    await assert.rejects(() => fabric.backward(model.score(input())), /not recorded/);
    model.markForwardMethod("score");
    await fabric.backward(model.score(input()));
    assert.throws(() => model.markForwardMethod("scores"), /no method `scores`/);
  }));

Deno.test("in eval mode nothing is recorded", () =>
  withFabric(async (fabric) => {
    const model = await fabric.setup(new Linear());
    model.eval();
    await assert.rejects(() => fabric.backward(model.forward(input()).mean()), /train mode/);
  }));

Deno.test("gradients accumulate over backward passes until zeroGrad", () =>
  withFabric(async (fabric) => {
    const [model, optimizer] = await fabric.setup(new Linear(), tf.train.sgd(0.1));
    await fabric.backward(model.trainingStep(input()));
    const once = [...gradientOf(model.weight)!.dataSync()];
    {
      using _ = fabric.noBackwardSync(model);
      await fabric.backward(model.trainingStep(input()));
    }
    assert.deepEqual([...gradientOf(model.weight)!.dataSync()], once.map((g) => 2 * g));
    optimizer.zeroGrad();
    assert.equal(gradientOf(model.weight), undefined);
  }));

Deno.test("gradients are clipped by norm or by value, and the norm before is told", () =>
  withFabric(async (fabric) => {
    const [model, optimizer] = await fabric.setup(new Linear(), tf.train.sgd(0.1));
    await fabric.backward(() => model.weight.mul(tf.tensor2d([3, 0, 0, 4], [2, 2])).sum());
    assert.equal(await fabric.clipGradients(model, { maxNorm: 1 }), 5);
    const clipped = [...gradientOf(model.weight)!.dataSync()];
    assert.ok(Math.abs(Math.hypot(...clipped) - 1) < 1e-5, `${clipped}`);
    assert.equal(await fabric.clipGradients(model, { clipVal: 0.5 }), undefined);
    assert.ok(gradientOf(model.weight)!.dataSync().every((g) => g <= 0.5));
    await assert.rejects(() => fabric.clipGradients(model, { clipVal: 1, maxNorm: 1 }), /Only one/);
    await assert.rejects(() => fabric.clipGradients(model, {}), /either `clipVal` or `maxNorm`/);
    optimizer.zeroGrad();
  }));

Deno.test("a model or an optimizer is set up once only", () =>
  withFabric(async (fabric) => {
    const net = new Linear(), sgd = tf.train.sgd(0.1);
    const [model] = await fabric.setup(net, sgd);
    await assert.rejects(() => fabric.setup(net), /only once/);
    await assert.rejects(() => fabric.setup(model as unknown as Linear), /only once/);
    await assert.rejects(() => fabric.setupOptimizers(sgd), /only once/);
  }));

Deno.test("setupModule and setupOptimizers do what setup does, in two steps", () =>
  withFabric(async (fabric) => {
    const model = await fabric.setupModule(new Linear());
    const optimizer = await fabric.setupOptimizers(new Adam({ learningRate: 0.1 }));
    const before = [...model.weight.dataSync()];
    await fabric.backward(model.trainingStep(input()));
    optimizer.step();
    assert.notDeepEqual([...model.weight.dataSync()], before);
    optimizer.zeroGrad();
  }));

Deno.test("collectives of one rank give back what they got", () =>
  withFabric(async (fabric) => {
    const x = tf.tensor1d([1, 2]);
    const reduced = await fabric.allReduce({ a: 3, b: [x] }, { op: "sum" });
    assert.equal(reduced.a, 3);
    assert.deepEqual([...reduced.b[0].dataSync()], [1, 2]);
    assert.deepEqual((await fabric.allGather({ x })).x.shape, [2]);
    assert.deepEqual(await fabric.broadcast({ text: "hello", list: [1, 2] }), { text: "hello", list: [1, 2] });
    assert.equal(await fabric.rankZeroFirst(() => 7), 7);
    await fabric.barrier();
  }));

Deno.test("a checkpoint restores model, optimizer and plain values in place, and returns what was not asked for", () =>
  withFabric((fabric) =>
    withFolder(async (folder) => {
      const path = `${folder}/checkpoint.safetensors`;
      const [model, optimizer] = await fabric.setup(new Linear(), tf.train.adam(0.1));
      await fabric.backward(model.trainingStep(input()));
      optimizer.step();
      await fabric.save(path, { model, optimizer, epoch: 3, extra: { best: NaN } });
      const [other, otherOptimizer] = await fabric.setup(new Linear(), tf.train.adam(0.5));
      const state = { model: other, optimizer: otherOptimizer, epoch: 0 };
      assert.deepEqual(await fabric.load(path, state), { extra: { best: NaN } });
      assert.equal(state.epoch, 3);
      assert.deepEqual([...other.weight.dataSync()], [...model.weight.dataSync()]);
      assert.equal(otherOptimizer.learningRate, optimizer.learningRate);
      for (const [m, o] of [[model, optimizer], [other, otherOptimizer]] as const) {
        o.zeroGrad();
        await fabric.backward(m.trainingStep(input()));
        o.step();
        o.zeroGrad();
      }
      assert.deepEqual([...other.weight.dataSync()], [...model.weight.dataSync()]);
      await assert.rejects(() => fabric.load(path, { epochs: 0 }), /"epochs".*did you mean "epoch".*strict: false/s);
      assert.ok(await fabric.load(path, { epochs: 0 }, { strict: false }));
    })
  ));

Deno.test("a filter decides what is saved, and loadRaw reads one object's weights", () =>
  withFabric((fabric) =>
    withFolder(async (folder) => {
      const model = await fabric.setup(new Linear());
      await fabric.save(`${folder}/part`, { model, epoch: 1 }, { filter: { model: (name) => name !== "weight" } });
      assert.deepEqual(await fabric.load(`${folder}/part`), { model: {}, epoch: 1 });
      await assert.rejects(
        () => fabric.save(`${folder}/x`, { model }, { filter: { net: () => true } }),
        /`net` is not present/,
      );
      const { writeCheckpoint, readCheckpoint } = await import("../../mod.ts");
      await fabric.save(`${folder}/all`, { model });
      await writeCheckpoint(
        `${folder}/raw`,
        (await readCheckpoint(`${folder}/all`)).model as Parameters<typeof writeCheckpoint>[1],
      );
      model.weight.assign(tf.zeros([2, 2]));
      await fabric.loadRaw(`${folder}/raw`, model);
      assert.deepEqual([...model.weight.dataSync()], [1, 2, 3, 4]);
    })
  ));

Deno.test("a checkpoint of another model is an error that names what does not fit, and changes nothing", () =>
  withFabric((fabric) =>
    withFolder(async (folder) => {
      const net = tf.sequential({ layers: [tf.layers.dense({ inputShape: [3], units: 2 })] });
      await fabric.save(`${folder}/other`, { model: await fabric.setup(net) });
      const model = await fabric.setup(new Linear());
      await assert.rejects(() => fabric.load(`${folder}/other`, { model }), /missing: weight.*unexpected: 0\.kernel/s);
      assert.deepEqual([...model.weight.dataSync()], [1, 2, 3, 4]);
      await assert.rejects(() => fabric.load(`${folder}/absent`, { model }), /absent/);
    })
  ));

Deno.test("if the optimizer's part does not fit, the model's is put back", () =>
  withFabric((fabric) =>
    withFolder(async (folder) => {
      const [saved, adam] = await fabric.setup(new Linear(), tf.train.adam(0.1));
      await fabric.backward(() => saved.forward(input()).sum());
      adam.step();
      await fabric.save(`${folder}/adam`, { model: saved, optimizer: adam, epoch: 3 });
      const [model, momentum] = await fabric.setup(new Linear(), new SGD({ momentum: 0.9 }));
      const state = { model, optimizer: momentum, epoch: 0 };
      const tensors = tf.memory().numTensors;
      await assert.rejects(() => fabric.load(`${folder}/adam`, state), /state of Adam, which SGD cannot go on from/);
      assert.deepEqual([...model.weight.dataSync()], [1, 2, 3, 4]);
      assert.equal(state.epoch, 0);
      assert.equal(tf.memory().numTensors, tensors);
    })
  ));

Deno.test("methods refuse options that they do not know, and what is no number", () =>
  withFabric(async (fabric) => {
    const any = (options: unknown) => options as Record<string, never>;
    const [model] = await fabric.setup(new Linear(), new SGD());
    await assert.rejects(() => fabric.broadcast(1, any({ source: 1 })), /no option `source`.*root/);
    await assert.rejects(() => fabric.allReduce(1, any({ operation: "sum" })), /no option `operation`/);
    await assert.rejects(() => fabric.load("x", {}, any({ stric: true })), /no option `stric`; did you mean `strict`/);
    await assert.rejects(() => fabric.clipGradients(model, { clipVal: NaN }), /`clipVal` must be a number.*got NaN/);
    await assert.rejects(() => fabric.clipGradients(model, any({ max_norm: 1 })), /did you mean `maxNorm`/);
    assert.throws(() => fabric.noBackwardSync(new Linear()), /did not make ready/);
    await assert.rejects(() => fabric.setup(new Linear(), tf.train.adam(NaN)), /`learningRate` must be a number.*NaN/);
  }));

Deno.test("saving in the background takes the state of the moment, and an error comes with the next save", () =>
  withFabric((fabric) =>
    withFolder(async (folder) => {
      const model = await fabric.setup(new Linear());
      await fabric.save(`${folder}/a`, { model }, { background: true });
      model.weight.assign(tf.zeros([2, 2]));
      await fabric.saved();
      await fabric.load(`${folder}/a`, { model });
      assert.deepEqual([...model.weight.dataSync()], [1, 2, 3, 4]);
      await Deno.writeTextFile(`${folder}/file`, "");
      await fabric.save(`${folder}/file/below`, { model }, { background: true });
      await assert.rejects(() => fabric.save(`${folder}/b`, { model }), /below/);
      await fabric.save(`${folder}/b`, { model });
    })
  ));

Deno.test("callbacks are called in order with what is given, and what is no function is skipped with a warning", async () => {
  const calls: unknown[] = [];
  const callbacks = [
    { onEpochEnd: (epoch: number) => void calls.push(["a", epoch]) },
    { onEpochEnd: 3 },
    {
      onEpochEnd: async (epoch: number) => {
        await Promise.resolve();
        calls.push(["b", epoch]);
      },
      onAfterSetup: ({ module }: { module: Module }) => void calls.push(module.constructor.name),
      onAfterOptimizerStep: ({ optimizer }: { optimizer: { name: string } }) => void calls.push(optimizer.name),
    },
  ];
  await withFabric(async (fabric) => {
    const lines: string[] = [];
    using _ = routeMessages((line) => lines.push(line));
    await fabric.call("onEpochEnd", 5);
    await fabric.call("onNothing");
    assert.deepEqual(calls, [["a", 5], ["b", 5]]);
    assert.match(lines.join(), /Skipping the callback `Object\.onEpochEnd`/);
    const [model, optimizer] = await fabric.setup(new Linear(), tf.train.sgd(1));
    await fabric.backward(model.trainingStep(input()));
    optimizer.step();
    assert.deepEqual(calls.slice(2), ["Linear", "SGD"]);
    optimizer.zeroGrad();
  }, { callbacks });
});

Deno.test("metrics reach every logger in the order logged, tensors as numbers", async () => {
  const rows: unknown[] = [];
  const logger = {
    name: "memory",
    version: "0",
    logDir: undefined,
    logMetrics: (metrics: object, step?: number) => void rows.push([metrics, step]),
    logHyperparams() {},
    save: () => Promise.resolve(),
    finalize: () => Promise.resolve(),
  } satisfies Logger;
  await withFabric(async (fabric) => {
    const first = fabric.logDict({ loss: tf.scalar(0.5), epoch: 1 }, 10);
    const second = fabric.log("acc", 0.75, 11);
    await Promise.all([first, second]);
    assert.deepEqual(rows, [[{ loss: 0.5, epoch: 1 }, 10], [{ acc: 0.75 }, 11]]);
    await assert.rejects(() => fabric.log("many", tf.zeros([3])), /`many` has 3 elements.*mean\(\)/);
    await assert.rejects(() => fabric.log("text", "x" as unknown as number), /`text` is string/);
    await assert.rejects(() => fabric.log("loss", 1, NaN), /step must be a finite number/);
  }, { loggers: logger });
});

Deno.test("a training loop leaves as many tensors as it found, without tidy", async () => {
  const images = {
    dtype: "float32",
    shape: [64, 4],
    data: Float32Array.from({ length: 256 }, (_, i) => Math.sin(i)),
  } as const;
  const labels = Int32Array.from({ length: 64 }, (_, i) => i % 3);
  await withFabric(async (fabric) => {
    const net = tf.sequential({ layers: [tf.layers.dense({ inputShape: [4], units: 3 })] });
    const [model, optimizer] = await fabric.setup(net, tf.train.adam(0.01));
    const loader = fabric.setupDataloaders(
      new DataLoader(new TensorDataset(images, labels), { batchSize: 8, shuffle: true, seed: 1 }),
    );
    const epoch = async () => {
      for await (const [x, y] of loader) {
        optimizer.zeroGrad();
        await fabric.backward(crossEntropy(model.forward(x), y));
        optimizer.step();
      }
      optimizer.zeroGrad();
      return tf.memory().numTensors;
    };
    const before = await epoch();
    for (let i = 0; i < 5; i++) assert.equal(await epoch(), before);
  });
});

Deno.test("wrong input is an error at once that says what was wrong", async () => {
  const launched = new Fabric({ accelerator: "wasm" });
  assert.throws(() => new Fabric({ device: 2 } as FabricOptions), /did you mean `devices`/);
  assert.throws(() => launched.device, /fabric\.device.*before.*launch/);
  await assert.rejects(() => launched.launch(3 as unknown as () => void), /needs a function/);
  await assert.rejects(() => new Fabric({ accelerator: "wsam" as "wasm" }).launch(), /wasm/);
  await assert.rejects(() => new Fabric({ devices: 0 }).launch(), /devices=0/);
  await assert.rejects(() => new Fabric({ accelerator: "cuda", devices: 99 }).launch(), /cuda.*[Aa]vailable/s);
  await assert.rejects(() => new Fabric({ accelerator: "wasm", precision: "64-true" }).launch(), /32-true/);
  await assert.rejects(
    () => new Fabric({ accelerator: "wasm", strategy: "dpd" as "ddp" }).launch(),
    /invalid strategy/,
  );
  assert.throws(() => launched.seedEverything(NaN), RangeError);
  await withFabric((fabric) => {
    assert.throws(() => fabric.setupDataloaders([] as unknown as DataLoader), /takes DataLoaders/);
    return Promise.resolve();
  });
});

Deno.test("CSVLogger writes what a Fabric program logs", () =>
  withFolder(async (folder) => {
    const logger = new CSVLogger(folder, { name: "MNIST" });
    await withFabric(async (fabric) => {
      await fabric.logDict({ val_acc: 0.5, epoch: 1 }, 600);
      await fabric.logger.finalize("success");
    }, { loggers: logger });
    assert.equal(await Deno.readTextFile(`${folder}/MNIST/version_0/metrics.csv`), "epoch,step,val_acc\n1,600,0.5\n");
  }));
