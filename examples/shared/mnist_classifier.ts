import { Accuracy, crossEntropy, LightningModule, tf } from "../../mod.ts";
import { perceptron } from "./mnist_perceptron.ts";

/** A batch of images [batch, 784] and their digits [batch]. */
export type Batch = [tf.Tensor, tf.Tensor];

/** The LightningModule of examples that are about something else: the reference model, and what it logs. */
export class MnistClassifier extends LightningModule<{ hidden: number; learningRate: number }> {
  readonly net: tf.Sequential;
  readonly accuracy = new Accuracy({ task: "multiclass", numClasses: 10 });

  constructor(hparams = { hidden: 100, learningRate: 1e-3 }) {
    super();
    this.saveHyperparameters(hparams);
    this.net = perceptron(hparams.hidden);
  }

  override forward(x: tf.Tensor): tf.Tensor {
    return this.run(this.net, x);
  }

  override trainingStep([x, y]: Batch): tf.Tensor {
    const loss = crossEntropy(this.forward(x), y);
    this.log("train_loss", loss, { progBar: true });
    return loss;
  }

  override validationStep([x, y]: Batch): void {
    const logits = this.forward(x);
    this.accuracy.update(logits, y);
    this.log("val_loss", crossEntropy(logits, y));
    this.log("val_acc", this.accuracy, { progBar: true });
  }

  override testStep([x, y]: Batch): void {
    this.accuracy.update(this.forward(x), y);
    this.log("test_acc", this.accuracy);
  }

  override configureOptimizers(): tf.Optimizer {
    return tf.train.adam(this.hparams.learningRate);
  }
}
