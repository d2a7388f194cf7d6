import { clipGradientsByValue } from "../../runtime/optim/clip.ts";
import { Adam } from "../../runtime/optim/adam.ts";
import { AdamW } from "../../runtime/optim/adam_w.ts";
import type { Optimizer } from "../../runtime/optim/optimizer.ts";
import { OneCycleLR, StepLR } from "../../runtime/optim/schedulers.ts";
import { SGD } from "../../runtime/optim/sgd.ts";
import type { Fabric } from "../../runtime/fabric/fabric.ts";
import { binaryCrossEntropyWithLogits, crossEntropy, mseLoss } from "../../runtime/nn/functional.ts";
import { Module } from "../../runtime/nn/module.ts";
import { tf } from "../../runtime/tensor/tf.ts";
import type { TrainingCase } from "./train.ts";

const { layers } = tf;

const mlp = (between: () => tf.layers.Layer[] = () => []) => () =>
  tf.sequential({
    layers: [
      layers.flatten({ inputShape: [28, 28, 1] }),
      layers.dense({ units: 24, activation: "relu" }),
      ...between(),
      layers.dense({ units: 10 }),
    ],
  });

/** A model of layers that classifies, with any optimizer and any schedule. */
function classifier(
  makeModel: () => tf.LayersModel,
  makeOptimizer: () => tf.Optimizer | Optimizer,
  schedule?: (optimizer: Optimizer) => { step(): void },
): TrainingCase {
  return {
    async build(fabric) {
      const model = makeModel();
      const [net, optimizer] = await fabric.setup(model, makeOptimizer());
      const scheduler = schedule?.(optimizer);
      return {
        step: async (x, y) => {
          optimizer.zeroGrad();
          const loss = crossEntropy(net.forward(x), y);
          await fabric.backward(loss);
          optimizer.step();
          return loss;
        },
        after: () => scheduler?.step(),
        variables: () => [...net.namedParameters().values(), ...net.namedBuffers().values()],
        dispose() {
          optimizer.dispose();
          model.dispose();
        },
      };
    },
  };
}

/** Any module, with SGD. */
function module<M extends Module>(
  make: () => M,
  lossOf: (net: M, x: tf.Tensor, y: tf.Tensor) => tf.Tensor,
  beforeStep?: (fabric: Fabric, net: M) => unknown,
): TrainingCase {
  return {
    async build(fabric) {
      const original = make();
      const [model, optimizer] = await fabric.setup(original, new SGD({ learningRate: 0.05 }));
      const net = model as unknown as M;
      return {
        step: async (x, y) => {
          optimizer.zeroGrad();
          const loss = lossOf(net, x, y);
          await fabric.backward(loss);
          await beforeStep?.(fabric, net);
          optimizer.step();
          return loss;
        },
        variables: () => [...original.namedParameters().values(), ...original.namedBuffers().values()],
        dispose() {
          optimizer.dispose();
          original.dispose();
        },
      };
    },
  };
}

class Tied extends Module {
  encode = tf.variable(tf.tidy(() => tf.randomNormal([784, 16], 0, 0.05)));
  bias = tf.variable(tf.zeros([784]));
  override forward(x: tf.Tensor) {
    const code = tf.relu(tf.matMul(x.reshape([-1, 784]), this.encode as tf.Tensor2D));
    return tf.add(tf.matMul(code as tf.Tensor2D, this.encode as tf.Tensor2D, false, true), this.bias);
  }
}

class Embedded extends Module {
  table = layers.embedding({ inputDim: 10, outputDim: 8 });
  head = layers.dense({ units: 10, inputShape: [8] });
  constructor() {
    super();
    this.table.build([null]);
    this.head.build([null, 8]);
  }
  override forward(ids: tf.Tensor) {
    return this.run(this.head, this.run(this.table, ids));
  }
}

class Layered extends Module {
  constructor(readonly net: tf.LayersModel) {
    super();
  }
  override forward(x: tf.Tensor) {
    return this.run(this.net, x);
  }
}

