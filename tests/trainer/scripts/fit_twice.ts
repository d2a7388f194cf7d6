/** Two fits, one after the other, of which the first is told to stop. Arguments: output folder, `on` or `off` for checkpoints, `catch` to catch what the second throws. */
import { StoppedError } from "../../../mod.ts";
import { Callback } from "../../../runtime/trainer/callback.ts";
import type { Trainer } from "../../../runtime/trainer/trainer.ts";
import { Line, planeLoader, quietTrainer } from "../support/line.ts";

const [folder, checkpoints, then] = Deno.args;

class StopsAtStep3 extends Callback {
  override onTrainBatchEnd(trainer: Trainer) {
    if (trainer.globalStep === 3 && trainer.globalRank === trainer.worldSize - 1) Deno.kill(Deno.pid, "SIGINT");
  }
}

for (const name of ["first", "second"]) {
  const trainer = quietTrainer({
    maxEpochs: 2,
    enableCheckpointing: checkpoints === "on",
    defaultRootDir: folder,
    ...(name === "first" && { callbacks: new StopsAtStep3(), maxEpochs: 100_000 }),
  });
  try {
    console.log(name, await trainer.fit(new Line(), planeLoader()));
  } catch (error) {
    if (then !== "catch" || !(error instanceof StoppedError)) throw error;
    console.log("caught", error.signal);
  }
  await trainer.close();
}
console.log("the end");
