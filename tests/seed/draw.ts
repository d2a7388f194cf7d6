/** Draws from everything in TensorFlow.js that is random, and prints it. Arguments: seed, rank. */
import { forkRandom, seed_everything } from "../../runtime/seed/seed_everything.ts";
import { tf } from "../../runtime/tensor/tf.ts";

await tf.setBackend("cpu");
const [seed, rank] = Deno.args.map(Number);
seed_everything(seed, { verbose: false });
forkRandom(rank);
const initializers = [
  tf.initializers.glorotUniform({}),
  tf.initializers.glorotNormal({}),
  tf.initializers.heNormal({}),
  tf.initializers.leCunUniform({}),
  tf.initializers.orthogonal({}),
  tf.initializers.randomNormal({}),
  tf.initializers.randomUniform({}),
  tf.initializers.truncatedNormal({}),
  tf.initializers.varianceScaling({ scale: 1, mode: "fanIn", distribution: "normal" }),
];
const list = (tensor: tf.Tensor) => [...tensor.dataSync()];
console.log(JSON.stringify({
  uniform: list(tf.randomUniform([3])),
  normal: list(tf.randomNormal([3])),
  truncated: list(tf.truncatedNormal([3])),
  gamma: list(tf.randomGamma([3], 2)),
  standard: list(tf.randomStandardNormal([3])),
  multinomial: list(tf.multinomial(tf.ones([1, 50]).as1D(), 10) as tf.Tensor),
  dropout: list(tf.dropout(tf.ones([40]), 0.5)),
  dropoutLayer: list(tf.layers.dropout({ rate: 0.5 }).apply(tf.ones([1, 40]), { training: true }) as tf.Tensor),
  noiseLayer: list(tf.layers.gaussianNoise({ stddev: 1 }).apply(tf.ones([1, 4]), { training: true }) as tf.Tensor),
  alphaDropout: list(tf.layers.alphaDropout({ rate: 0.5 }).apply(tf.ones([1, 40]), { training: true }) as tf.Tensor),
  dense: list(tf.sequential({ layers: [tf.layers.dense({ inputShape: [4], units: 3 })] }).getWeights()[0]),
  lstm: list(tf.sequential({ layers: [tf.layers.lstm({ inputShape: [4, 2], units: 2 })] }).getWeights()[1]),
  initializers: initializers.map((initializer) => list(initializer.apply([3, 3]))),
  shuffled: (() => {
    const items = Array.from({ length: 20 }, (_, i) => i);
    tf.util.shuffle(items);
    return items;
  })(),
}));