/** From random numbers. */
class Generator extends Layered {
  override forward(like: tf.Tensor) {
    return super.forward(tf.randomNormal([like.shape[0], 8]));
  }
}

const twoLayers = (units: number, inputs: number) =>
  tf.sequential({
    layers: [layers.dense({ inputShape: [inputs], units: 16, activation: "relu" }), layers.dense({ units })],
  });

const classify = (net: Module, x: tf.Tensor, y: tf.Tensor) => crossEntropy(net.forward(x), y);
const layered = (make: () => tf.LayersModel) => () => new Layered(make());
const sgd = () => new SGD({ learningRate: 0.05 });

/** Gradients of two batches before each step: the second argument of the step says whether it is the last. */
const accumulation: TrainingCase = {
  async build(fabric) {
    const model = mlp()();
    const [net, optimizer] = await fabric.setup(model, new SGD({ learningRate: 0.05 }));
    return {
      rest: (i) => [i % 2 === 1],
      step: async (x: tf.Tensor, y: tf.Tensor, isLast?: boolean) => {
        using _ = fabric.noBackwardSync(net, !isLast);
        const loss = crossEntropy(net.forward(x), y).div(2);
        await fabric.backward(loss);
        if (isLast) {
          optimizer.step();
          optimizer.zeroGrad();
        }
        return loss;
      },
      variables: () => net.parameters(),
      dispose() {
        optimizer.dispose();
        model.dispose();
      },
    };
  },
};

/** A generator and a critic, each with its optimizer: two backward passes in a step. */
const adversaries: TrainingCase = {
  async build(fabric) {
    const models = [new Generator(twoLayers(784, 8)), new Layered(twoLayers(1, 784))];
    const [generator, optimizerG] = await fabric.setup(models[0], tf.train.adam(1e-3, 0.5));
    const [critic, optimizerC] = await fabric.setup(models[1], tf.train.rmsprop(1e-3));
    return {
      step: async (x) => {
        const real = x.reshape([-1, 784]), n = real.shape[0];
        optimizerC.zeroGrad();
        const fake = generator.forward(real);
        const judged = critic.forward(tf.concat([real, fake]));
        const labels = tf.concat([tf.ones([n, 1]), tf.zeros([n, 1])]);
        const lossC = binaryCrossEntropyWithLogits(judged, labels);
        await fabric.backward(lossC, { model: critic });
        optimizerC.step();
        optimizerG.zeroGrad();
        const again = critic.forward(generator.forward(real));
        const lossG = binaryCrossEntropyWithLogits(again, tf.ones([n, 1]));
        await fabric.backward(lossG, { model: generator });
        optimizerG.step();
        return [lossC, lossG];
      },
      variables: () => [...generator.parameters(), ...critic.parameters()],
      dispose() {
        for (const owned of [optimizerG, optimizerC, ...models]) owned.dispose();
      },
    };
  },
};

