/**
 * A class shaped like a LightningModule, trained by a loop of one's own: model, loss and optimizer in one place, Fabric around them.
 * The same class works with the Trainer.
 *
 *     deno run -A examples/module_with_fabric.ts [--epochs 2] [--samples 60000]
 */
import { parseArgs } from "node:util";
import { crossEntropy, Fabric, Module, seed_everything, tf } from "../mod.ts";
import { mnistLoaders, perceptron } from "./shared/mnist_perceptron.ts";

type Batch = [tf.Tensor, tf.Tensor];

class Classifier extends Module {
  readonly net = perceptron();

  override forward(x: tf.Tensor): tf.Tensor {
    return this.net.apply(x, { training: this.training }) as tf.Tensor;
  }

  trainingStep([x, y]: Batch): tf.Tensor {
    return crossEntropy(this.forward(x), y);
  }

  validationStep([x, y]: Batch): { correct: tf.Tensor; count: number } {
    return { correct: this.forward(x).argMax(1).equal(y).sum(), count: y.size };
  }

  configureOptimizers(): tf.Optimizer {
    return tf.train.adam(1e-3);
  }
}

const { values: args } = parseArgs({
  options: { epochs: { type: "string", default: "2" }, samples: { type: "string" } },
});

seed_everything(42);
const fabric = new Fabric({ strategy: "dp" });
await fabric.launch();
const [train, val] = fabric.setupDataloaders(
  ...await mnistLoaders({ samples: args.samples === undefined ? undefined : Number(args.samples) }),
);
const classifier = new Classifier();
const [model, optimizer] = await fabric.setup(classifier, classifier.configureOptimizers());

for (let epoch = 1; epoch <= Number(args.epochs); epoch++) {
  model.train();
  for await (const batch of train) {
    optimizer.zeroGrad();
    await fabric.backward(model.trainingStep(batch));
    optimizer.step();
  }
  model.eval();
  let correct = 0, count = 0;
  for await (const batch of val) {
    const result = model.validationStep(batch);
    correct += (await result.correct.data())[0];
    count += result.count;
  }
  const total = await fabric.allReduce({ correct, count }, { op: "sum" });
  fabric.print(`epoch ${epoch}/${args.epochs}  val_acc=${(total.correct / total.count).toFixed(4)}`);
}
await fabric.close();
