/**
 * The loop without Fabric: TensorFlow.js alone, on data from this library. Compare with mnist.ts to see what Fabric adds:
 * any accelerator, any number of ranks, logs and checkpoints.
 *
 *     deno run -A examples/plain_loop.ts [--epochs 5] [--samples 60000]
 */
import { parseArgs } from "node:util";
import { crossEntropy, loadAccelerator, seed_everything, tf } from "../mod.ts";
import { mnistLoaders, perceptron } from "./shared/mnist_perceptron.ts";

const { values: args } = parseArgs({
  options: { epochs: { type: "string", default: "5" }, samples: { type: "string" } },
});
const samples = args.samples === undefined ? undefined : Number(args.samples);

seed_everything(42);
await loadAccelerator("wasm");
const [train, val] = await mnistLoaders({ samples });
const net = perceptron();
const optimizer = tf.train.adam(1e-3);

for (let epoch = 1; epoch <= Number(args.epochs); epoch++) {
  train.setEpoch(epoch);
  for await (const [x, y] of train) {
    optimizer.minimize(() => crossEntropy(net.apply(x, { training: true }) as tf.Tensor, y).asScalar());
  }
  let correct = 0, count = 0;
  for await (const [x, y] of val) {
    correct += (await (net.apply(x) as tf.Tensor).argMax(1).equal(y).sum().data())[0];
    count += y.size;
  }
  console.log(`epoch ${epoch}/${args.epochs}  val_acc=${(correct / count).toFixed(4)}`);
}
