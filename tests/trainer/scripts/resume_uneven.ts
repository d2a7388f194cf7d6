/**
 * Fits on ranks with different numbers of batches. Arguments: output file, folder of the checkpoints, {@linkcode UnevenRun} as JSON, the checkpoint
 * to go on from if any.
 */
import { DataLoader, seed_everything, tf } from "../../../mod.ts";
import type { AcceleratorName } from "../../../runtime/accelerators/accelerator.ts";
import { MeanSquaredError } from "../../../runtime/metrics/regression/mean_squared_error.ts";
import { Adam } from "../../../runtime/optim/adam.ts";
import { ExponentialLR } from "../../../runtime/optim/schedulers.ts";
import { Callback } from "../../../runtime/trainer/callback.ts";
import { ModelCheckpoint } from "../../../runtime/trainer/callbacks/model_checkpoint.ts";
import { LightningModule } from "../../../runtime/trainer/lightning_module.ts";
import type { LightningOptimizer } from "../../../runtime/trainer/optimization/lightning_optimizer.ts";
import type { Trainer } from "../../../runtime/trainer/trainer.ts";
import { snapshot } from "../../../runtime/tensor/read.ts";
import { type Batch, dense, plane, quietTrainer, weightsOf } from "../support/line.ts";
import { Rows } from "../support/rows.ts";
import { Counted, Stream } from "../support/uneven_data.ts";

/** What is run. */
export interface UnevenRun {
  /** A DataLoader, or batches that say how many they are, or do not. */
  data: "loader" | "counted" | "stream";
  /** Of each rank. */
  batches: number[];
  /** Default: 1. */
  accumulate?: number;
  /** Default: wasm. */
  accelerator?: AcceleratorName;
  /** Optimizes by hand. Default: false. */
  manual?: boolean;
  /** Validates after every second batch. Default: false. */
  validates?: boolean;
  /** Saves after every batch and every validation; else the newest is kept. Default: false. */
  savesAll?: boolean;
  /** Ends after so many steps. Default: none. */
  maxSteps?: number;
  /** In the second epoch, before this batch, the process of the rank with the most gets a signal, or fails. Default: never. */
  interruptAt?: number;
  crashAt?: number;
}

const [file, folder, given, ckptPath] = Deno.args;
const run: UnevenRun = JSON.parse(given);
const { data, batches, accelerator = "wasm", validates = false } = run;
seed_everything(ckptPath ? 99 : 7, { verbose: false }); // Another seed, so that what is not restored shows.

/** Draws random numbers, keeps metrics over the epoch and changes its learning rate: all of it must go on. */
class Model extends LightningModule {
  readonly net = tf.sequential({
    layers: [dense(6, 3, { activation: "tanh" }), tf.layers.dropout({ rate: 0.3 }), dense(1, 6, { seed: 8 })],
  });
  readonly squared = new MeanSquaredError();
  override automaticOptimization = !run.manual;
  override async trainingStep([x, y]: Batch): Promise<tf.Tensor> {
    const prediction = this.run(this.net, x);
    this.squared.update(prediction, y);
    this.log("train_mse", this.squared, { onStep: false, onEpoch: true });
    const loss = prediction.sub(y).square().mean() as tf.Tensor;
    this.log("train_loss", loss, { onStep: true, onEpoch: true, syncDist: true });
    if (run.manual) {
      const optimizer = this.optimizers() as LightningOptimizer;
      optimizer.zeroGrad();
      await this.manualBackward(loss);
      await optimizer.step();
    }
    return loss;
  }
  override validationStep([x, y]: Batch): void {
    this.log("val_loss", this.run(this.net, x).sub(y).square().mean());
  }
  override configureOptimizers(): ReturnType<LightningModule["configureOptimizers"]> {
    const optimizer = new Adam({ learningRate: 0.02 });
    return [[optimizer], [{ scheduler: new ExponentialLR(optimizer, { gamma: 0.97 }), interval: "step" as const }]];
  }
}

class SaveAlways extends Callback {
  override get order() {
    return "checkpoint" as const;
  }
  override async onTrainBatchEnd(trainer: Trainer) {
    await trainer.saveCheckpoint(`${folder}/${trainer.currentEpoch}-${trainer.batchIdx}.ckpt`);
  }
  override async onValidationEnd(trainer: Trainer) {
    if (trainer.sanityChecking) return;
    await trainer.saveCheckpoint(`${folder}/${trainer.currentEpoch}-${trainer.batchIdx}-validated.ckpt`);
  }
}

/** Ends the process of the rank with the most batches, in its second epoch. */
class EndLongest extends Callback {
  override onTrainBatchStart(trainer: Trainer, _module: LightningModule, _batch: unknown, batchIdx: number) {
    if (trainer.currentEpoch !== 1 || batches[trainer.globalRank] !== Math.max(...batches)) return;
    if (run.interruptAt === batchIdx) Deno.kill(Deno.pid, "SIGTERM");
    if (run.crashAt === batchIdx && trainer.fabric.restartCount === 0) throw new Error("this rank has had enough");
  }
}

/** The data of a rank: other samples on each, the last batch smaller. */
function source(rank: number) {
  const count = batches[rank];
  if (data === "loader") {
    const dataset = plane(Math.max(0, 4 * count - 1), 3);
    return new DataLoader(dataset, { batchSize: 4, shuffle: count > 0, seed: 5 + rank });
  }
  const ranges = Array.from({ length: count }, (_, i) => {
    const from = 100 * rank + 4 * i;
    return [from, from + (i === count - 1 ? 3 : 4)] as const;
  });
  return data === "stream" ? new Stream(ranges) : new Counted(ranges);
}

const logger = new Rows();
const newest = { everyNTrainSteps: 1, filename: "newest", enableVersionCounter: false };
const trainer = quietTrainer({
  accelerator,
  deterministic: true, // Compiled steps come to the same bits as those that run op by op before them.
  maxEpochs: 3,
  maxSteps: run.maxSteps ?? -1,
  logEveryNSteps: 2,
  accumulateGradBatches: run.accumulate ?? 1,
  useDistributedSampler: false,
  enableCheckpointing: true,
  valCheckInterval: validates ? 2 : undefined,
  logger,
  callbacks: run.savesAll ? new SaveAlways() : [new EndLongest(), new ModelCheckpoint({ dirpath: folder, ...newest })],
});
const model = new Model();
const outcome = await trainer.fit(model, {
  trainDataloaders: source(trainer.globalRank),
  valDataloaders: validates ? new DataLoader(plane(10, 3), { batchSize: 4 }) : undefined,
  ckptPath,
});
const optimizer = trainer.optimizers[0];
const all = await trainer.fabric.allGatherObjects({
  weights: weightsOf(model),
  optimizer: JSON.stringify(await snapshot(optimizer.stateDict())),
  rate: optimizer.learningRate,
  outcome,
  steps: trainer.globalStep,
  metrics: { ...trainer.callbackMetrics },
});
if (trainer.isGlobalZero) await Deno.writeTextFile(file, JSON.stringify({ ranks: all, rows: logger.rows }));
await trainer.close();
