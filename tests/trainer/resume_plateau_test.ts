import assert from "node:assert/strict";
import { Line, planeLoader, quietTrainer, weightsOf } from "./support/line.ts";
import { inTemporaryFolder } from "../temporary_folder.ts";
import { routeMessages } from "../../runtime/core/messages.ts";
import { ReduceLROnPlateau } from "../../runtime/optim/schedulers.ts";
import { SGD } from "../../runtime/optim/sgd.ts";
import { Callback } from "../../runtime/trainer/callback.ts";
import type { Trainer } from "../../runtime/trainer/trainer.ts";

/** Shrinks its learning rate after every step that is no better than the best. */
class Slowing extends Line {
  override configureOptimizers(): ReturnType<Line["configureOptimizers"]> {
    const optimizer = new SGD({ learningRate: 0.1 });
    const scheduler = new ReduceLROnPlateau(optimizer, { patience: 0, factor: 0.9 });
    return [[optimizer], [{ scheduler, interval: "step" as const, monitor: "train_loss" }]];
  }
}

class SaveAlways extends Callback {
  constructor(readonly folder: string) {
    super();
  }
  override get order() {
    return "checkpoint" as const;
  }
  override async onTrainBatchEnd(trainer: Trainer) {
    await trainer.saveCheckpoint(`${this.folder}/batch ${trainer.globalStep}.ckpt`);
  }
  override async onValidationEnd(trainer: Trainer) {
    if (!trainer.sanityChecking) await trainer.saveCheckpoint(`${this.folder}/validation ${trainer.globalStep}.ckpt`);
  }
}

async function train(run: { callbacks?: Callback[]; ckptPath?: string }): Promise<unknown> {
  const model = new Slowing();
  const trainer = quietTrainer({ accelerator: "wasm", maxEpochs: 2, valCheckInterval: 2, callbacks: run.callbacks });
  await trainer.fit(model, {
    trainDataloaders: planeLoader({ samples: 16 }),
    valDataloaders: planeLoader({ samples: 8 }),
    ckptPath: run.ckptPath,
  });
  const { learningRate } = trainer.optimizers[0];
  await trainer.close();
  assert.ok(learningRate < 0.1, "the scheduler did nothing");
  return { learningRate, weights: weightsOf(model) };
}

Deno.test("a scheduler that watches a metric of every step misses none of them when the run goes on from a checkpoint of any", () =>
  inTemporaryFolder(async (folder) => {
    using _ = routeMessages(() => {});
    const whole = await train({ callbacks: [new SaveAlways(folder)] });
    const saved = [...Deno.readDirSync(folder)].map(({ name }) => name);
    assert.equal(saved.length, 8 + 4);
    for (const name of saved) assert.deepEqual(await train({ ckptPath: `${folder}/${name}` }), whole, name);
  }));
