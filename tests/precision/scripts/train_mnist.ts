/**
 * Trains the reference perceptron on TensorFlow in one precision and prints what it came to as JSON.
 * Arguments: precision, steps.
 */
import { crossEntropy, DataLoader, Fabric, MNIST, seed_everything, tf } from "../../../mod.ts";

const [precision, steps] = Deno.args;
seed_everything(42, { verbose: false });
const fabric = new Fabric({ accelerator: "cpu", devices: 1, precision: precision as "32-true" });
await fabric.launch();
const [train, val] = fabric.setupDataloaders(
  new DataLoader(await MNIST.load({ train: true }), { batchSize: 100, shuffle: true }),
  new DataLoader(await MNIST.load({ train: false }), { batchSize: 1000 }),
);
const net = tf.sequential({
  layers: [
    tf.layers.dense({ inputShape: [784], units: 100, activation: "relu" }),
    tf.layers.dense({ units: 10 }),
  ],
});
const [model, optimizer] = await fabric.setup(net, tf.train.adam(1e-3));
let step = 0;
const losses: number[] = [];
training: while (true) {
  for await (const [x, y] of train) {
    if (step === Number(steps)) break training;
    optimizer.zeroGrad();
    const loss = crossEntropy(model.forward(x), y);
    await fabric.backward(loss);
    optimizer.step();
    losses.push((await loss.data())[0]);
    step++;
  }
}
model.eval();
let correct = 0;
for await (const [x, y] of val) correct += (await model.forward(x).argMax(1).equal(y).sum().data())[0];
console.log(JSON.stringify({ accuracy: correct / 10_000, losses }));
await fabric.close();
