import assert from "node:assert/strict";
import { loadedBinding, tensorflowCpu, tensorflowCuda } from "../../../runtime/accelerators/tensorflow/accelerator.ts";
import { countCudaDevices } from "../../../runtime/devices/cuda_devices.ts";
import { tf } from "../../../runtime/tensor/tf.ts";
import { configureTensorflow, tensorflowConfiguration } from "../../../runtime/tensorflow_library/configure.ts";
import { tensorflowLibrary, tensorflowTest } from "./only_with_tensorflow.ts";

const loaded = tensorflowLibrary ? await tensorflowCpu.load({ localWorldSize: 10_000 }) : undefined;
const gpus = countCudaDevices();

/** A batch of numbers that are the same on every run. */
function batch(rows: number, columns: number) {
  const x = Float32Array.from({ length: rows * columns }, (_, i) => Math.sin(i * 12.9898) / 2 + 0.5);
  const y = Int32Array.from({ length: rows }, (_, i) => (i * 7) % 10);
  return [tf.tensor2d(x, [rows, columns]), tf.tidy(() => tf.oneHot(tf.tensor1d(y, "int32"), 10))] as const;
}

/** Trains a small MLP on the backend that is set. @returns losses and final weights */
function trainMlp(makeOptimizer: () => ReturnType<typeof tf.train.sgd>, steps: number) {
  const weight = (rows: number, columns: number, seed: number) => {
    const values = Float32Array.from({ length: rows * columns }, (_, i) => Math.cos((i + seed) * 78.233) * 0.2);
    return tf.tidy(() => tf.variable(tf.tensor2d(values, [rows, columns])));
  };
  const variables = [weight(20, 16, 1), weight(1, 16, 2), weight(16, 10, 3), weight(1, 10, 4)];
  const [w1, b1, w2, b2] = variables;
  const [x, y] = batch(32, 20);
  const optimizer = makeOptimizer();
  const losses: number[] = [];
  for (let i = 0; i < steps; i++) {
    const loss = optimizer.minimize(
      () => tf.losses.softmaxCrossEntropy(y, tf.relu(x.matMul(w1).add(b1)).matMul(w2).add(b2)) as never,
      true,
      variables,
    )!;
    losses.push(loss.dataSync()[0]);
    loss.dispose();
  }
  const weights = variables.map((variable) => variable.dataSync() as Float32Array);
  tf.dispose([x, y, ...variables]);
  optimizer.dispose();
  return { losses, weights };
}

tensorflowTest("the processor is found, and loading it makes it tfjs's backend, once", async () => {
  assert.equal((await tensorflowCpu.probe()).available, true);
  assert.equal(await tensorflowCpu.deviceCount(), 1);
  assert.equal(loaded!.backendName, "tensorflow");
  assert.equal(tf.getBackend(), "tensorflow");
  // More ranks than cores leave each of them one thread.
  assert.match(loaded!.description, /^cpu \(TensorFlow 2\.\d+\.\d+, 1 thread\)$/);
  assert.equal(await tensorflowCpu.load({}), loaded);
  using again = await tensorflowCpu.load({});
  assert.equal(again.backendName, "tensorflow");
});

tensorflowTest("an MLP under SGD has the losses and the weights that it has on tfjs's cpu backend", () => {
  const got = trainMlp(() => tf.train.sgd(0.5), 50);
  tf.setBackend("cpu");
  const expected = trainMlp(() => tf.train.sgd(0.5), 50);
  tf.setBackend("tensorflow");
  assert.ok(expected.losses[49] < expected.losses[0] - 0.02, `it learns nothing: ${expected.losses}`);
  for (const [i, loss] of expected.losses.entries()) assert.ok(Math.abs(got.losses[i] - loss) < 1e-5 * loss);
  for (const [i, weights] of expected.weights.entries()) {
    for (const [j, weight] of weights.entries()) assert.ok(Math.abs(got.weights[i][j] - weight) < 1e-5);
  }
});

tensorflowTest("training leaves as many tensors and handles as there were before", () => {
  const count = () => [tf.memory().numTensors, tf.memory().numDataBuffers, loadedBinding()!.getNumOfTensors()];
  trainMlp(() => tf.train.adam(0.01) as never, 2);
  const before = count();
  const { losses } = trainMlp(() => tf.train.adam(0.01) as never, 20);
  assert.ok(losses[19] < losses[0]);
  assert.deepEqual(count(), before);
});

tensorflowTest(
  "a layers model with convolution, batch normalization and dropout fits and frees what it made",
  async () => {
    const before = [tf.memory().numTensors, loadedBinding()!.getNumOfTensors()];
    const model = tf.sequential({
      layers: [
        tf.layers.conv2d({ inputShape: [8, 8, 1], filters: 4, kernelSize: 3, activation: "relu" }),
        tf.layers.batchNormalization(),
        tf.layers.maxPooling2d({ poolSize: 2 }),
        tf.layers.flatten(),
        tf.layers.dropout({ rate: 0.2 }),
        tf.layers.dense({ units: 10, activation: "softmax" }),
      ],
    });
    model.compile({ optimizer: tf.train.adam(0.02), loss: "categoricalCrossentropy" });
    const [x, y] = batch(40, 64);
    const images = x.reshape([40, 8, 8, 1]);
    const { history: { loss } } = await model.fit(images, y, { epochs: 6, batchSize: 10, verbose: 0 });
    assert.ok((loss[5] as number) < (loss[0] as number), `the loss does not fall: ${loss}`);
    tf.dispose([x, y, images]);
    // The optimizer was made here, so the model leaves it alone.
    model.optimizer.dispose();
    model.dispose();
    assert.deepEqual([tf.memory().numTensors, loadedBinding()!.getNumOfTensors()], before);
  },
);

