import assert from "node:assert/strict";
import { join } from "node:path";
import { forgetWarnings } from "../../../runtime/core/messages.ts";
import { readCheckpoint } from "../../../runtime/checkpoint/read_checkpoint.ts";
import { ModelCheckpoint } from "../../../runtime/trainer/callbacks/model_checkpoint.ts";
import type { ModelCheckpointOptions } from "../../../runtime/trainer/callbacks/checkpoint_options.ts";
import type { TrainerOptions } from "../../../runtime/trainer/trainer_options.ts";
import { Folder, Line, lineBatches, Messages, quietTrainer } from "./line.ts";

/** Fits a line of four batches an epoch and returns what is left. */
async function fit(
  options: ModelCheckpointOptions,
  { scores = [], model = new Line(), ckptPath, ...trainerOptions }: TrainerOptions & {
    scores?: number[];
    model?: Line;
    ckptPath?: string;
  } = {},
) {
  const checkpoint = new ModelCheckpoint(options);
  model.scores = scores;
  await using trainer = quietTrainer({ maxEpochs: 3, callbacks: checkpoint, ...trainerOptions });
  await trainer.fit(model, { trainDataloaders: lineBatches(4), valDataloaders: lineBatches(2), ckptPath });
  return { checkpoint, model, trainer };
}

const epochAndStep = (path: string) => readCheckpoint(path).then(({ epoch, globalStep }) => [epoch, globalStep]);

Deno.test("without a metric the newest checkpoint replaces the one before", async () => {
  using _ = new Messages();
  using folder = new Folder();
  const { checkpoint } = await fit({ dirpath: folder.path });
  assert.deepEqual(folder.files(), ["epoch=2-step=12.ckpt"]);
  assert.equal(checkpoint.bestModelPath, join(folder.path, "epoch=2-step=12.ckpt"));
  assert.equal(checkpoint.lastModelPath, checkpoint.bestModelPath);
  assert.deepEqual(await epochAndStep(checkpoint.bestModelPath), [2, 12]);
});

Deno.test("saveTopK: -1 keeps all, 0 none", async () => {
  using _ = new Messages();
  using all = new Folder();
  using none = new Folder();
  await fit({ dirpath: all.path, saveTopK: -1 });
  assert.deepEqual(all.files(), ["epoch=0-step=4.ckpt", "epoch=1-step=8.ckpt", "epoch=2-step=12.ckpt"]);
  await fit({ dirpath: none.path, saveTopK: 0 });
  assert.deepEqual(none.files(), []);
});

Deno.test("the best two by a metric stay, named by it, and what they are is in the state", async () => {
  using _ = new Messages();
  using folder = new Folder();
  const { checkpoint } = await fit(
    { dirpath: folder.path, monitor: "val", filename: "{epoch:02d}-{val:.2f}", saveTopK: 2 },
    { scores: [0.5, 0.25, 0.75, 0.125, 0.3], maxEpochs: 5 },
  );
  assert.deepEqual(folder.files(), ["epoch=01-val=0.25.ckpt", "epoch=03-val=0.13.ckpt"].map((name) => name).sort());
  assert.equal(checkpoint.bestModelScore, 0.125);
  assert.equal(checkpoint.currentScore, 0.3);
  assert.equal(checkpoint.bestModelPath, join(folder.path, "epoch=03-val=0.13.ckpt"));
  assert.deepEqual([...checkpoint.bestKModels.values()], [0.25, 0.125]);
});

Deno.test('mode "max" keeps the largest, and NaN never wins', async () => {
  using _ = new Messages();
  using folder = new Folder();
  const { checkpoint } = await fit(
    { dirpath: folder.path, monitor: "val", mode: "max", filename: "{epoch}" },
    { scores: [NaN, 0.5, NaN, 0.25], maxEpochs: 4 },
  );
  assert.deepEqual(folder.files(), ["epoch=1.ckpt"]);
  assert.equal(checkpoint.bestModelScore, 0.5);
});

