/**
 * Run by the launcher on ranks with different numbers of batches: what each rank's callbacks and schedulers came to. Arguments: output file, a
 * folder, the scene, the batches of each rank as JSON.
 */
import { basename } from "node:path";
import { EarlyStopping } from "../../../../runtime/trainer/callbacks/early_stopping.ts";
import { ModelCheckpoint } from "../../../../runtime/trainer/callbacks/model_checkpoint.ts";
import type { ModelCheckpointOptions } from "../../../../runtime/trainer/callbacks/checkpoint_options.ts";
import { SGD } from "../../../../mod.ts";
import { ReduceLROnPlateau } from "../../../../runtime/optim/schedulers.ts";
import type { OptimizerConfiguration } from "../../../../runtime/trainer/optimization/optimizer_config.ts";
import type { Trainer } from "../../../../runtime/trainer/trainer.ts";
import { Line, lineBatches, quietTrainer } from "../line.ts";
import { tf } from "../../../../runtime/tensor/tf.ts";

const [file, folder, scene, counts] = Deno.args;
const batches: number[] = JSON.parse(counts);

/** Logs in the n-th step 10 n, and the rank behind it. */
class Telling extends Line {
  override trainingStep(batch: [tf.Tensor, tf.Tensor]) {
    const value = 10 * (this.globalStep + 1) + this.globalRank;
    this.log("own", value);
    this.log("shared", value, { syncDist: true });
    this.log("turning", this.globalRank === 0 ? value : -value);
    return super.trainingStep(batch);
  }
}

/** Shrinks its learning rate after every step that is no better. */
class Slowing extends Telling {
  override configureOptimizers(): OptimizerConfiguration {
    const optimizer = new SGD({ learningRate: 1 });
    const scheduler = new ReduceLROnPlateau(optimizer, { patience: 0, factor: 0.5 });
    return [[optimizer], [{ scheduler, interval: "step", monitor: "turning" }]];
  }
}

interface Outcome {
  trainer: Trainer;
  told: unknown;
}

async function checkpoints(options: ModelCheckpointOptions, validates: boolean): Promise<Outcome> {
  const checkpoint = new ModelCheckpoint({ dirpath: folder, saveTopK: -1, filename: "{step}-{own:.0f}", ...options });
  const trainer = quietTrainer({ maxEpochs: 2, callbacks: checkpoint });
  const train = lineBatches(batches[trainer.globalRank]);
  await trainer.fit(new Telling(), train, validates ? lineBatches(2) : undefined);
  await trainer.checkpointsWritten();
  const scores = [...checkpoint.bestKModels].map(([path, score]) => [basename(path), score]);
  return { trainer, told: { scores, last: basename(checkpoint.lastModelPath), current: checkpoint.currentScore } };
}

const every = { everyNTrainSteps: 1 };
const scenes: Record<string, () => Promise<Outcome>> = {
  "own": () => checkpoints({ ...every, monitor: "own" }, false),
  "own with a validation": () => checkpoints({ ...every, monitor: "own" }, true),
  "shared": () => checkpoints({ ...every, monitor: "shared" }, true),
  "epoch": () => checkpoints({ monitor: "own", everyNEpochs: 1, saveOnTrainEpochEnd: true }, false),
  async "stop"() {
    const stopping = new EarlyStopping({ monitor: "own", patience: 1, strict: false });
    const trainer = quietTrainer({ maxEpochs: 5, enableCheckpointing: false, callbacks: stopping });
    await trainer.fit(new Telling(), lineBatches(batches[trainer.globalRank]));
    return { trainer, told: { epochs: trainer.currentEpoch, why: stopping.stoppedReason } };
  },
  async "plateau"() {
    const trainer = quietTrainer({ maxEpochs: 2, enableCheckpointing: false });
    const model = new Slowing();
    await trainer.fit(model, lineBatches(batches[trainer.globalRank]));
    const rate = trainer.optimizers[0].learningRate;
    return { trainer, told: { rate, weight: [...model.weight.dataSync()] } };
  },
};

const { trainer, told } = await scenes[scene]();
const all = await trainer.fabric.allGatherObjects(told);
if (trainer.isGlobalZero) await Deno.writeTextFile(file, JSON.stringify(all));
await trainer.close();
