/** Fits, validates, tests and predicts on however many ranks there are, and writes what rank 0 found. Arguments: output folder, what to do. */
import { Line, planeLoader, quietTrainer, weightsOf } from "../support/line.ts";
import { Rows } from "../support/rows.ts";
import { Accuracy, seed_everything, tf } from "../../../mod.ts";
import { Callback } from "../../../runtime/trainer/callback.ts";
import type { Trainer } from "../../../runtime/trainer/trainer.ts";

const [folder, what] = Deno.args;
const ckptPath = `${folder}/a.ckpt`;
seed_everything(7, { verbose: false });

class Model extends Line {
  readonly accuracy = new Accuracy({ task: "binary" });
  override readonly net = tf.sequential({
    layers: [
      tf.layers.dense({
        inputShape: [2],
        units: 4,
        kernelInitializer: tf.initializers.randomUniform({ minval: -1, maxval: 1, seed: 3 }),
      }),
      tf.layers.dropout({ rate: 0.2 }),
      tf.layers.dense({
        units: 1,
        kernelInitializer: tf.initializers.randomUniform({ minval: -1, maxval: 1, seed: 4 }),
      }),
    ],
  });
  override trainingStep(batch: [tf.Tensor, tf.Tensor]) {
    const loss = this.lossOf(batch);
    this.log("train_loss", loss, { onStep: true, onEpoch: true, syncDist: true });
    if (what === "uneven" && this.globalRank === 1) this.log("extra", 1, { onEpoch: true });
    return loss;
  }
  override validationStep(batch: [tf.Tensor, tf.Tensor]) {
    this.log("val_loss", this.lossOf(batch));
    this.accuracy.update(this.forward(batch[0]).greater(0).toFloat().flatten(), batch[1].greater(0).toInt().flatten());
    this.log("val_acc", this.accuracy);
    return undefined;
  }
  override configureOptimizers() {
    return tf.train.adam(0.05);
  }
}

class SaveOnce extends Callback {
  override get order() {
    return "checkpoint" as const;
  }
  override async onTrainBatchEnd(trainer: Trainer) {
    if (trainer.currentEpoch === 1 && trainer.batchIdx === 2) await trainer.saveCheckpoint(ckptPath);
  }
}

/** Notes the steps after which validations ran. */
class Validations extends Callback {
  readonly steps: number[] = [];
  override onValidationStart(trainer: Trainer) {
    if (trainer.task === "fit" && !trainer.sanityChecking) this.steps.push(trainer.globalStep);
  }
}

/** Asks to stop, on one rank alone. */
class StopOnOne extends Callback {
  override onTrainBatchStart(trainer: Trainer) {
    if (trainer.globalRank === 1 && trainer.globalStep === 4) trainer.shouldStop = true;
  }
}

/** Interrupts rank 1's process, as a signal from outside would. */
class InterruptOne extends Callback {
  override onTrainBatchStart(trainer: Trainer) {
    if (trainer.globalRank === 1 && trainer.globalStep === 4) Deno.kill(Deno.pid, "SIGTERM");
  }
}

const logger = new Rows();
const validations = new Validations();
const callbacks = what === "time"
  ? validations
  : what === "save"
  ? new SaveOnce()
  : what === "stop"
  ? new StopOnOne()
  : what === "interrupt"
  ? new InterruptOne()
  : [];
const trainer = quietTrainer({
  accelerator: "wasm",
  maxEpochs: what === "interrupt" ? -1 : 3, // However late the signal is seen, it comes before the end.
  logEveryNSteps: 2,
  valCheckInterval: what === "time" ? { seconds: 0.001 } : undefined,
  accumulateGradBatches: 2,
  logger,
  callbacks,
  enableCheckpointing: what === "interrupt",
  defaultRootDir: folder,
});
const model = new Model();
const train = planeLoader({ samples: 36, batchSize: 4, shuffle: true });
const val = planeLoader({ samples: 22, batchSize: 4 });
let outcome: string | undefined;
if (what !== "validate") {
  outcome = await trainer.fit(model, {
    trainDataloaders: train,
    valDataloaders: val,
    ckptPath: what === "resume" ? ckptPath : undefined,
  });
}
const validated = await trainer.validate(model, val);
const tested = await trainer.test(model, planeLoader({ samples: 3, batchSize: 4 }));
const predictions = await trainer.predict(model, val) as tf.Tensor[];
const weights = weightsOf(model);
const all = await trainer.fabric.allGatherObjects({
  weights,
  step: trainer.globalStep,
  validations: validations.steps,
  metrics: { ...trainer.callbackMetrics },
});
if (trainer.isGlobalZero) {
  await Deno.writeTextFile(
    `${folder}/${what}.json`,
    JSON.stringify({
      outcome,
      validated,
      tested,
      predictions: predictions.map((part) => [...part.dataSync()]),
      weights,
      same: all.every((rank) => JSON.stringify(rank) === JSON.stringify(all[0])),
      rows: logger.rows,
      validations: validations.steps,
      steps: trainer.globalStep,
    }),
  );
}
await trainer.close();
