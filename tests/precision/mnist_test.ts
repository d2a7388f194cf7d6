import assert from "node:assert/strict";
import { tensorflowTest } from "../accelerators/tensorflow/only_with_tensorflow.ts";
import { forgetWarnings, routeMessages } from "../../runtime/core/messages.ts";
import { crossEntropy, DataLoader, Fabric, type FabricOptions, MNIST, seed_everything, tf } from "../../mod.ts";

interface Run {
  accuracy: number;
  losses: number[];
}

/** The reference perceptron after some steps on TensorFlow. */
async function train(precision: FabricOptions["precision"], steps: number, compile = false): Promise<Run> {
  seed_everything(42, { verbose: false });
  await using fabric = new Fabric({ accelerator: "cpu", devices: 1, precision });
  await fabric.launch();
  const train = fabric.setupDataloaders(
    new DataLoader(await MNIST.load({ train: true }), { batchSize: 100, shuffle: true }),
  );
  const val = fabric.setupDataloaders(new DataLoader(await MNIST.load({ train: false }), { batchSize: 1000 }));
  const net = tf.sequential({
    layers: [
      tf.layers.dense({ inputShape: [784], units: 100, activation: "relu" }),
      tf.layers.dense({ units: 10 }),
    ],
  });
  const [model, optimizer] = await fabric.setup(net, tf.train.adam(1e-3));
  const plain = async (x: tf.Tensor, y: tf.Tensor) => {
    optimizer.zeroGrad();
    const loss = crossEntropy(model.forward(x), y);
    await fabric.backward(loss);
    optimizer.step();
    return loss;
  };
  const step = compile ? fabric.compile(plain) : plain;
  const losses: number[] = [];
  for await (const [x, y] of train) {
    losses.push((await (await step(x, y)).data())[0]);
    if (losses.length === steps) break;
  }
  model.eval();
  let correct = 0;
  for await (const [x, y] of val) correct += (await model.forward(x).argMax(1).equal(y).sum().data())[0];
  optimizer.zeroGrad();
  optimizer.dispose();
  net.dispose();
  return { accuracy: correct / 10_000, losses };
}

tensorflowTest("MNIST is learned in other precisions as well as in float32", async (t) => {
  const full = await train("32-true", 400);
  assert.ok(full.accuracy > 0.92, `float32 came to ${full.accuracy}`);
  const cases = [
    ["bf16-mixed", 0.003],
    ["64-true", 0.003],
    // Its weights have 8 bits: updates smaller than that are lost, in PyTorch too.
    ["bf16-true", 0.01],
  ] as const;
  for (const [precision, tolerance] of cases) {
    await t.step(precision, async () => {
      const { accuracy, losses } = await train(precision, 400);
      assert.notDeepEqual(losses, full.losses, "it computed in float32");
      assert.ok(Math.abs(accuracy - full.accuracy) <= tolerance, `${accuracy}, in float32 ${full.accuracy}`);
    });
  }
});

tensorflowTest("a compiled step casts as the same step does op by op", async () => {
  const [full, plain] = [await train("32-true", 30), await train("bf16-mixed", 30)];
  const lines: string[] = [];
  let compiled: Run;
  {
    using _ = routeMessages((line) => lines.push(line));
    compiled = await train("bf16-mixed", 30, true);
  }
  assert.ok(lines.some((line) => /was recorded/.test(line)), lines.join("\n"));
  assert.notDeepEqual(compiled.losses, full.losses, "it computed in float32");
  for (const [step, loss] of compiled.losses.entries()) {
    assert.ok(Math.abs(loss / plain.losses[step] - 1) < 0.01, `step ${step}: ${loss}, op by op ${plain.losses[step]}`);
  }
});

tensorflowTest("16-mixed on cpu is bf16-mixed, with a warning", async () => {
  const mixed = await train("bf16-mixed", 3);
  const lines: string[] = [];
  forgetWarnings();
  {
    using _ = routeMessages((line) => lines.push(line));
    assert.deepEqual((await train("16-mixed", 3)).losses, mixed.losses);
  }
  assert.ok(lines.some((line) => /AMP with fp16 is not supported on CPU/.test(line)), lines.join("\n"));
  assert.ok(lines.some((line) => /Using bfloat16 Automatic Mixed Precision/.test(line)), lines.join("\n"));
});

tensorflowTest("fabric.autocast and a model's forward compute in 16 bits, and plain calls do not", async () => {
  await using fabric = new Fabric({ accelerator: "cpu", devices: 1, precision: "bf16-mixed" });
  const third = tf.fill([1, 1], 1 / 3), one = tf.ones([1, 1]);
  assert.equal(fabric.autocast(() => 7), 7);
  await fabric.launch();
  const net = tf.sequential({
    layers: [tf.layers.dense({ inputShape: [1], units: 1, useBias: false, kernelInitializer: "ones" })],
  });
  const model = await fabric.setup(net);
  const half = 0.333984375, value = (tensor: tf.Tensor) => tensor.dataSync()[0];
  assert.equal(value(fabric.autocast(() => tf.matMul(third, one))), half);
  assert.equal(value(model.forward(third)), half);
  assert.equal(value(tf.matMul(third, one)), Math.fround(1 / 3));
  tf.dispose([third, one]);
  net.dispose();
});
