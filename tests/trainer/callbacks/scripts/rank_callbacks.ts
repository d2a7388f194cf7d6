/** Run by the launcher on two ranks: what callbacks decide is the same on both. Arguments: a folder and a scene. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { EarlyStopping } from "../../../../runtime/trainer/callbacks/early_stopping.ts";
import { ModelCheckpoint } from "../../../../runtime/trainer/callbacks/model_checkpoint.ts";
import { Timer } from "../../../../runtime/trainer/callbacks/timer.ts";
import { Line, lineBatches, quietTrainer } from "../line.ts";

const [folder, scene] = Deno.args;

/** Logs a metric that is another on each rank. */
class Differing extends Line {
  own: number[][] = [];
  override validationStep() {
    const scores = this.own[this.globalRank];
    this.log("own", scores[Math.min(this.validations, scores.length - 1)], { syncDist: false });
  }
}

/** Rank 1's metric never improves: its count is 1 after the second epoch, where rank 0's is 0. */
async function stopEarly(ckptPath?: string): Promise<void> {
  const saving = new ModelCheckpoint({ dirpath: folder, saveTopK: ckptPath ? 0 : -1, filename: "{epoch}" });
  const stopping = new EarlyStopping({ monitor: "own", patience: 3 }), model = new Differing();
  model.own = [[5, 4, 3, 2, 1, 0].slice(ckptPath ? 2 : 0), [5]];
  await using trainer = quietTrainer({ maxEpochs: 6, callbacks: [stopping, saving] });
  await trainer.fit(model, { trainDataloaders: lineBatches(2), valDataloaders: lineBatches(1), ckptPath });
  assert.equal(trainer.currentEpoch, 4);
  const { waitCount, bestScore } = stopping;
  assert.deepEqual([waitCount, bestScore], trainer.globalRank === 0 ? [0, 2] : [3, 5]);
}

const scenes: Record<string, () => Promise<void>> = {
  async checkpoint() {
    const checkpoint = new ModelCheckpoint({
      dirpath: folder,
      monitor: "own",
      saveLast: true,
      filename: "{epoch}-{own:.2f}",
    });
    const model = new Differing();
    // Rank 1 would keep the first; rank 0 decides.
    model.own = [[0.5, 0.25], [0.25, 0.5]];
    await using trainer = quietTrainer({ maxEpochs: 2, callbacks: checkpoint });
    await trainer.fit(model, lineBatches(2), lineBatches(1));
    assert.equal(checkpoint.bestModelPath, join(folder, "epoch=1-own=0.25.ckpt"));
    assert.equal(checkpoint.lastModelPath, join(folder, "last.ckpt"));
    assert.equal(checkpoint.bestModelScore, 0.25);
  },
  async stop() {
    const stopping = new EarlyStopping({ monitor: "own", patience: 2 });
    const model = new Differing();
    model.own = [[5, 4, 3, 2, 1], [5, 5, 5, 5, 5]];
    await using trainer = quietTrainer({ maxEpochs: 5, enableCheckpointing: false, callbacks: stopping });
    await trainer.fit(model, lineBatches(2), lineBatches(1));
    assert.equal(trainer.currentEpoch, 3);
    assert.equal(stopping.stoppedReason, "patienceExhausted");
  },
  undisturbed: () => stopEarly(),
  resumed: () => stopEarly(join(folder, "epoch=1.ckpt")),
  async time() {
    // Rank 0's clock counts, and rank 1 saves at the same steps.
    let now = 0;
    const checkpoint = new ModelCheckpoint({
      dirpath: folder,
      trainTimeInterval: { seconds: 3 },
      saveTopK: -1,
      now: () => now,
    });
    class Clock extends Line {
      override onTrainBatchStart() {
        if (this.globalRank === 0) now += 2000;
      }
    }
    await using trainer = quietTrainer({ maxEpochs: 1, callbacks: checkpoint });
    await trainer.fit(new Clock(), lineBatches(8));
    assert.ok(checkpoint.bestModelPath.endsWith("step=6.ckpt"), checkpoint.bestModelPath);
  },
  async timer() {
    let now = 0;
    const timer = new Timer({ duration: { seconds: 5 }, now: () => now });
    class Clock extends Line {
      override onTrainBatchStart() {
        if (this.globalRank === 1) now += 2000;
      }
    }
    await using trainer = quietTrainer({ maxEpochs: 1, enableCheckpointing: false, callbacks: timer });
    await trainer.fit(new Clock(), lineBatches(8));
    // Rank 1 wants to stop after its third step, which rank 0 learns with the next gradients.
    assert.ok(trainer.globalStep >= 3 && trainer.globalStep <= 5, String(trainer.globalStep));
  },
  async fail() {
    const checkpoint = new ModelCheckpoint({ dirpath: folder, saveOnException: true, saveTopK: -1 });
    class Failing extends Line {
      override onTrainBatchEnd() {
        if (this.globalRank === 0 && this.globalStep === 2) throw new Error("rank 0 has had enough");
      }
    }
    const trainer = quietTrainer({ maxEpochs: 1, callbacks: checkpoint });
    await trainer.fit(new Failing(), lineBatches(8));
  },
};

await scenes[scene]();
console.log(`${scene} is fine`);
