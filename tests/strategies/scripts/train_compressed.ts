/**
 * A rank: trains the reference perceptron with gradients that travel compressed and reports what it came to.
 * Arguments: compression (none, fp16, bf16), steps, output file.
 */
import { crossEntropy, DataLoader, DDPStrategy, Fabric, MNIST, seed_everything, tf } from "../../../mod.ts";

const [compression, steps, output] = Deno.args;
seed_everything(42, { verbose: false });
const gradientCompression = compression === "none" ? undefined : compression as "fp16" | "bf16";
const strategy = new DDPStrategy({ gradientCompression, splitBatch: true });
const fabric = new Fabric({ accelerator: "wasm", strategy });
await fabric.launch();
const [train, val] = fabric.setupDataloaders(
  new DataLoader(await MNIST.load({ train: true }), { batchSize: 120, shuffle: true }),
  new DataLoader(await MNIST.load({ train: false }), { batchSize: 600 }),
);
const net = tf.sequential({
  layers: [
    tf.layers.dense({ inputShape: [784], units: 100, activation: "relu" }),
    tf.layers.dense({ units: 10 }),
  ],
});
const [model, optimizer] = await fabric.setup(net, tf.train.adam(1e-3));
let step = 0;
training: while (true) {
  for await (const [x, y] of train) {
    if (step === Number(steps)) break training;
    optimizer.zeroGrad();
    await fabric.backward(crossEntropy(model.forward(x), y));
    optimizer.step();
    step++;
  }
}
model.eval();
let correct = 0;
for await (const [x, y] of val) correct += (await model.forward(x).argMax(1).equal(y).sum().data())[0];
const accuracy = (await fabric.allReduce(correct, { op: "sum" })) / 10_000;
const weights = (await Promise.all(model.parameters().map(async (v) => [...await v.data()]))).flat();
const others = await fabric.allGatherObjects(weights);
const same = others.every((other) => other.every((value, i) => Object.is(value, weights[i])));
if (fabric.isGlobalZero) await Deno.writeTextFile(output, JSON.stringify({ accuracy, same, weights }));
await fabric.close();