tensorflowTest("an op that fails under tfjs names itself, and tfjs goes on", () => {
  tf.tidy(() => {
    const x = tf.tensor1d([1, 2, 3]);
    assert.throws(() => tf.gatherND(x, tf.tensor2d([[7]], [1, 1], "int32")), {
      name: "Error",
      message: /^TensorFlow op GatherNd: indices\[0\] = \[7\] does not index into param/,
      cause: "INVALID_ARGUMENT",
    });
    assert.deepEqual([...x.square().dataSync()], [1, 4, 9]);
  });
});

tensorflowTest("strings, booleans and complex numbers go through tfjs", () => {
  tf.tidy(() => {
    const words = tf.tensor2d([["tensor", "flow"], ["", "ü"]]);
    const second = tf.slice(words, [1, 0], [1, 2]);
    assert.deepEqual(tf.concat([second, words]).arraySync(), [["", "ü"], ["tensor", "flow"], ["", "ü"]]);
    assert.deepEqual(tf.tensor1d([1, 2]).greater(1.5).arraySync(), [0, 1]);
    const z = tf.complex([1, 2], [3, 4]);
    assert.deepEqual([...tf.mul(z, z).dataSync()], [-8, 6, -12, 16]);
    assert.deepEqual([...tf.imag(tf.concat([z, z])).dataSync()], [3, 4, 3, 4]);
  });
});

tensorflowTest("a SavedModel can be used through the functions of tfjs-node", async () => {
  const before = [tf.memory().numTensors, loadedBinding()!.getNumOfTensors()];
  const file = "npm:@tensorflow/tfjs-node-gpu@4.22.0/dist/saved_model.js";
  const { loadSavedModel } = (await import(file)).default;
  const folder = decodeURIComponent(new URL("../../fixtures/tensorflow/saved_model", import.meta.url).pathname);
  const model = await loadSavedModel(folder);
  const x = tf.tensor2d([[1, 2, 3], [0, 0, 1]]);
  const { y } = model.predict({ x });
  assert.deepEqual(y.arraySync(), [[22.5, 27.5], [5.5, 5.5]]);
  tf.dispose([x, y]);
  model.dispose();
  assert.equal(loadedBinding()!.getNumOfSavedModels(), 0);
  assert.deepEqual([tf.memory().numTensors, loadedBinding()!.getNumOfTensors()], before);
});

tensorflowTest("reading a tensor can wait, and copies", async () => {
  const x = tf.tensor1d([1, 2]);
  const [first, second] = [await x.square().data(), x.dataSync()];
  first[0] = second[0] = 9;
  assert.deepEqual([...await x.square().data()], [1, 4]);
  x.dispose();
});

tensorflowTest("one process has the processor or a GPU, not both", async () => {
  await assert.rejects(async () => await tensorflowCuda.load({}), /already runs for cpu .* cannot for cuda/);
});

Deno.test("a machine without a GPU says why cuda is not available, and what to do", async () => {
  assert.equal(await tensorflowCuda.deviceCount(), gpus.count);
  const probe = await tensorflowCuda.probe();
  if (gpus.count > 0) return void console.log("skipped: this machine has a GPU");
  assert.ok(!probe.available);
  assert.equal(probe.reason, gpus.reason);
  assert.match(probe.remedy, /NVIDIA's driver/);
});

Deno.test("without TensorFlow the accelerator says where it looked and what to run", async () => {
  const before = tensorflowConfiguration();
  const folder = await Deno.makeTempDir();
  configureTensorflow({ libraryDirectory: folder });
  try {
    const probe = await tensorflowCpu.probe();
    assert.ok(!probe.available);
    assert.ok(probe.reason.includes(`TENSORFLOW_LIB_DIR=${folder} lacks`) || Deno.build.os === "windows", probe.reason);
    assert.match(probe.remedy, /deno task setup/);
    const { startTensorflow } = await import("../../../runtime/accelerators/tensorflow/start.ts");
    await assert.rejects(() => startTensorflow("cpu"), /found no TensorFlow: .*Run `deno task setup` to get it/);
    await assert.rejects(() => startTensorflow("cuda"), /Run `deno task setup --cuda` to get it/);
  } finally {
    configureTensorflow(before);
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("numbers of threads that are none are refused", () => {
  const before = tensorflowConfiguration();
  for (const intraOpThreads of [0, -1, 1.5, NaN, 2 ** 31]) {
    assert.throws(() => configureTensorflow({ intraOpThreads }), {
      name: "RangeError",
      message: `\`intraOpThreads: ${intraOpThreads}\` must be a whole number of threads, at least 1`,
    });
  }
  assert.throws(() => configureTensorflow({ interOpThreads: 0 }), /interOpThreads/);
  assert.equal(tensorflowConfiguration(), before);
});

Deno.test("whoever does not choose TensorFlow does not download its kernels", async () => {
  const entry = new URL("../../../runtime/accelerators/tensorflow/accelerator.ts", import.meta.url);
  const { stdout } = await new Deno.Command(Deno.execPath(), { args: ["info", "--json", entry.href] }).output();
  const graph = JSON.parse(new TextDecoder().decode(stdout)) as { modules: { specifier: string }[] };
  assert.ok(graph.modules.length > 3);
  assert.deepEqual(graph.modules.filter(({ specifier }) => specifier.includes("tfjs-node")), []);
});
