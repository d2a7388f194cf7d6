import assert from "node:assert/strict";
import recorded from "../fixtures/compile/losses.json" with { type: "json" };
import { tensorflowTest } from "../accelerators/tensorflow/only_with_tensorflow.ts";
import { assertClose } from "./train.ts";
import { Transformer } from "../../examples/shared/transformer.ts";
import { Fabric } from "../../runtime/fabric/fabric.ts";
import { Adam } from "../../runtime/optim/adam.ts";
import { AdamW } from "../../runtime/optim/adam_w.ts";
import type { Optimizer } from "../../runtime/optim/optimizer.ts";
import { SGD } from "../../runtime/optim/sgd.ts";
import { crossEntropy } from "../../runtime/nn/functional.ts";
import type { Module } from "../../runtime/nn/module.ts";
import { forgetWarnings, routeMessages } from "../../runtime/core/messages.ts";
import { withScope } from "../../runtime/tensor/scope.ts";
import { tf } from "../../runtime/tensor/tf.ts";

const { layers } = tf;
const STEPS = 50, BATCH = 16;

/** As `wave` of make_losses.py. */
function wave(shape: number[], phase: number, scale: number): tf.Tensor {
  const size = shape.reduce((a, b) => a * b, 1);
  return tf.tensor(Float32Array.from({ length: size }, (_, k) => scale * Math.sin(phase + 1.7 * k)), shape);
}

/** As `fill` of make_losses.py. */
function fill(variables: readonly tf.Variable[]): void {
  for (const [i, variable] of variables.entries()) {
    const { shape } = variable, fanIn = shape.length > 1 ? shape.slice(0, -1).reduce((a, b) => a * b, 1) : 100;
    tf.tidy(() => variable.assign(wave(shape, i, 1 / Math.sqrt(fanIn))));
  }
}

const image = (i: number) => wave([BATCH, 14, 14, 1], i, 1);
const labels = (i: number, count = BATCH) =>
  tf.tensor1d(Int32Array.from({ length: count }, (_, k) => (i * 7 + k * 3) % 10), "int32");
const sequential = (...parts: tf.layers.Layer[]) => tf.sequential({ layers: parts });
const last = () => layers.dense({ units: 10 });
const flat = () => layers.flatten({ inputShape: [14, 14, 1] });

interface Twin {
  make(): tf.Sequential | Module;
  optimizer(): Optimizer;
  /** The weights that are given by the formula; the others start as they are. Default: all that can be trained. */
  weights?(names: readonly string[]): readonly string[];
  batch?(i: number): [tf.Tensor, tf.Tensor];
}

const twins: Record<keyof typeof recorded.losses, Twin> = {
  perceptron: {
    make: () => sequential(flat(), layers.dense({ units: 24, activation: "relu" }), last()),
    optimizer: () => new Adam({ learningRate: 1e-3 }),
  },
  convnet: {
    make: () =>
      sequential(
        layers.conv2d({ inputShape: [14, 14, 1], filters: 4, kernelSize: 3, activation: "relu" }),
        layers.maxPooling2d({ poolSize: 2 }),
        layers.conv2d({ filters: 8, kernelSize: 3, activation: "relu" }),
        layers.averagePooling2d({ poolSize: 2 }),
        layers.flatten(),
        last(),
      ),
    optimizer: () => new SGD({ learningRate: 0.02, momentum: 0.9 }),
  },
  batch_norm: {
    make: () => sequential(flat(), layers.dense({ units: 24 }), layers.batchNormalization(), layers.reLU(), last()),
    optimizer: () => new SGD({ learningRate: 0.05 }),
    weights: (names) => names.filter((name) => /kernel|bias/.test(name)),
  },
  transformer: {
    make: () => new Transformer({ vocabulary: 10, context: 8, width: 16, heads: 2, blocks: 1 }),
    optimizer: () => new AdamW({ learningRate: 3e-3, weightDecay: 0.01 }),
    weights: (names) => names.filter((name) => !/norm/.test(name)),
    batch: (i) => [labels(i, BATCH * 8).reshape([BATCH, 8]), labels(i + 1, BATCH * 8)],
  },
};

for (const [name, expected] of Object.entries(recorded.losses)) {
  tensorflowTest(`${name}: 50 compiled steps have the losses of PyTorch`, async (t) => {
    const { make, optimizer: makeOptimizer, weights, batch } = twins[name as keyof typeof twins];
    for (const compile of ["graph", "xla"] as const) {
      await t.step(compile, async () => {
        const messages: string[] = [];
        forgetWarnings();
        using _ = routeMessages((line) => messages.push(line));
        await using fabric = new Fabric({ accelerator: "cpu" });
        await fabric.launch();
        const [model, optimizer] = await withScope(() => fabric.setup(make(), makeOptimizer()));
        const named = model.namedParameters();
        const filled = weights?.([...named.keys()]) ?? [...named.keys()];
        fill(filled.map((name) => named.get(name)!));
        const step = fabric.compile(async (x: tf.Tensor, y: tf.Tensor) => {
          optimizer.zeroGrad();
          const loss = crossEntropy(model.forward(x).reshape([-1, 10]), y);
          await fabric.backward(loss);
          optimizer.step();
          return loss;
        }, { compile });
        const losses: number[] = [];
        for (let i = 0; i < STEPS; i++) {
          await withScope(async () => {
            const [x, y] = batch?.(i) ?? [image(i), labels(i)];
            losses.push((await step(x, y)).dataSync()[0]);
          });
        }
        assert.match(messages.join("\n"), /was recorded/);
        assertClose(losses, expected, 2e-5, "losses");
        optimizer.dispose();
        for (const variable of [...model.parameters()]) variable.dispose();
      });
    }
  });
}
