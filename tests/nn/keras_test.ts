import assert from "node:assert/strict";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { asModule, LayersModule, loadAccelerator, tf } from "../../mod.ts";
import { LightningModule } from "../../runtime/trainer/lightning_module.ts";
import { Trainer } from "../../runtime/trainer/trainer.ts";
import { exportLayersModel, importLayersModel, loadLayersWeights } from "../../runtime/nn/keras.ts";
import { inTemporaryFolder } from "../temporary_folder.ts";

await loadAccelerator("wasm");

/** A network with every sort of weight: trained ones and moving averages. */
const network = () =>
  tf.sequential({
    layers: [
      tf.layers.conv2d({ inputShape: [8, 8, 1], filters: 3, kernelSize: 3, activation: "relu" }),
      tf.layers.batchNormalization(),
      tf.layers.flatten(),
      tf.layers.dropout({ rate: 0.5 }),
      tf.layers.dense({ units: 4, name: "head" }),
    ],
  });

const outputOf = (model: tf.LayersModel, x: tf.Tensor) => [...(model.predict(x) as tf.Tensor).dataSync()];

Deno.test("a model that is exported and imported computes the same, bit for bit", () =>
  inTemporaryFolder(async (folder) => {
    const model = network(), x = tf.randomNormal([2, 8, 8, 1], 0, 1, "float32", 3);
    model.layers[1].setWeights([2, 3, 4, 5].map((value) => tf.fill([3], value)));
    await exportLayersModel(model, folder);
    assert.deepEqual([...Deno.readDirSync(folder)].map(({ name }) => name).sort(), ["model.json", "weights.bin"]);
    for (const path of [folder, join(folder, "model.json"), pathToFileURL(folder)]) {
      const same = await importLayersModel(path);
      assert.deepEqual(outputOf(same, x), outputOf(model, x));
      assert.equal(asModule(same).parameters().length, asModule(model).parameters().length);
      same.dispose();
    }
    tf.dispose([x]);
    model.dispose();
  }));

Deno.test("what is exported is what tf.loadLayersModel reads, and what model.save gives is imported", () =>
  inTemporaryFolder(async (folder) => {
    const model = network(), x = tf.ones([1, 8, 8, 1]);
    await exportLayersModel(new LayersModule(model), folder);
    const { weightsManifest, ...json } = JSON.parse(await Deno.readTextFile(join(folder, "model.json")));
    assert.equal(json.format, "layers-model");
    assert.deepEqual(weightsManifest[0].paths, ["weights.bin"]);
    const bytes = await Deno.readFile(join(folder, "weights.bin"));
    const loaded = await tf.loadLayersModel(tf.io.fromMemory({
      modelTopology: json.modelTopology,
      weightSpecs: weightsManifest[0].weights,
      weightData: bytes.buffer,
    }));
    assert.deepEqual(outputOf(loaded, x), outputOf(model, x));

    let artifacts: tf.io.ModelArtifacts | undefined;
    await model.save(tf.io.withSaveHandler((given) => {
      artifacts = given;
      return Promise.resolve({ modelArtifactsInfo: { dateSaved: new Date(0), modelTopologyType: "JSON" } });
    }));
    const { weightData, weightSpecs, ...facts } = artifacts!;
    const all = new Uint8Array(tf.io.CompositeArrayBuffer.join(weightData));
    // As tfjs's converter does it, in several files.
    await Deno.writeFile(join(folder, "group1-shard1of2.bin"), all.subarray(0, 101));
    await Deno.writeFile(join(folder, "group1-shard2of2.bin"), all.subarray(101));
    await Deno.writeTextFile(
      join(folder, "model.json"),
      JSON.stringify({
        ...facts,
        weightsManifest: [{ paths: ["group1-shard1of2.bin", "group1-shard2of2.bin"], weights: weightSpecs }],
      }),
    );
    const imported = await importLayersModel(folder);
    assert.deepEqual(outputOf(imported, x), outputOf(model, x));
    for (const each of [model, loaded, imported]) each.dispose();
    x.dispose();
  }));

