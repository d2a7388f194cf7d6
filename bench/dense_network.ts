import { tf } from "../runtime/tensor/tf.ts";

/** Numbers of a sample, and how many classes it may be of. */
export const INPUTS = 784, CLASSES = 10;
/** Units of the hidden layers, by the name of the network. */
const HIDDEN: Record<string, readonly number[]> = { perceptron: [100], wide: [1000, 1000] };

/** A network of dense layers that benchmarks train: `perceptron`, 784-100-10, or `wide`, 784-1000-1000-10. */
export function denseNetwork(name: string): tf.Sequential {
  const sizes = [INPUTS, ...HIDDEN[name]];
  const hidden = sizes.slice(1).map((units, i) =>
    tf.layers.dense({ units, inputShape: [sizes[i]], activation: "relu" })
  );
  return tf.sequential({ layers: [...hidden, tf.layers.dense({ units: CLASSES })] });
}
