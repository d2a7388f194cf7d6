import assert from "node:assert/strict";
import { wasm } from "../../../runtime/accelerators/wasm.ts";
import { tf } from "../../../runtime/tensor/tf.ts";
import { assertClose, numbers } from "../on_both.ts";

const { layers } = tf;
const inputs = (shape: number[]) => () => numbers(shape);
const tokens = () => numbers([6, 5]).abs().mul(10).floor().cast("int32");

/** Models that between them need the kernels of convolution, pooling, normalisation, look-up, recurrence and attention. */
const MODELS: Record<string, { layers: () => tf.layers.Layer[]; input: () => tf.Tensor }> = {
  "convolutional": {
    layers: () => [
      layers.conv2d({ inputShape: [10, 10, 2], filters: 4, kernelSize: 3, padding: "same", activation: "relu" }),
      layers.maxPooling2d({ poolSize: 2 }),
      layers.conv2d({ filters: 6, kernelSize: 3, strides: 2, activation: "tanh" }),
      layers.flatten(),
      layers.dense({ units: 3 }),
    ],
    input: inputs([6, 10, 10, 2]),
  },
  "separable and pooled": {
    layers: () => [
      layers.separableConv2d({ inputShape: [8, 8, 3], filters: 4, kernelSize: 3, padding: "same", activation: "elu" }),
      layers.averagePooling2d({ poolSize: 2 }),
      layers.depthwiseConv2d({ kernelSize: 2, depthMultiplier: 2, activation: "sigmoid" }),
      layers.globalAveragePooling2d({}),
      layers.dense({ units: 3 }),
    ],
    input: inputs([6, 8, 8, 3]),
  },
  "transposed": {
    layers: () => [
      layers.conv2dTranspose({ inputShape: [4, 4, 2], filters: 3, kernelSize: 3, strides: 2, padding: "same" }),
      layers.leakyReLU(),
      layers.zeroPadding2d({ padding: 1 }),
      layers.globalMaxPooling2d({}),
      layers.dense({ units: 3 }),
    ],
    input: inputs([6, 4, 4, 2]),
  },
  "normalised": {
    layers: () => [
      layers.dense({ inputShape: [7], units: 8 }),
      layers.batchNormalization(),
      layers.reLU(),
      layers.dropout({ rate: 0.4, seed: 7 }),
      layers.dense({ units: 6 }),
      layers.layerNormalization(),
      layers.prelu(),
      layers.dense({ units: 3, activation: "softplus" }),
    ],
    input: inputs([6, 7]),
  },
  "one-dimensional": {
    layers: () => [
      layers.conv1d({ inputShape: [9, 2], filters: 4, kernelSize: 3, activation: "relu" }),
      layers.maxPooling1d({ poolSize: 2 }),
      layers.batchNormalization(),
      layers.flatten(),
      layers.dense({ units: 3 }),
    ],
    input: inputs([6, 9, 2]),
  },
  "three-dimensional": {
    layers: () => [
      layers.conv3d({ inputShape: [4, 4, 4, 1], filters: 2, kernelSize: 2, activation: "relu" }),
      layers.maxPooling3d({ poolSize: 2, strides: 1 }),
      layers.flatten(),
      layers.dense({ units: 3 }),
    ],
    input: inputs([6, 4, 4, 4, 1]),
  },
  "embedding and LSTM": {
    layers: () => [
      layers.embedding({ inputDim: 10, outputDim: 4, inputLength: 5 }),
      layers.lstm({ units: 4, returnSequences: true, recurrentInitializer: "glorotUniform" }),
      layers.lstm({ units: 4, recurrentInitializer: "glorotUniform" }),
      layers.dense({ units: 3 }),
    ],
    input: tokens,
  },
  "bidirectional GRU": {
    layers: () => [
      layers.embedding({ inputDim: 10, outputDim: 4, inputLength: 5 }),
      layers.bidirectional({
        layer: layers.gru({ units: 3, recurrentInitializer: "glorotUniform" }) as tf.RNN,
        mergeMode: "concat",
      }),
      layers.dense({ units: 3 }),
    ],
    input: tokens,
  },
};

for (const [name, model] of Object.entries(MODELS)) {
  Deno.test(`a ${name} model trains on wasm as on plain JavaScript, and frees what it used`, async () => {
    await wasm.load({});
    const [expected, actual] = [await train("cpu", model), await train("wasm", model)];
    assertClose(actual, expected, 2e-4);
    assert(expected.at(-1)! < expected[0], `the loss falls: ${expected}`);
  });
}

/** Four steps of Adam from the same weights; returns the losses. */
async function train(backend: string, model: (typeof MODELS)[string]): Promise<number[]> {
  await tf.setBackend(backend);
  const before = tf.memory().numTensors;
  const net = tf.sequential({ layers: model.layers() });
  tf.tidy(() => net.setWeights(net.getWeights().map((weights, i) => startingWeights(weights.shape, i))));
  const optimizer = tf.train.adam(0.02), losses: number[] = [];
  const x = tf.tidy(model.input), y = tf.tidy(() => tf.oneHot(tf.tensor1d([0, 1, 2, 0, 1, 2], "int32"), 3).toFloat());
  const variables = net.trainableWeights.map((weight) => weight.read() as tf.Variable);
  const step = () => {
    const loss = optimizer.minimize(
      () => tf.losses.softmaxCrossEntropy(y, net.apply(x, { training: true }) as tf.Tensor) as tf.Scalar,
      true,
      variables,
    )!;
    losses.push(loss.dataSync()[0]);
    loss.dispose();
  };
  step();
  const trained = tf.memory().numTensors, data = tf.engine().backend.numDataIds();
  for (let i = 0; i < 3; i++) step();
  assert.equal(tf.memory().numTensors, trained, `steps leave tensors on ${backend}`);
  assert.equal(tf.engine().backend.numDataIds(), data, `steps leave data on ${backend}`);
  tf.dispose([x, y]);
  optimizer.dispose();
  net.dispose();
  await tf.setBackend("wasm");
  assert(tf.memory().numTensors <= before + 2, "only the optimizer's own counters may stay");
  return losses;
}

/** Small numbers, all positive, so that variances of normalisation layers are valid, too. */
function startingWeights(shape: number[], seed: number): tf.Tensor {
  return shape.length === 1 ? numbers(shape, seed + 1).mul(0.1).add(0.5) : numbers(shape, seed + 1).mul(0.4);
}
