/**
 * A rank of the equivalence test: trains the reference perceptron for some steps and writes losses and weights to a file.
 * Arguments: optimizer (sgd, adam), batch size of a rank or of all ranks, strategy (ddp, dp), steps, output file, and
 * for TensorFlow's accelerator what reduces the gradients (zeromq, tensorflow).
 */
import { crossEntropy, DataLoader, DDPStrategy, Fabric, MNIST, seed_everything, tf } from "../../../mod.ts";

const [optimizerName, batchSize, strategy, steps, output, processGroup] = Deno.args;

seed_everything(42, { verbose: false });
const fabric = processGroup
  ? new Fabric({ accelerator: "cpu", strategy: new DDPStrategy({ processGroup: processGroup as "zeromq" }) })
  : new Fabric({ accelerator: "wasm", strategy: strategy as "ddp" });
await fabric.launch();
const train = fabric.setupDataloaders(
  new DataLoader(await MNIST.load({ train: true }), { batchSize: Number(batchSize), shuffle: true }),
);
const net = tf.sequential({
  layers: [
    tf.layers.dense({ inputShape: [784], units: 100, activation: "relu" }),
    tf.layers.dense({ units: 10 }),
  ],
});
const [model, optimizer] = await fabric.setup(net, optimizerName === "sgd" ? tf.train.sgd(0.1) : tf.train.adam(1e-3));

const losses: number[] = [];
for await (const [x, y] of train) {
  optimizer.zeroGrad();
  const loss = crossEntropy(model.forward(x), y);
  await fabric.backward(loss);
  optimizer.step();
  losses.push(await fabric.allReduce((await loss.data())[0]));
  if (losses.length === Number(steps)) break;
}
const weights = (await Promise.all(model.parameters().map(async (v) => [...await v.data()]))).flat();
const others = await fabric.allGatherObjects(weights);
const same = others.every((other) => other.every((value, i) => Object.is(value, weights[i])));
if (fabric.isGlobalZero) await Deno.writeTextFile(output, JSON.stringify({ losses, weights, same }));
await fabric.close();