/** What 50 compiled steps have to compute as 50 steps op by op do. `exact`: by plain SGD, so that the weights agree as closely as the losses. */
export const zoo: Record<string, TrainingCase & { weights?: boolean }> = {
  "a perceptron with SGD": { ...classifier(mlp(), sgd), weights: true },
  "a perceptron with SGD, momentum, Nesterov and decay": classifier(
    mlp(),
    () => new SGD({ learningRate: 0.02, momentum: 0.9, nesterov: true, weightDecay: 1e-3 }),
  ),
  "a perceptron with Adam": classifier(mlp(), () => new Adam()),
  "a perceptron with AdamW": classifier(mlp(), () => new AdamW({ weightDecay: 0.1 })),
  "tf.train.sgd": { ...classifier(mlp(), () => tf.train.sgd(0.05)), weights: true },
  "tf.train.momentum": classifier(mlp(), () => tf.train.momentum(0.02, 0.9, true)),
  "tf.train.adam": classifier(mlp(), () => tf.train.adam(1e-3)),
  "tf.train.adagrad": classifier(mlp(), () => tf.train.adagrad(0.02)),
  "tf.train.adadelta": classifier(mlp(), () => tf.train.adadelta(0.5)),
  "tf.train.adamax": classifier(mlp(), () => tf.train.adamax(2e-3)),
  "tf.train.rmsprop": classifier(mlp(), () => tf.train.rmsprop(1e-3, 0.9, 0.5)),
  "SGD by StepLR": { ...classifier(mlp(), sgd, (optimizer) => new StepLR(optimizer, { stepSize: 7 })), weights: true },
  "Adam by OneCycleLR": classifier(
    mlp(),
    () => new Adam(),
    (optimizer) => new OneCycleLR(optimizer, { maxLearningRate: 5e-3, totalSteps: 60 }),
  ),
  "tf.train.adagrad by StepLR": classifier(
    mlp(),
    () => tf.train.adagrad(0.02),
    (optimizer) => new StepLR(optimizer, { stepSize: 9, gamma: 0.5 }),
  ),
  "tf.train.sgd by StepLR": classifier(
    mlp(),
    () => tf.train.sgd(0.05),
    (optimizer) => new StepLR(optimizer, { stepSize: 1, gamma: 0.97 }),
  ),
  "a last, smaller batch": { ...classifier(mlp(), sgd), weights: true, batchSize: (i) => i % 10 === 9 ? 11 : 32 },
  "a convolutional network": {
    ...classifier(() =>
      tf.sequential({
        layers: [
          layers.conv2d({ inputShape: [28, 28, 1], filters: 4, kernelSize: 3, activation: "relu" }),
          layers.maxPooling2d({ poolSize: 2 }),
          layers.conv2d({ filters: 8, kernelSize: 3, strides: 2, padding: "same", activation: "relu" }),
          layers.averagePooling2d({ poolSize: 2 }),
          layers.flatten(),
          layers.dense({ units: 10 }),
        ],
      }), sgd),
    weights: true,
  },
  "batch normalisation": { ...classifier(mlp(() => [layers.batchNormalization()]), sgd), weights: true },
  "layer normalisation": { ...classifier(mlp(() => [layers.layerNormalization()]), sgd), weights: true },
  "dropout": { ...classifier(mlp(() => [layers.dropout({ rate: 0.3 })]), sgd), weights: true },
  "noise and other dropouts": {
    ...classifier(
      mlp(
        () => [
          layers.gaussianNoise({ stddev: 0.1 }),
          layers.gaussianDropout({ rate: 0.2 }),
          layers.alphaDropout({ rate: 0.1 }),
        ],
      ),
      sgd,
    ),
    weights: true,
  },
  "an embedding": { ...module(() => new Embedded(), (net, _x, y) => crossEntropy(net.forward(y), y)), weights: true },
  "a recurrent network": {
    ...classifier(() =>
      tf.sequential({
        layers: [
          layers.reshape({ inputShape: [28, 28, 1], targetShape: [4, 196] }),
          layers.gru({ units: 6 }),
          layers.dense({ units: 10 }),
        ],
      }), sgd),
    weights: true,
  },
  "an autoencoder with shared weights": {
    ...module(() => new Tied(), (net, x) => mseLoss(net.forward(x), x.reshape([-1, 784]))),
    weights: true,
  },
  "a frozen layer": {
    ...module(() => {
      const net = new Layered(mlp()());
      net.net.layers[1].trainable = false;
      return net;
    }, classify),
    weights: true,
  },
  "clipping by norm": {
    ...module(layered(mlp()), classify, (fabric, net) => fabric.clipGradients(net, { maxNorm: 0.5 })),
    weights: true,
  },
  "clipping by value": {
    ...module(layered(mlp()), classify, (_fabric, net) => clipGradientsByValue(net.parameters(), 0.01)),
    weights: true,
  },
  "accumulation over two batches": { ...accumulation, weights: true },
  "two models with an optimizer each": adversaries,
};
