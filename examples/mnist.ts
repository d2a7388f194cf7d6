/**
 * The Fabric program: a perceptron learns MNIST in a loop of one's own.
 *
 *     deno run -A examples/mnist.ts
 *     deno run -A launcher/main.ts --devices 2 examples/mnist.ts --epochs 5
 */
import { parseArgs } from "node:util";
import { crossEntropy, CSVLogger, DataLoader, Fabric, MNIST, seed_everything, tf } from "../mod.ts";

const { values: args } = parseArgs({
  args: Deno.args,
  options: {
    epochs: { type: "string", default: "5" },
    accelerator: { type: "string" },
    devices: { type: "string" },
    seed: { type: "string", default: "42" },
  },
});
const epochs = Number(args.epochs);
if (!Number.isInteger(epochs) || epochs < 1) {
  throw new RangeError(`--epochs must be a positive integer, but got ${args.epochs}`);
}

seed_everything(Number(args.seed));
const fabric = new Fabric({
  accelerator: args.accelerator as "auto" | undefined,
  devices: args.devices,
  strategy: "dp",
  loggers: new CSVLogger("logs", { name: "MNIST" }),
});
await fabric.launch();

const [train, val] = fabric.setupDataloaders(
  new DataLoader(await MNIST.load({ train: true }), { batchSize: 100, shuffle: true }),
  new DataLoader(await MNIST.load({ train: false }), { batchSize: 100 }),
);
const net = tf.sequential({
  layers: [
    tf.layers.dense({ inputShape: [784], units: 100, activation: "relu" }),
    tf.layers.dense({ units: 10 }),
  ],
});
const [model, optimizer] = await fabric.setup(net, tf.train.adam(1e-3));
// Runs as one call where TensorFlow computes (cpu, cuda); elsewhere it is the function itself.
const trainStep = fabric.compile(async (x: tf.Tensor, y: tf.Tensor) => {
  optimizer.zeroGrad();
  const loss = crossEntropy(model.forward(x), y);
  await fabric.backward(loss); // averaged over the ranks when it returns
  optimizer.step();
  return loss;
});

let step = 0, valAcc = 0;
for (let epoch = 1; epoch <= epochs; epoch++) {
  const start = performance.now();
  const bar = fabric.progressBar({ description: `epoch ${epoch}/${epochs}`, total: train.length });
  let trainLoss = 0;
  model.train();
  for await (const [x, y] of train) {
    const loss = await trainStep(x, y);
    trainLoss += (await loss.data())[0];
    bar.update();
    step++;
  }
  model.eval();
  let lossSum = 0, correct = 0, count = 0;
  for await (const [x, y] of val) {
    const logits = model.forward(x);
    lossSum += (await crossEntropy(logits, y, { reduction: "sum" }).data())[0];
    correct += (await logits.argMax(1).equal(y).sum().data())[0];
    count += y.size;
  }
  bar.close();
  const total = await fabric.allReduce({ lossSum, correct, count }, { op: "sum" });
  const { loss } = await fabric.allReduce({ loss: trainLoss / train.length });
  valAcc = total.correct / total.count;
  const metrics = { epoch, train_loss: loss, val_loss: total.lossSum / total.count, val_acc: valAcc };
  await fabric.logDict(metrics, step);
  fabric.print(
    `epoch ${epoch}/${epochs}  train_loss=${loss.toFixed(4)} val_loss=${metrics.val_loss.toFixed(4)} ` +
      `val_acc=${valAcc.toFixed(4)}  ${((performance.now() - start) / 1000).toFixed(1)} s`,
  );
}
await fabric.save("checkpoints/mnist.safetensors", { model, optimizer, epoch: epochs, step });
await fabric.logger.finalize("success");
await fabric.close();
fabric.print(`val_acc=${valAcc.toFixed(4)}`);