Deno.test("verbose says what was saved and what was not", async () => {
  using messages = new Messages();
  using folder = new Folder();
  await fit({ dirpath: folder.path, monitor: "val", verbose: true }, { scores: [0.5, 0.75], maxEpochs: 2 });
  const path = join(folder.path, "epoch=0-step=4.ckpt");
  assert.ok(
    messages.lines.includes(
      `Epoch 0, global step 4: 'val' reached 0.50000 (best 0.50000), saving model to '${path}' as top 1`,
    ),
    messages.text,
  );
  assert.ok(messages.lines.includes("Epoch 1, global step 8: 'val' was not in top 1"), messages.text);
});

Deno.test("last.ckpt is the newest, also where that is not among the best, and lives on when the best goes", async () => {
  using _ = new Messages();
  using folder = new Folder();
  const { checkpoint } = await fit(
    { dirpath: folder.path, monitor: "val", saveLast: true },
    { scores: [0.5, 0.25, 0.75] },
  );
  assert.deepEqual(folder.files(), ["epoch=1-step=8.ckpt", "last.ckpt"]);
  assert.deepEqual(await epochAndStep(checkpoint.lastModelPath), [2, 12]);
  assert.equal(checkpoint.lastModelPath, join(folder.path, "last.ckpt"));
});

Deno.test("last.ckpt shares the file with the newest, or links to it", async () => {
  using _ = new Messages();
  using same = new Folder();
  using link = new Folder();
  await fit({ dirpath: same.path, saveLast: true });
  const inode = (name: string) => Deno.statSync(join(same.path, name)).ino;
  assert.equal(inode("last.ckpt"), inode("epoch=2-step=12.ckpt"));
  await fit({ dirpath: link.path, saveLast: "link" });
  assert.equal(Deno.readLinkSync(join(link.path, "last.ckpt")), "epoch=2-step=12.ckpt");
  assert.deepEqual(await epochAndStep(join(link.path, "last.ckpt")), [2, 12]);
});

Deno.test("saveLast saves at the end what was trained since the last checkpoint", async () => {
  using _ = new Messages();
  using folder = new Folder();
  await fit({ dirpath: folder.path, everyNEpochs: 2, saveLast: true });
  assert.deepEqual(folder.files(), ["epoch=1-step=8.ckpt", "last.ckpt"]);
  assert.equal((await readCheckpoint(join(folder.path, "last.ckpt"))).globalStep, 12);
});

Deno.test("a run that resumes from last.ckpt goes on with the same best ones", async () => {
  using _ = new Messages();
  using folder = new Folder();
  const options: ModelCheckpointOptions = { dirpath: folder.path, monitor: "val", saveTopK: 2, saveLast: true };
  const first = await fit(options, { scores: [0.5, 0.25], maxEpochs: 2 });
  const model = new Line();
  model.validations = 2;
  const { checkpoint } = await fit(options, {
    model,
    scores: [0.5, 0.25, 0.125],
    maxEpochs: 3,
    ckptPath: first.checkpoint.lastModelPath,
  });
  assert.deepEqual(folder.files(), ["epoch=1-step=8.ckpt", "epoch=2-step=12.ckpt", "last.ckpt"]);
  assert.deepEqual([...checkpoint.bestKModels.values()], [0.25, 0.125]);
});

Deno.test("neither the checkpoint that was resumed from nor one outside the folder is removed", async () => {
  using _ = new Messages();
  using one = new Folder();
  using two = new Folder();
  const first = await fit({ dirpath: one.path }, { maxEpochs: 1 });
  const ckptPath = first.checkpoint.bestModelPath;
  await fit({ dirpath: one.path }, { maxEpochs: 2, ckptPath });
  assert.deepEqual(one.files(), ["epoch=0-step=4.ckpt", "epoch=1-step=8.ckpt"]);
  await fit({ dirpath: two.path }, { maxEpochs: 2, ckptPath });
  assert.deepEqual(one.files(), ["epoch=0-step=4.ckpt", "epoch=1-step=8.ckpt"]);
  assert.deepEqual(two.files(), ["epoch=1-step=8.ckpt"]);
});

