/** Trains 20 epochs on MNIST and prints, for each, how many tensors there are and the process's resident memory in bytes. */
import { crossEntropy, DataLoader, Fabric, MNIST, seed_everything, Subset, tf } from "../../../mod.ts";

seed_everything(1, { verbose: false });
const fabric = new Fabric({ accelerator: "wasm", strategy: "dp" });
await fabric.launch();
const dataset = new Subset(await MNIST.load({ train: true }), Array.from({ length: 10_000 }, (_, i) => i));
const train = fabric.setupDataloaders(new DataLoader(dataset, { batchSize: 100, shuffle: true }));
const net = tf.sequential({
  layers: [
    tf.layers.dense({ inputShape: [784], units: 100, activation: "relu" }),
    tf.layers.dense({ units: 10 }),
  ],
});
const [model, optimizer] = await fabric.setup(net, tf.train.adam(1e-3));
for (let epoch = 0; epoch < 20; epoch++) {
  for await (const [x, y] of train) {
    optimizer.zeroGrad();
    await fabric.backward(crossEntropy(model.forward(x), y));
    optimizer.step();
  }
  // Run with --expose-gc, so that what V8 has not collected yet does not count.
  (globalThis as { gc?: () => void }).gc?.();
  const { rss, heapUsed: heap } = Deno.memoryUsage();
  if (fabric.isGlobalZero) console.log(JSON.stringify({ tensors: tf.memory().numTensors, rss, heap }));
}
await fabric.close();
