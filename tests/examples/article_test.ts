import assert from "node:assert/strict";
import { runExample, valueOf } from "./run_example.ts";
import { inTemporaryFolder } from "../temporary_folder.ts";

Deno.test("trainer_mnist.ts prints the accuracy last, logs to CSV and keeps the best checkpoint", async () => {
  await inTemporaryFolder(async (folder) => {
    const lines = await runExample("trainer_mnist.ts", ["--epochs", "2", "--steps", "150"], { folder });
    assert.match(lines.at(-1)!, /^val_acc=0\.\d{4}$/);
    assert.ok(valueOf(lines, "val_acc") > 0.88, lines.join("\n"));
    const [header, ...rows] = (await Deno.readTextFile(`${folder}/logs/MNIST/version_0/metrics.csv`)).trim().split(
      "\n",
    );
    assert.deepEqual(header.split(","), ["epoch", "step", "train_loss", "val_acc", "val_loss"]);
    // Every 50 steps of 300, and after each epoch.
    assert.equal(rows.length, 8);
    const kept = [...Deno.readDirSync(`${folder}/logs/MNIST/version_0/checkpoints`)].map(({ name }) => name);
    assert.equal(kept.length, 1);
    assert.match(kept[0], /^epoch=1-val_acc=0\.\d{4}\.ckpt$/);
  });
});

Deno.test("trainer_mnist.ts starts the ranks that --devices asks for, or runs as a rank of the launcher", async () => {
  const args = ["--epochs", "1", "--steps", "30"];
  const own = await runExample("trainer_mnist.ts", [...args, "--devices", "2"]);
  const launched = await runExample("trainer_mnist.ts", args, { devices: 2 });
  assert.ok(valueOf(own, "val_acc") > 0.75, own.join("\n"));
  assert.equal(valueOf(own, "val_acc"), valueOf(launched, "val_acc"));
});

Deno.test("fabric_and_trainer.ts reaches the same accuracy by Fabric and by the Trainer", async () => {
  const lines = await runExample("fabric_and_trainer.ts", ["--epochs", "2", "--samples", "1500"]);
  const accuracies = lines.filter((line) => line.startsWith("val_acc="));
  assert.equal(accuracies.length, 4, lines.join("\n"));
  assert.deepEqual(accuracies.slice(0, 2), accuracies.slice(2));
  assert.ok(valueOf(lines, "val_acc") > 0.6, lines.join("\n"));
  assert.deepEqual(lines.filter((line) => line.startsWith("epoch")), [
    "epoch 0 begins",
    // No Trainer counts epochs in a loop of one's own.
    "epoch 0 begins",
    "epoch 0 begins",
    "epoch 1 begins",
  ]);
});

Deno.test("data_module.ts learns the same with worker threads as without", async () => {
  const args = ["--epochs", "1", "--samples", "3000"];
  const without = await runExample("data_module.ts", args);
  const withWorkers = await runExample("data_module.ts", [...args, "--workers", "2"]);
  assert.ok(valueOf(without, "test_acc") > 0.6, without.join("\n"));
  assert.equal(withWorkers.at(-1), without.at(-1));
});

Deno.test("loggers_and_callbacks.ts writes to both loggers and keeps two checkpoints and the last", async () => {
  await inTemporaryFolder(async (folder) => {
    const lines = await runExample("loggers_and_callbacks.ts", ["--epochs", "3", "--samples", "1500"], { folder });
    assert.equal(lines.filter((line) => /^epoch \d {2}train_loss=/.test(line)).length, 3, lines.join("\n"));
    assert.ok(lines.includes("csv: logs/csv/version_0"), lines.join("\n"));
    assert.match(await Deno.readTextFile(`${folder}/logs/csv/version_0/metrics.csv`), /val_acc/);
    const events = [...Deno.readDirSync(`${folder}/logs/tensorboard/version_0`)].map(({ name }) => name);
    assert.ok(events.some((name) => name.startsWith("events.out.tfevents")), events.join());
    const kept = [...Deno.readDirSync(`${folder}/checkpoints/loggers_and_callbacks`)].map(({ name }) => name).sort();
    assert.equal(kept.length, 3, kept.join());
    assert.match(kept[0], /^epoch=0[01]-val_acc=0\.\d{4}\.ckpt$/);
    assert.equal(kept[2], "last.ckpt");
    const best = lines.find((line) => line.startsWith("best: "))!;
    assert.ok(best.includes(`val_acc=${valueOf(lines, "val_acc").toFixed(4)}`), lines.join("\n"));
  });
});

Deno.test("reproducible.ts ends with the same weights for the same seed only", async () => {
  const lines = await runExample("reproducible.ts", ["--samples", "1000"]);
  assert.ok(lines.includes("the same weights with the same seed: true"), lines.join("\n"));
  assert.ok(lines.includes("the same weights with another seed: false"), lines.join("\n"));
});

Deno.test("hyperparameters.ts loads a model of the size that was trained, with its accuracy", async () => {
  const args = ["--hidden", "24", "--rate", "0.01", "--epochs", "1", "--samples", "1500"];
  const lines = await runExample("hyperparameters.ts", args);
  assert.ok(lines[0].endsWith(`best.ckpt: {"hidden":24,"learningRate":0.01}`), lines.join("\n"));
  const [, trained, loaded] = /^trained (\S+), loaded (\S+)$/.exec(lines[1])!;
  assert.equal(loaded, trained);
  assert.match(lines[2], /^predicted: (\d ){10}…$/);
  assert.equal(lines[3], `to go on with: {"hidden":24,"learningRate":0.0001}`);
});
