import assert from "node:assert/strict";
import { runExample } from "./examples/run_example.ts";
import { inTemporaryFolder } from "./temporary_folder.ts";

const accuracy = (line: string) => Number(line.match(/val_acc=([\d.]+)/)?.[1]);

Deno.test("mnist.ts prints a line an epoch and the accuracy last, on one rank and on two", () =>
  inTemporaryFolder(async (folder) => {
    const one = await runExample("mnist.ts", ["--epochs", "1"], { folder });
    assert.match(one[0], /^epoch 1\/1 {2}train_loss=\d\.\d{4} val_loss=\d\.\d{4} val_acc=0\.\d{4} {2}\d+\.\d s$/);
    assert.equal(one.length, 2);
    assert.match(one[1], /^val_acc=0\.\d{4}$/);
    assert.ok(accuracy(one[1]) > 0.92, one[1]);
    assert.match(
      await Deno.readTextFile(`${folder}/logs/MNIST/version_0/metrics.csv`),
      /^epoch,step,train_loss,val_acc,val_loss\n1,600,/,
    );

    const loaded = await runExample("load_weights.ts", ["--samples", "500"], { folder });
    assert.match(loaded[0], /loaded the model of checkpoints\/mnist\.safetensors, left alone: optimizer, epoch, step/);
    assert.ok(accuracy(loaded[1]) > 0.85, loaded[1]);

    const two = await runExample("mnist.ts", ["--epochs", "1"], { folder, devices: 2 });
    assert.ok(Math.abs(accuracy(two.at(-1)!) - accuracy(one[1])) < 0.01, `${one[1]} and ${two.at(-1)}`);
  }));

Deno.test("plain_loop.ts learns without Fabric", async () => {
  const lines = await runExample("plain_loop.ts", ["--epochs", "2", "--samples", "2000"]);
  assert.ok(accuracy(lines[1]) > 0.7, lines.join("\n"));
});

Deno.test("module_with_fabric.ts trains a LightningModule-shaped class, on one rank and on two", async () => {
  const one = await runExample("module_with_fabric.ts", ["--epochs", "1", "--samples", "2000"]);
  const two = await runExample("module_with_fabric.ts", ["--epochs", "1", "--samples", "2000"], { devices: 2 });
  assert.ok(accuracy(one[0]) > 0.6, one[0]);
  assert.ok(Math.abs(accuracy(one[0]) - accuracy(two.at(-1)!)) < 0.02, `${one[0]} and ${two.at(-1)}`);
});

Deno.test("save_and_resume.ts ends with the same weights to the bit", async () => {
  const lines = await runExample("save_and_resume.ts", ["--samples", "500"]);
  assert.ok(lines.includes("resumed after epoch 3"), lines.join("\n"));
  assert.equal(lines.at(-1), "the same weights to the bit: true");
});

Deno.test("training_template.ts accumulates, clips, keeps the best checkpoint and resumes from it", () =>
  inTemporaryFolder(async (folder) => {
    const first = await runExample("training_template.ts", ["--epochs", "2", "--samples", "1000"], { folder });
    assert.equal(first.length, 2);
    const args = ["--epochs", "3", "--samples", "1000", "--resume", "checkpoints/template.safetensors"];
    const resumed = await runExample("training_template.ts", args, { folder });
    assert.match(resumed.at(-1)!, /^epoch 3\/3/);
    assert.ok(resumed.length < 3, "it began anew");
  }));
