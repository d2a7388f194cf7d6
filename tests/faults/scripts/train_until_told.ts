/**
 * `train_until_told.ts FOLDER [hold] [deaf] [last]`: the Trainer for 24 steps on every rank. `hold`: after step 5 rank 0 prints `training`, and all ranks wait for TERM or USR1 before they go
 * on. `deaf`: rank 1 does not go on then either. `last`: goes on from the newest checkpoint. Writes how it ended to FOLDER/outcome and the weights to FOLDER/result.
 */
import { Adam, Callback, DataLoader, LightningModule, seed_everything, tf, Trainer } from "../../../mod.ts";
import { points } from "./points.ts";

const [folder, ...how] = Deno.args;
seed_everything(7, { verbose: false });

class Net extends LightningModule {
  readonly net = tf.sequential({
    layers: [tf.layers.dense({ inputShape: [2], units: 8 }), tf.layers.dense({ units: 1 })],
  });
  override trainingStep([x, y]: [tf.Tensor, tf.Tensor]) {
    return (this.run(this.net, x) as tf.Tensor).sub(y).square().mean() as tf.Scalar;
  }
  override configureOptimizers() {
    return new Adam({ learningRate: 0.01 });
  }
}

class Hold extends Callback {
  override async onTrainBatchEnd(trainer: Trainer) {
    if (trainer.globalStep !== 5) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    for (const signal of ["SIGTERM", "SIGUSR1", "SIGUSR2"] as const) Deno.addSignalListener(signal, () => resolve());
    // The other ranks listen too before anybody is told that they do.
    await trainer.fabric.barrier();
    if (trainer.isGlobalZero) console.log("training");
    const alive = setInterval(() => {}, 1_000);
    await promise;
    if (how.includes("deaf") && !trainer.isGlobalZero) await new Promise(() => {});
    clearInterval(alive);
  }
}

const trainer = new Trainer({
  ...{ accelerator: "wasm", maxSteps: 24, logger: false, enableProgressBar: false, enableModelSummary: false },
  ...{
    defaultRootDir: folder,
    callbacks: how.includes("hold") && Deno.env.get("SLURM_RESTART_COUNT") !== "1" ? [new Hold()] : [],
  },
});
const model = new Net();
// deno-lint-ignore no-explicit-any
const loader = new DataLoader(points(), { batchSize: 4, shuffle: true, seed: 3 }) as any;
const ckptPath = how.includes("last") ? "last" : undefined;
const outcome = await trainer.fit(model, { trainDataloaders: loader, ckptPath });
if (trainer.isGlobalZero) {
  await Deno.writeTextFile(`${folder}/outcome`, `${outcome} ${trainer.globalStep}`);
  const weights = [...model.namedParameters().values()].flatMap((variable) => [...variable.dataSync()]);
  await Deno.writeTextFile(`${folder}/result`, weights.join());
}
await trainer.close();
