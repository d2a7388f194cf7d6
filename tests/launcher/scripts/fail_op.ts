/** A training step in which TensorFlow.js refuses an op, deep within its own calls and those of the Trainer. */
import { LightningModule, tf, Trainer } from "../../../mod.ts";

class WrongShape extends LightningModule {
  readonly weight = tf.variable(tf.ones([3, 2]));
  override trainingStep(x: tf.Tensor): tf.Tensor {
    return tf.tidy(() => x.matMul(this.weight).reshape([5, 5]).mean()); // the user's line
  }
  override configureOptimizers(): tf.Optimizer {
    return tf.train.sgd(0.1);
  }
}

const trainer = new Trainer({ accelerator: "wasm", maxEpochs: 1, logger: false });
await trainer.fit(new WrongShape(), [tf.ones([4, 3])]);