Deno.test("a name that is taken gets a version, unless the counter is off", async () => {
  using _ = new Messages();
  using folder = new Folder();
  await fit({ dirpath: folder.path, filename: "best" }, { maxEpochs: 1 });
  await fit({ dirpath: folder.path, filename: "best" }, { maxEpochs: 1 });
  await fit({ dirpath: folder.path, filename: "best", enableVersionCounter: false }, { maxEpochs: 1 });
  assert.deepEqual(folder.files(), ["best-v1.ckpt", "best.ckpt"]);
});

Deno.test("every few training steps, in the middle of an epoch", async () => {
  using _ = new Messages();
  using folder = new Folder();
  await fit({ dirpath: folder.path, everyNTrainSteps: 3, saveTopK: -1 });
  assert.deepEqual(folder.files(), [
    "epoch=0-step=3.ckpt",
    "epoch=1-step=6.ckpt",
    "epoch=2-step=12.ckpt",
    "epoch=2-step=9.ckpt",
  ]);
});

Deno.test("a step's checkpoint compares with the metric of that step, not with an older one", async () => {
  using _ = new Messages();
  using folder = new Folder();
  const { checkpoint } = await fit(
    { dirpath: folder.path, monitor: "train_loss_step", everyNTrainSteps: 1, saveTopK: -1, filename: "{step}" },
    { maxEpochs: 1 },
  );
  const losses = [...checkpoint.bestKModels.values()];
  // w from 0.5, loss ((w - 3) x)², w -= 0.2 (w - 3) x².
  let w = 0.5;
  const expected = [0, 0.25, 0.5, 0.75].map((x) => {
    const loss = ((w - 3) * x) ** 2;
    w -= 0.2 * (w - 3) * x * x;
    return loss;
  });
  assert.equal(losses.length, 4);
  losses.forEach((loss, i) => assert.ok(Math.abs(loss - expected[i]) < 1e-5, `${loss} is not ${expected[i]}`));
});

Deno.test("a step whose validation metric is not there yet is saved when the validation has ended", async () => {
  using _ = new Messages();
  using folder = new Folder();
  const { checkpoint } = await fit(
    { dirpath: folder.path, monitor: "val", everyNTrainSteps: 3, saveTopK: -1, filename: "{step}-{val:.2f}" },
    { scores: [0.5, 0.25, 0.75] },
  );
  // Steps 3, 6 and 9 wait for the validations at 4, 8 and 12; 12 is due itself.
  assert.deepEqual(folder.files(), ["step=12-val=0.75.ckpt", "step=4-val=0.50.ckpt", "step=8-val=0.25.ckpt"]);
  assert.equal(checkpoint.bestModelScore, 0.25);
});

Deno.test("after an interval of time", async () => {
  using _ = new Messages();
  using folder = new Folder();
  let now = 0;
  await fit({
    dirpath: folder.path,
    trainTimeInterval: { seconds: 5 },
    saveTopK: -1,
    // Two seconds each time that it is looked at: once at the start, then after every batch.
    now: () => 2000 * now++,
  }, { maxEpochs: 2 });
  assert.deepEqual(folder.files(), ["epoch=0-step=3.ckpt", "epoch=1-step=6.ckpt"]);
});

Deno.test("with validations within the epoch, checkpoints come after them", async () => {
  using _ = new Messages();
  using folder = new Folder();
  await fit({ dirpath: folder.path, saveTopK: -1 }, { maxEpochs: 1, valCheckInterval: 0.5 });
  assert.deepEqual(folder.files(), ["epoch=0-step=2.ckpt", "epoch=0-step=4.ckpt"]);
});

Deno.test("weights alone can be asked for", async () => {
  using _ = new Messages();
  using folder = new Folder();
  const { checkpoint } = await fit({ dirpath: folder.path, saveWeightsOnly: true }, { maxEpochs: 1 });
  const saved = await readCheckpoint(checkpoint.bestModelPath);
  assert.ok(saved.stateDict);
  assert.equal(saved.optimizerStates, undefined);
});

Deno.test("a metric that nobody logs is an error that lists those there are", async () => {
  using _ = new Messages();
  using folder = new Folder();
  await assert.rejects(
    fit({ dirpath: folder.path, monitor: "val_los" }),
    /could not find the monitored key in the returned metrics: \[.*val_loss.*\]\. HINT: Did you call `this\.log\("val_los", value\)`/,
  );
});

