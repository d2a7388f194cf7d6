import assert from "node:assert/strict";
import { ProgressBarCallback } from "../../../runtime/trainer/callbacks/progress_bar_callback.ts";
import { Line, lineBatches, Messages, quietTrainer } from "./line.ts";

/** What was drawn on a terminal, one state of the line each. */
class Screen {
  readonly #decoder = new TextDecoder();
  #text = "";
  writeSync(bytes: Uint8Array): number {
    this.#text += this.#decoder.decode(bytes);
    return bytes.length;
  }
  get draws(): string[] {
    // deno-lint-ignore no-control-regex
    return this.#text.split(/\r|\n/).map((line) => line.replace(/\x1b\[K/g, "")).filter(isBar);
  }
  /** What stays: lines that were ended. */
  get lines(): string[] {
    return this.#text.split("\n").slice(0, -1).map((line) => line.split("\r").at(-1)!.replace("\x1b[K", "")).filter(
      isBar,
    );
  }
}

/** Not a message of the Trainer, which appears above the bar. */
function isBar(line: string): boolean {
  return /^[A-Z][A-Za-z ]*\d*: /.test(line);
}

/** A bar that is drawn at every update, with a clock that stands still. */
function watched(options: { leave?: boolean; refreshRate?: number } = {}) {
  const screen = new Screen();
  const bar = new ProgressBarCallback({
    ...options,
    bar: { stream: screen, isTerminal: false, columns: 200, refreshMs: 0, now: () => 0 },
  });
  return { screen, bar };
}

Deno.test("the bars of a fit: sanity check, epochs with metrics, validations", async () => {
  using _ = new Messages();
  const { screen, bar } = watched();
  await using trainer = quietTrainer({
    maxEpochs: 2,
    numSanityValSteps: 1,
    enableCheckpointing: false,
    enableProgressBar: true,
    callbacks: bar,
    logEveryNSteps: 1,
  });
  await trainer.fit(new Line(), lineBatches(3), lineBatches(2));
  const descriptions = screen.draws.map((line) => /^[A-Z][A-Za-z ]*\d*/.exec(line)![0]);
  assert.deepEqual(descriptions.filter((text, i) => text !== descriptions[i - 1]), [
    "Sanity Checking",
    "Epoch 0",
    "Validation",
    "Epoch 0",
    "Epoch 1",
    "Validation",
    "Epoch 1",
  ]);
  assert.match(screen.draws.join("\n"), /Sanity Checking: 100%\|.*\| 1\/1 /);
  assert.match(screen.draws.join("\n"), /Validation: 100%\|.*\| 2\/2 /);
  // The bars of the epochs stay, with what they ended with; nothing else does.
  assert.equal(screen.lines.length, 2);
  assert.match(screen.lines[1], /^Epoch 1: 100%\|█+\| 3\/3 .*train_loss_step=[\d.e-]+, .*val_loss=[\d.e-]+/);
  assert.match(screen.lines[1], /train_loss_epoch=/);
});

Deno.test("without leave only the last epoch's bar stays", async () => {
  using _ = new Messages();
  const { screen, bar } = watched({ leave: false });
  await using trainer = quietTrainer({
    maxEpochs: 3,
    enableCheckpointing: false,
    enableProgressBar: true,
    callbacks: bar,
  });
  await trainer.fit(new Line(), lineBatches(2));
  assert.equal(screen.lines.length, 1);
  assert.match(screen.lines[0], /^Epoch 2: 100%/);
});

Deno.test("validate, test and predict have bars of their own, one for each loader", async () => {
  using _ = new Messages();
  const { screen, bar } = watched();
  class Tested extends Line {
    override testStep() {}
    override predictStep() {}
  }
  await using trainer = quietTrainer({ enableCheckpointing: false, enableProgressBar: true, callbacks: bar });
  const model = new Tested();
  await trainer.validate(model, lineBatches(2));
  await trainer.test(model, { dataloaders: [lineBatches(2), lineBatches(3)] });
  await trainer.predict(model, lineBatches(4));
  assert.deepEqual(screen.lines.map((line) => line.replace(/\|.*\|/, "|").split(" [")[0]), [
    "Validation: 100%| 2/2",
    "Testing DataLoader 0: 100%| 2/2",
    "Testing DataLoader 1: 100%| 3/3",
    "Predicting: 100%| 4/4",
  ]);
});

Deno.test("refreshRate counts batches, and the last one is always shown", async () => {
  using _ = new Messages();
  const { screen, bar } = watched({ refreshRate: 3 });
  await using trainer = quietTrainer({
    maxEpochs: 1,
    enableCheckpointing: false,
    enableProgressBar: true,
    callbacks: bar,
  });
  await trainer.fit(new Line(), lineBatches(7));
  const counts = new Set(screen.draws.map((line) => /(\d+)\/7/.exec(line)![1]));
  assert.deepEqual([...counts], ["3", "6", "7"]);
});

Deno.test("refreshRate 0 shows nothing", async () => {
  using _ = new Messages();
  const { screen, bar } = watched({ refreshRate: 0 });
  await using trainer = quietTrainer({
    maxEpochs: 1,
    enableCheckpointing: false,
    enableProgressBar: true,
    callbacks: bar,
  });
  await trainer.fit(new Line(), lineBatches(2), lineBatches(1));
  assert.deepEqual(screen.draws, []);
});

Deno.test("a run that fails leaves its bar as it was", async () => {
  using _ = new Messages();
  const { screen, bar } = watched();
  class Failing extends Line {
    override onTrainBatchEnd() {
      if (this.globalStep === 2) throw new Error("no");
    }
  }
  await using trainer = quietTrainer({
    maxEpochs: 1,
    enableCheckpointing: false,
    enableProgressBar: true,
    callbacks: bar,
  });
  await assert.rejects(trainer.fit(new Failing(), lineBatches(4)), /no/);
  assert.match(screen.lines.at(-1)!, /^Epoch 0: {2}50%\|.*2\/4/);
});

Deno.test("a run that resumes in the middle of an epoch goes on where it stood", async () => {
  using _ = new Messages();
  const folder = Deno.makeTempDirSync();
  try {
    const path = `${folder}/mid.ckpt`;
    class Saving extends Line {
      override async onTrainBatchEnd() {
        if (this.globalStep === 2) await this.trainer.saveCheckpoint(path);
      }
    }
    await using first = quietTrainer({ maxEpochs: 1, enableCheckpointing: false });
    await first.fit(new Saving(), lineBatches(4));
    const { screen, bar } = watched();
    await using second = quietTrainer({
      maxEpochs: 1,
      enableCheckpointing: false,
      enableProgressBar: true,
      callbacks: bar,
    });
    await second.fit(new Line(), { trainDataloaders: lineBatches(4), ckptPath: path });
    assert.equal(/(\d+)\/4/.exec(screen.draws[0])![1], "3");
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
});

Deno.test("options that are wrong are named", () => {
  assert.throws(() => new ProgressBarCallback({ refreshRate: -1 }), RangeError);
  assert.throws(() => new ProgressBarCallback({ refreshrate: 1 } as never), /did you mean `refreshRate`/);
});
