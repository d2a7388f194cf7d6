/** What the smaller examples have in common: the reference model, its data, and how it is judged. */
import { crossEntropy, DataLoader, type Fabric, MNIST, Subset, tf } from "../../mod.ts";

/** The reference model: 784 pixels, 100 hidden units, 10 digits. */
export function perceptron(hidden = 100): tf.Sequential {
  return tf.sequential({
    layers: [
      tf.layers.dense({ inputShape: [784], units: hidden, activation: "relu" }),
      tf.layers.dense({ units: 10 }),
    ],
  });
}

/** Loaders of MNIST's training and test images. `samples` takes only the first ones, for a quick look. */
export async function mnistLoaders(options: { batchSize?: number; samples?: number } = {}) {
  const { batchSize = 100, samples } = options;
  const loader = async (train: boolean) => {
    const dataset = await MNIST.load({ train });
    const part = samples === undefined ? dataset : new Subset(dataset, Array.from({ length: samples }, (_, i) => i));
    return new DataLoader(part, { batchSize, shuffle: train });
  };
  return [await loader(true), await loader(false)] as const;
}

/** Mean loss and accuracy over every sample of `loader`, whatever the number of ranks. */
export async function evaluate(
  fabric: Fabric,
  model: { forward(x: tf.Tensor): tf.Tensor; train(mode?: boolean): unknown },
  loader: AsyncIterable<[tf.Tensor, tf.Tensor]>,
): Promise<{ loss: number; accuracy: number }> {
  let lossSum = 0, correct = 0, count = 0;
  model.train(false);
  for await (const [x, y] of loader) {
    const logits = model.forward(x);
    lossSum += (await crossEntropy(logits, y, { reduction: "sum" }).data())[0];
    correct += (await logits.argMax(1).equal(y).sum().data())[0];
    count += y.size;
  }
  model.train();
  const all = await fabric.allReduce({ lossSum, correct, count }, { op: "sum" });
  return { loss: all.lossSum / all.count, accuracy: all.correct / all.count };
}
