/**
 * Loads the weights of another program's checkpoint, nothing else of it, and trains on with a new optimizer.
 *
 *     deno run -A examples/mnist.ts --epochs 1
 *     deno run -A examples/load_weights.ts checkpoints/mnist.safetensors
 */
import { parseArgs } from "node:util";
import { crossEntropy, Fabric, seed_everything, tf } from "../mod.ts";
import { evaluate, mnistLoaders, perceptron } from "./shared/mnist_perceptron.ts";

const { values: args, positionals } = parseArgs({
  options: { epochs: { type: "string", default: "1" }, samples: { type: "string" } },
  allowPositionals: true,
});
const path = positionals[0] ?? "checkpoints/mnist.safetensors";

seed_everything(7);
const fabric = new Fabric({ strategy: "dp" });
await fabric.launch();
const [train, val] = fabric.setupDataloaders(
  ...await mnistLoaders({ samples: args.samples === undefined ? undefined : Number(args.samples) }),
);
const [model, optimizer] = await fabric.setup(perceptron(), tf.train.sgd(0.05));

const rest = await fabric.load(path, { model });
fabric.print(`loaded the model of ${path}, left alone: ${Object.keys(rest).join(", ")}`);
const before = await evaluate(fabric, model, val);
fabric.print(`before  val_acc=${before.accuracy.toFixed(4)}`);
for (let epoch = 1; epoch <= Number(args.epochs); epoch++) {
  for await (const [x, y] of train) {
    optimizer.zeroGrad();
    await fabric.backward(crossEntropy(model.forward(x), y));
    optimizer.step();
  }
  const { accuracy } = await evaluate(fabric, model, val);
  fabric.print(`epoch ${epoch}/${args.epochs}  val_acc=${accuracy.toFixed(4)}`);
}
await fabric.close();