Deno.test("a run that fails leaves a checkpoint if that was asked for, and the error is the one that was thrown", async () => {
  using messages = new Messages();
  using folder = new Folder();
  class Failing extends Line {
    override onTrainBatchEnd() {
      if (this.globalStep === 6) throw new Error("the cat unplugged it");
    }
  }
  await assert.rejects(
    fit({ dirpath: folder.path, saveOnException: true, saveTopK: -1 }, { model: new Failing() }),
    /the cat unplugged it/,
  );
  assert.deepEqual(folder.files(), ["epoch=0-step=4.ckpt", "epoch=1-step=6.ckpt"]);
  assert.match(
    messages.text,
    /Error was raised with message: the cat unplugged it\. Saved checkpoint to .*step=6\.ckpt/,
  );
});

Deno.test("a checkpoint that cannot be written leaves the ones before and is forgotten", async () => {
  using _ = new Messages();
  using folder = new Folder();
  const checkpoint = new ModelCheckpoint({ dirpath: folder.path, filename: "{epoch}/a" });
  class Blocking extends Line {
    override onTrainEpochStart() {
      // A file where the next checkpoint needs a folder.
      if (this.currentEpoch === 1) Deno.writeTextFileSync(join(folder.path, "epoch=1"), "");
    }
  }
  await using trainer = quietTrainer({ maxEpochs: 2, callbacks: checkpoint });
  await assert.rejects(trainer.fit(new Blocking(), lineBatches(2)), { name: "CheckpointError" });
  assert.deepEqual(folder.files(), ["epoch=0/a.ckpt", "epoch=1"]);
  assert.equal(checkpoint.bestModelPath, join(folder.path, "epoch=0/a.ckpt"));
});

Deno.test("without a folder it saves beside the root folder's logs; a folder with files in it is pointed out", async () => {
  using messages = new Messages();
  using folder = new Folder();
  forgetWarnings();
  const { checkpoint } = await fit({}, { maxEpochs: 1, defaultRootDir: folder.path });
  assert.deepEqual(folder.files(), ["checkpoints/epoch=0-step=4.ckpt"]);
  assert.equal(checkpoint.dirpath, join(folder.path, "checkpoints"));
  assert.doesNotMatch(messages.text, /not empty/);
  await fit({}, { maxEpochs: 1, defaultRootDir: folder.path });
  assert.match(messages.text, /Checkpoint directory .*checkpoints exists and is not empty\./);
});

Deno.test("options that are wrong or contradict each other are named", () => {
  const bad = (options: unknown) => () => new ModelCheckpoint(options as ModelCheckpointOptions);
  assert.throws(bad({ savetopk: 1 }), /`ModelCheckpoint` has no option `savetopk`; did you mean `saveTopK`\?/);
  assert.throws(bad({ mode: "low" }), /mode.*"min" or "max", but got "low"/);
  assert.throws(bad({ saveTopK: -2 }), RangeError);
  assert.throws(bad({ saveTopK: 3 }), /needs a metric to compare by/);
  assert.throws(bad({ everyNTrainSteps: 5, everyNEpochs: 1 }), /everyNTrainSteps, everyNEpochs.*exclude each other/);
  assert.throws(
    bad({ trainTimeInterval: "5 minutes" }),
    /`ModelCheckpoint\(\{ trainTimeInterval \}\)` must be "DD:HH:MM:SS"/,
  );
  assert.throws(bad({ filename: "{val:.2q}" }), /".2q" is no number format/);
  assert.throws(bad({ saveLast: "copy" }), TypeError);
});

Deno.test("two checkpoint callbacks with different triggers keep their state apart", () => {
  const keys = [{}, { monitor: "a" }, { everyNTrainSteps: 5 }].map((options) => new ModelCheckpoint(options).stateKey);
  assert.equal(new Set(keys).size, 3);
  assert.equal(
    keys[1],
    'ModelCheckpoint{"monitor":"a","mode":"min","everyNTrainSteps":0,"everyNEpochs":1,"trainTimeInterval":null}',
  );
});
