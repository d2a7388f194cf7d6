/** Trains for a long time and says how it ended. Arguments: output folder, `resume` to go on. Prints `training` once it is under way. */
import { Line, planeLoader, quietTrainer } from "../support/line.ts";
import { Callback } from "../../../runtime/trainer/callback.ts";
import type { Trainer } from "../../../runtime/trainer/trainer.ts";

const [folder, what] = Deno.args;

class Announce extends Callback {
  override onTrainBatchEnd(trainer: Trainer) {
    if (trainer.globalStep === 5) console.log("training");
  }
}

class Stuck extends Line {
  override async trainingStep(batch: Parameters<Line["trainingStep"]>[0], batchIdx: number) {
    if (what === "stuck" && this.globalStep === 6) await new Promise((resolve) => setTimeout(resolve, 1e6));
    return await super.trainingStep(batch, batchIdx) as Awaited<ReturnType<Line["trainingStep"]>>;
  }
}

const trainer = quietTrainer({
  maxEpochs: what === "resume" ? 100_001 : 100_000,
  maxSteps: what === "resume" ? 1_000_000 : -1,
  limitTrainBatches: 4,
  enableCheckpointing: true,
  defaultRootDir: folder,
  callbacks: new Announce(),
});
const loader = planeLoader();
const model = new Stuck();
const from = what === "resume" ? `${folder}/checkpoints/interrupted.ckpt` : undefined;
if (from) {
  class StopSoon extends Callback {
    started = -1;
    override onTrainBatchEnd(trainer: Trainer) {
      if (this.started < 0) this.started = trainer.globalStep;
      if (trainer.globalStep >= this.started + 3) trainer.shouldStop = true;
    }
  }
  const resuming = quietTrainer({ maxEpochs: -1, callbacks: new StopSoon() });
  console.log(await resuming.fit(model, { trainDataloaders: loader, ckptPath: from }), resuming.globalStep);
} else console.log(await trainer.fit(model, loader), trainer.globalStep, trainer.interrupted);
