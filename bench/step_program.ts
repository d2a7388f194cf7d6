/** Milliseconds a training step takes here: `step_program.ts MODEL ACCELERATOR COMPILE STEPS ROUNDS`, one JSON line a round. */
/** Milliseconds a training step takes here: `step_program.ts MODEL ACCELERATOR COMPILE STEPS ROUNDS`, one JSON line a round. */
import { Transformer } from "../examples/shared/transformer.ts";
import { crossEntropy } from "../runtime/nn/functional.ts";
import type { Module } from "../runtime/nn/module.ts";
import { Fabric } from "../runtime/fabric/fabric.ts";
import { Adam } from "../runtime/optim/adam.ts";
import { AdamW } from "../runtime/optim/adam_w.ts";
import type { Optimizer } from "../runtime/optim/optimizer.ts";
import { withScope } from "../runtime/tensor/scope.ts";
import { tf } from "../runtime/tensor/tf.ts";
import { denseNetwork } from "./dense_network.ts";

const [model, accelerator, compile, steps, rounds] = Deno.args;
const BATCHES = 60, VOCABULARY = 29, CONTEXT = 76;
const fabric = new Fabric({ accelerator: accelerator as "cpu" | "wasm" });
await fabric.launch();
const { layers } = tf;

interface Workload {
  net: tf.Sequential | Module;
  batchSize: number;
  /** Of a sample, and of its labels. */
  shapes: [number[], number[]];
  inputType: "float32" | "int32";
  optimizer: Optimizer;
}

const workloads: Record<string, () => Workload> = {
  perceptron: () => ({
    net: denseNetwork("perceptron"),
    ...{ batchSize: 100, shapes: [[784], []], inputType: "float32", optimizer: new Adam({ learningRate: 1e-3 }) },
  }),
  convnet: () => ({
    net: tf.sequential({
      layers: [
        layers.conv2d({ inputShape: [28, 28, 1], filters: 16, kernelSize: 3, activation: "relu" }),
        layers.maxPooling2d({ poolSize: 2 }),
        layers.conv2d({ filters: 32, kernelSize: 3, activation: "relu" }),
        layers.maxPooling2d({ poolSize: 2 }),
        layers.flatten(),
        layers.dense({ units: 10 }),
      ],
    }),
    ...{ batchSize: 100, shapes: [[28, 28, 1], []], inputType: "float32", optimizer: new Adam({ learningRate: 1e-3 }) },
  }),
  transformer: () => ({
    net: new Transformer({ vocabulary: VOCABULARY, context: CONTEXT, width: 64, heads: 4, blocks: 2 }),
    ...{ batchSize: 32, shapes: [[CONTEXT], [CONTEXT]], inputType: "int32" },
    optimizer: new AdamW({ learningRate: 3e-3, weightDecay: 0.01 }),
  }),
};

const { net, batchSize, shapes, inputType, optimizer: given } = workloads[model]();
const classes = model === "transformer" ? VOCABULARY : 10;
const [ready, optimizer] = await fabric.setup(net, given);
const step = fabric.compile(async (x: tf.Tensor, y: tf.Tensor) => {
  optimizer.zeroGrad();
  const loss = crossEntropy(ready.forward(x).reshape([-1, classes]), y.flatten());
  await fabric.backward(loss);
  optimizer.step();
  return loss;
}, { compile: compile === "false" ? false : compile as "auto" });

const [inputSize, labelSize] = shapes.map((shape) => shape.reduce((a, b) => a * b, 1));
const inputs = inputType === "float32"
  ? Float32Array.from({ length: BATCHES * batchSize * inputSize }, () => Math.random())
  : Int32Array.from({ length: BATCHES * batchSize * inputSize }, () => Math.random() * classes);
const labels = Int32Array.from({ length: BATCHES * batchSize * labelSize }, () => Math.random() * classes);
const run = (i: number, read = false) =>
  withScope(async () => {
    const from = i % BATCHES * batchSize, to = from + batchSize;
    const x = tf.tensor(inputs.subarray(from * inputSize, to * inputSize), [batchSize, ...shapes[0]], inputType);
    const y = tf.tensor(labels.subarray(from * labelSize, to * labelSize), [batchSize, ...shapes[1]], "int32");
    const loss = await step(x, y);
    if (read) await loss.data();
  });

for (let i = 0; i < 30; i++) await run(i);
for (let round = 0; round < Number(rounds); round++) {
  const begun = performance.now();
  for (let i = 0; i < Number(steps); i++) await run(i, i === Number(steps) - 1);
  console.log(JSON.stringify({ ms: (performance.now() - begun) / Number(steps) }));
}
await fabric.close();
