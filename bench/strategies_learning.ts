/**
 * A rank of bench/strategies.ts that learns MNIST: `strategies_learning.ts FOLDER STRATEGY EPOCHS`. Rank 0 writes the accuracy after each epoch as JSON, an array.
 * The reference perceptron, Adam, batches of 100 of all ranks together.
 */
import { crossEntropy, DataLoader, Fabric, MNIST, seed_everything, tf } from "../mod.ts";
import { denseNetwork } from "./dense_network.ts";
import { STRATEGIES } from "./strategies_compared.ts";

const [folder, name, epochs] = Deno.args;
seed_everything(42, { verbose: false });
const fabric = new Fabric({ accelerator: "cpu", strategy: STRATEGIES[name]() });
await fabric.launch();
const [train, val] = fabric.setupDataloaders(
  new DataLoader(await MNIST.load({ train: true }), { batchSize: 100, shuffle: true }),
  new DataLoader(await MNIST.load({ train: false }), { batchSize: 100 }),
);
const [model, optimizer] = await fabric.setup(denseNetwork("perceptron"), tf.train.adam(1e-3));
const step = fabric.compile(async (x: tf.Tensor, y: tf.Tensor) => {
  optimizer.zeroGrad();
  await fabric.backward(crossEntropy(model.forward(x), y));
  await optimizer.step();
});
const accuracies: number[] = [];
for (let epoch = 0; epoch < Number(epochs); epoch++) {
  model.train();
  for await (const [x, y] of train) await step(x, y);
  await optimizer.synchronize();
  model.eval();
  let correct = 0, count = 0;
  for await (const [x, y] of val) {
    correct += (await model.forward(x).argMax(1).equal(y).sum().data())[0];
    count += y.size;
  }
  const total = await fabric.allReduce({ correct, count }, { op: "sum" });
  accuracies.push(total.correct / total.count);
}
if (fabric.isGlobalZero) await Deno.writeTextFile(`${folder}/0`, JSON.stringify(accuracies));
await fabric.close();
