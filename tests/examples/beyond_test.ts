import assert from "node:assert/strict";
import { runExample, valueOf } from "./run_example.ts";

Deno.test("convnet.ts learns from a few hundred images", async () => {
  const lines = await runExample("convnet.ts", ["--epochs", "5", "--samples", "600"]);
  assert.ok(valueOf(lines, "val_acc") > 0.6, lines.join("\n"));
  assert.ok(valueOf(lines, "val_loss") < 1, lines.join("\n"));
});

Deno.test("autoencoder.ts keeps a part of the images' variance, and draws them", async () => {
  const lines = await runExample("autoencoder.ts", ["--epochs", "6", "--samples", "2500"]);
  assert.ok(valueOf(lines, "kept") > 0.3, lines.join("\n"));
  // Three digits and under them their reconstructions, 14 lines each.
  assert.equal(lines.length, 29);
  assert.ok(lines.slice(14, 28).some((line) => /[=+*#%@]/.test(line)), lines.join("\n"));
});

Deno.test("k_fold.ts validates every sample once and prints mean and deviation", async () => {
  const lines = await runExample("k_fold.ts", ["--folds", "3", "--epochs", "2", "--samples", "1000"]);
  const folds = lines.slice(0, 3).map((line) =>
    /^fold \d\/3: trained on (\d+), val_acc=([\d.]+) of (\d+)$/.exec(line)!.slice(1).map(Number)
  );
  assert.deepEqual(folds.map(([trained, , validated]) => [trained, validated]), [[666, 334], [667, 333], [667, 333]]);
  const mean = folds.reduce((sum, [, accuracy]) => sum + accuracy, 0) / 3;
  assert.ok(Math.abs(valueOf(lines, "val_acc") - mean) < 1e-4, lines.join("\n"));
  assert.ok(mean > 0.6, lines.join("\n"));
});

Deno.test("fine_tune.ts trains the head alone, and the loaded body helps", async () => {
  const lines = await runExample("fine_tune.ts", ["--epochs", "1", "--samples", "4000", "--shots", "100"]);
  assert.match(
    lines.join("\n"),
    /^trainable: head\.0\.kernel, head\.0\.bias; frozen: body\.0\.kernel, .*body\.1\.bias$/m,
  );
  assert.ok(lines.includes("the body is as it was: true"), lines.join("\n"));
  assert.ok(valueOf(lines, "source") > 0.85, lines.join("\n"));
  assert.ok(valueOf(lines, "frozen") > valueOf(lines, "scratch"), lines.join("\n"));
});

Deno.test("char_transformer.ts learns from a few sentences and completes one", async () => {
  const lines = await runExample("char_transformer.ts", ["--steps", "20", "--width", "32"]);
  assert.ok(lines[0].startsWith("the brave snail paints a queen, so "), lines.join("\n"));
  // Guessing among 29 characters costs 3.4 nats each, some 200 a sentence.
  const nats = valueOf(lines, "val_nats");
  assert.ok(nats > 9.7 && nats < 170, lines.join("\n"));
  assert.ok(valueOf(lines, "copy_acc") > 0.15, lines.join("\n"));
});
