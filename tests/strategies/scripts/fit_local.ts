/** A rank: fits by the Trainer with local SGD. Arguments: `whole`, `resumed` or `stream`, the accelerator, and a folder. */
import { LocalSGDStrategy, seed_everything } from "../../../mod.ts";
import { Callback } from "../../../runtime/trainer/callback.ts";
import type { Trainer } from "../../../runtime/trainer/trainer.ts";
import { planeLoader, quietTrainer, weightsOf } from "../../trainer/support/line.ts";
import { TwoLayers } from "../two_layers.ts";

const [what, accelerator, folder] = Deno.args;
seed_everything(7, { verbose: false });

/** Notes whether the ranks have the same weights, and saves between two averages. */
class Look extends Callback {
  readonly seen: Record<string, boolean[]> = { batch: [], validation: [], epoch: [] };
  override async onTrainBatchEnd(trainer: Trainer) {
    await this.#look(trainer, "batch");
    if (trainer.globalStep === 6 && what === "whole") await trainer.saveCheckpoint(`${folder}/middle`);
  }
  override async onValidationStart(trainer: Trainer) {
    if (!trainer.sanityChecking) await this.#look(trainer, "validation");
  }
  override async onTrainEpochEnd(trainer: Trainer) {
    await this.#look(trainer, "epoch");
  }
  async #look({ fabric }: Trainer, when: string) {
    const all = await fabric.allGatherObjects(Object.values(weightsOf(model)).flat());
    this.seen[when].push(String(all[0]) === String(all[1]));
  }
}

const model = new TwoLayers(), look = new Look();
const trainer = quietTrainer({
  accelerator: accelerator as "wasm" | "cpu",
  strategy: new LocalSGDStrategy({ localSteps: 3 }),
  deterministic: true,
  maxEpochs: 2,
  valCheckInterval: 0.5,
  callbacks: look,
});
const loader = planeLoader({ samples: 64, batchSize: 4, shuffle: true });
async function* endless() {
  yield* loader;
}
await trainer.fit(model, {
  trainDataloaders: what === "stream" ? endless() : loader,
  valDataloaders: planeLoader({ samples: 8 }),
  ckptPath: what === "resumed" ? `${folder}/middle` : undefined,
});
await trainer.saveCheckpoint(`${folder}/${what}`);
if (trainer.isGlobalZero) console.log(`RESULT ${JSON.stringify(look.seen)}`);
await trainer.close();
