/** Milliseconds a training step takes here: `step_program.ts MODEL ACCELERATOR COMPILE STEPS ROUNDS`, one JSON line a round. */
import { crossEntropy } from "../runtime/nn/functional.ts";
import { Fabric } from "../runtime/fabric/fabric.ts";
import { withScope } from "../runtime/tensor/scope.ts";
import { tf } from "../runtime/tensor/tf.ts";

const [model, accelerator, compile, steps, rounds] = Deno.args;
const BATCH = 100, BATCHES = 60;
const fabric = new Fabric({ accelerator: accelerator as "cpu" | "wasm" });
await fabric.launch();
const { layers } = tf;
const shape = model === "perceptron" ? [784] : [28, 28, 1];
const net = tf.sequential({
  layers: model === "perceptron"
    ? [layers.dense({ inputShape: shape, units: 100, activation: "relu" }), layers.dense({ units: 10 })]
    : [
      layers.conv2d({ inputShape: shape, filters: 16, kernelSize: 3, activation: "relu" }),
      layers.maxPooling2d({ poolSize: 2 }),
      layers.conv2d({ filters: 32, kernelSize: 3, activation: "relu" }),
      layers.maxPooling2d({ poolSize: 2 }),
      layers.flatten(),
      layers.dense({ units: 10 }),
    ],
});
const [ready, optimizer] = await fabric.setup(net, tf.train.adam(1e-3));
const step = fabric.compile(async (x: tf.Tensor, y: tf.Tensor) => {
  optimizer.zeroGrad();
  const loss = crossEntropy(ready.forward(x), y);
  await fabric.backward(loss);
  optimizer.step();
  return loss;
}, { compile: compile === "false" ? false : compile as "auto" });

const images = Float32Array.from({ length: BATCHES * BATCH * 784 }, () => Math.random());
const labels = Int32Array.from({ length: BATCHES * BATCH }, () => Math.random() * 10);
const run = (i: number, read = false) =>
  withScope(async () => {
    const at = i % BATCHES * BATCH;
    const x = tf.tensor(images.subarray(at * 784, (at + BATCH) * 784), [BATCH, ...shape]);
    const loss = await step(x, tf.tensor1d(labels.subarray(at, at + BATCH), "int32"));
    if (read) await loss.data();
  });

for (let i = 0; i < 30; i++) await run(i);
for (let round = 0; round < Number(rounds); round++) {
  const begun = performance.now();
  for (let i = 0; i < Number(steps); i++) await run(i, i === Number(steps) - 1);
  console.log(JSON.stringify({ ms: (performance.now() - begun) / Number(steps) }));
}
await fabric.close();
