/** A rank: fits by the Trainer. Arguments: what to do, as JSON ({@linkcode Training}; `steps` are epochs), and a folder. */
import { DDPStrategy, seed_everything } from "../../../mod.ts";
import { Callback } from "../../../runtime/trainer/callback.ts";
import type { Trainer } from "../../../runtime/trainer/trainer.ts";
import { planeLoader, quietTrainer, weightsOf } from "../../trainer/support/line.ts";
import type { Training } from "../sharded.ts";
import { TwoLayers } from "../two_layers.ts";

const [given, folder] = Deno.args;
const { shard, name, from, steps, clip } = JSON.parse(given) as Training;
seed_everything(7, { verbose: false });

/** Saves in the middle of the second epoch. */
class Save extends Callback {
  override async onTrainBatchEnd(trainer: Trainer) {
    if (trainer.currentEpoch === 1 && trainer.batchIdx === 2) await trainer.saveCheckpoint(`${folder}/${name}`);
  }
}

const trainer = quietTrainer({
  accelerator: "wasm",
  strategy: new DDPStrategy({ shardOptimizerState: shard }),
  maxEpochs: steps,
  accumulateGradBatches: 2,
  gradientClipVal: clip,
  callbacks: from ? [] : new Save(),
});
const model = new TwoLayers();
const loader = planeLoader({ samples: 39, batchSize: 4, shuffle: true });
await trainer.fit(model, { trainDataloaders: loader, ckptPath: from && `${folder}/${from}` });
if (shard) await trainer.saveCheckpoint(`${folder}/alone`, { thisRankOnly: true });
const all = await trainer.fabric.allGatherObjects({ weights: Object.values(weightsOf(model)).flat(), stateBytes: 0 });
if (trainer.isGlobalZero) await Deno.writeTextFile(`${folder}/${name}.json`, JSON.stringify(all));
await trainer.close();
