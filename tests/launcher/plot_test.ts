import assert from "node:assert/strict";
import { plot, readPoints } from "../../launcher/plot.ts";

Deno.test("values of an epoch are averaged, gaps and values that are not finite left out", () => {
  const csv = "epoch,step,train_loss,val_loss\n0,0,1,\n0,1,3,\n0,1,,0.5\n1,2,NaN,\n1,3,inf,\n,4,9,\n1,5,0.25,0.125\n";
  assert.deepEqual(readPoints(csv), {
    xName: "epoch",
    points: [
      { x: 0, metric: "train_loss", value: 2 },
      { x: 0, metric: "val_loss", value: 0.5 },
      { x: 1, metric: "train_loss", value: 0.25 },
      { x: 1, metric: "val_loss", value: 0.125 },
    ],
  });
});

Deno.test("of a metric logged by step and by epoch the latter is taken, and without epochs the step is the axis", () => {
  const both = readPoints("epoch,step,loss_epoch,loss_step\n0,0,,7\n0,1,2,\n");
  assert.deepEqual(both.points, [{ x: 0, metric: "loss", value: 2 }]);
  const steps = readPoints("loss_step,step\n7,10\n6,5\n");
  assert.deepEqual(steps, {
    xName: "step",
    points: [{ x: 5, metric: "loss_step", value: 6 }, { x: 10, metric: "loss_step", value: 7 }],
  });
});

Deno.test("the command writes loss and accuracy as SVG and PNG with every metric's name in the picture", async () => {
  const folder = await Deno.makeTempDir({ prefix: "weft-test-" });
  try {
    const csv = `${folder}/metrics.csv`;
    await Deno.writeTextFile(csv, "epoch,step,train_loss,val_acc,val_loss\n1,1,1,0.9,1.1\n2,2,0.5,0.95,0.6\n");
    const script = new URL("../../launcher/plot.ts", import.meta.url).href;
    const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", "--quiet", script, csv, "--out", `${folder}/pictures`],
    }).output();
    assert.equal(code, 0, new TextDecoder().decode(stderr));
    const paths = ["loss.svg", "loss.png", "accuracy.svg", "accuracy.png"].map((name) => `${folder}/pictures/${name}`);
    assert.deepEqual(new TextDecoder().decode(stdout).trim().split("\n"), paths);
    const [loss, lossPng, accuracy, accuracyPng] = await Promise.all(paths.map((path) => Deno.readFile(path)));
    const text = new TextDecoder().decode(loss);
    for (const label of [">train_loss<", ">val_loss<", ">epoch<", ">loss<"]) assert.ok(text.includes(label), label);
    assert.ok(new TextDecoder().decode(accuracy).includes(">val_acc<"));
    for (const png of [lossPng, accuracyPng]) {
      assert.deepEqual([...png.subarray(0, 8)], [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
      const view = new DataView(png.buffer);
      assert.ok(view.getUint32(16) > 960 && view.getUint32(20) > 600, "the picture is twice 480 by 300 and its labels");
    }
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("a file that is missing, empty or without loss and accuracy is an error that names it", async () => {
  const folder = await Deno.makeTempDir({ prefix: "weft-test-" });
  try {
    const csv = `${folder}/metrics.csv`;
    await assert.rejects(plot(csv), /Could not read the metrics in .*metrics\.csv: No such file/);
    await Deno.writeTextFile(csv, "epoch,loss\n");
    await assert.rejects(plot(csv), /has no rows/);
    await Deno.writeTextFile(csv, "a,b\n1,2\n");
    await assert.rejects(plot(csv), /neither a column `epoch` nor `step`, only: a, b/);
    await Deno.writeTextFile(csv, "epoch,f1\n1,2\n");
    await assert.rejects(plot(csv), /Nothing to draw in .*metrics\.csv: .*only: f1/);
    assert.deepEqual([...Deno.readDirSync(folder)].map(({ name }) => name), ["metrics.csv"]);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
