/** Ranks with different numbers of batches train in manual optimization. Arguments: output file, kind of data, batches of each rank, and limit, as JSON. */
import { SGD, tf } from "../../../mod.ts";
import { LightningModule } from "../../../runtime/trainer/lightning_module.ts";
import type { LightningOptimizer } from "../../../runtime/trainer/optimization/lightning_optimizer.ts";
import type { BatchLimit } from "../../../runtime/trainer/trainer_options.ts";
import { type Batch, dense, quietTrainer, weightsOf } from "../support/line.ts";
import { Counted, Stream } from "../support/uneven_data.ts";

const [file, data, counts, limit] = Deno.args;
const batches: number[] = JSON.parse(counts);

/** Takes two steps a batch, with gradients of the ranks together. */
class Manual extends LightningModule {
  readonly net = tf.sequential({ layers: [dense(1, 3)] });
  /** The batches of each epoch. */
  readonly seen: number[] = [];
  constructor() {
    super();
    this.automaticOptimization = false;
  }
  override onTrainEpochStart() {
    this.seen.push(0);
  }
  override async trainingStep([x, y]: Batch) {
    this.seen[this.seen.length - 1]++;
    const optimizer = this.optimizers() as LightningOptimizer;
    for (let i = 0; i < 2; i++) {
      const loss = this.run(this.net, x).sub(y).square().mean() as tf.Tensor;
      optimizer.zeroGrad();
      await this.manualBackward(loss);
      await optimizer.step();
    }
  }
  override configureOptimizers() {
    return new SGD({ learningRate: 0.05 });
  }
}

const trainer = quietTrainer({
  accelerator: "wasm",
  maxEpochs: 2,
  limitTrainBatches: limit ? JSON.parse(limit) as BatchLimit : undefined,
});
const model = new Manual();
const ranges = Array.from({ length: batches[trainer.globalRank] }, (_, i) => {
  const from = 100 * trainer.globalRank + 4 * i;
  return [from, from + 4] as const;
});
await trainer.fit(model, data === "stream" ? new Stream(ranges) : new Counted(ranges));
const all = await trainer.fabric.allGatherObjects({ weights: weightsOf(model), seen: model.seen });
if (trainer.isGlobalZero) await Deno.writeTextFile(file, JSON.stringify(all));
await trainer.close();