Deno.test("a model as Keras's converter writes it computes what its weights say", () =>
  inTemporaryFolder(async (folder) => {
    await Deno.writeTextFile(
      join(folder, "model.json"),
      JSON.stringify({
        format: "layers-model",
        generatedBy: "keras v2.15.0",
        convertedBy: "TensorFlow.js Converter v4.22.0",
        modelTopology: {
          keras_version: "2.15.0",
          backend: "tensorflow",
          model_config: {
            class_name: "Sequential",
            config: {
              name: "sequential",
              layers: [
                {
                  class_name: "InputLayer",
                  config: {
                    batch_input_shape: [null, 2],
                    dtype: "float32",
                    sparse: false,
                    ragged: false,
                    name: "input",
                  },
                },
                {
                  class_name: "Dense",
                  config: {
                    ...{
                      name: "dense",
                      trainable: true,
                      dtype: "float32",
                      units: 2,
                      activation: "linear",
                      use_bias: true,
                    },
                    kernel_initializer: { class_name: "GlorotUniform", config: { seed: null } },
                    bias_initializer: { class_name: "Zeros", config: {} },
                  },
                },
              ],
            },
          },
        },
        weightsManifest: [{
          paths: ["group1-shard1of1.bin"],
          weights: [
            { name: "dense/kernel", shape: [2, 2], dtype: "float32" },
            { name: "dense/bias", shape: [2], dtype: "float32" },
          ],
        }],
      }),
    );
    await Deno.writeFile(
      join(folder, "group1-shard1of1.bin"),
      new Uint8Array(Float32Array.of(1, 2, 3, 4, 10, 20).buffer),
    );
    const model = await importLayersModel(folder);
    assert.deepEqual(outputOf(model, tf.tensor2d([[1, 1], [0, 2]])), [14, 26, 16, 28]);
    model.dispose();
  }));

Deno.test("a module takes the weights of a saved model by position, and trains on from them", () =>
  inTemporaryFolder(async (folder) => {
    class Line extends LightningModule {
      readonly net = tf.sequential({ layers: [tf.layers.dense({ inputShape: [2], units: 1 })] });
      override trainingStep([x, y]: [tf.Tensor, tf.Tensor]) {
        return this.run(this.net, x).sub(y).square().mean();
      }
      override configureOptimizers() {
        return tf.train.sgd(0.1);
      }
    }
    const trained = tf.sequential({ layers: [tf.layers.dense({ inputShape: [2], units: 1, name: "other" })] });
    trained.setWeights([tf.tensor2d([[3], [-2]]), tf.tensor1d([0.5])]);
    await exportLayersModel(trained, folder);
    const model = new Line();
    const before = tf.memory().numTensors;
    await loadLayersWeights(model.net, folder);
    assert.equal(tf.memory().numTensors, before);
    assert.deepEqual([...model.namedParameters().values()].map((weight) => [...weight.dataSync()]), [[3, -2], [0.5]]);

    // The data is what the weights say, so that there is nothing left to learn.
    const x = tf.tensor2d([[1, 1], [2, 0]]);
    await using trainer = new Trainer({
      accelerator: "wasm",
      ...{
        maxEpochs: 1,
        logger: false,
        enableCheckpointing: false,
        enableProgressBar: false,
        enableModelSummary: false,
      },
    });
    await trainer.fit(model, [[x, tf.tensor2d([[1.5], [6.5]])]]);
    assert.deepEqual([...model.namedParameters().values()].map((weight) => [...weight.dataSync()]), [[3, -2], [0.5]]);
  }));

Deno.test("what cannot be exported or imported says why", () =>
  inTemporaryFolder(async (folder) => {
    const net = tf.sequential({ layers: [tf.layers.dense({ inputShape: [2], units: 1 })] });
    class Own extends LightningModule {
      readonly net = net;
    }
    await assert.rejects(
      exportLayersModel(new Own() as unknown as tf.LayersModel, folder),
      /takes a tfjs layers model .* got Own: give the field of your module that is one/,
    );
    await assert.rejects(importLayersModel(join(folder, "none")), /none.model\.json does not exist/);
    await assert.rejects(importLayersModel(""), TypeError);

    await exportLayersModel(net, folder);
    const wide = tf.sequential({ layers: [tf.layers.dense({ inputShape: [3], units: 1, useBias: false, name: "w" })] });
    const before = outputOf(wide, tf.ones([1, 3]));
    await assert.rejects(
      loadLayersWeights(wide, folder),
      /do not fit the model:\s+w\/kernel: \[2,1\] in the file but \[3,1\] in the model\s+.*bias: \[1\] in the file but nothing in the model/,
    );
    assert.deepEqual(outputOf(wide, tf.ones([1, 3])), before);

    const file = join(folder, "model.json");
    const json = await Deno.readTextFile(file);
    await Deno.writeFile(join(folder, "weights.bin"), new Uint8Array(5));
    await assert.rejects(importLayersModel(folder), /should have 12 bytes, but have 5/);
    await Deno.writeTextFile(file, json.replace("weights.bin", "../weights.bin"));
    await assert.rejects(importLayersModel(folder), /which do not lie beside it/);
    await Deno.writeTextFile(file, json.replace("layers-model", "graph-model"));
    await assert.rejects(importLayersModel(folder), /graph model, which cannot be trained/);
    await Deno.writeTextFile(file, "{}");
    await assert.rejects(importLayersModel(folder), /is no saved layers model/);
    await Deno.writeTextFile(file, "{");
    await assert.rejects(importLayersModel(folder), /Could not read the layers model/);
    // A file where the folder should be.
    await assert.rejects(
      exportLayersModel(net, file.replace("model.json", "weights.bin/a")),
      /Could not save the layers model/,
    );
  }));
