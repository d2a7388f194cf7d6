import assert from "node:assert/strict";

const program = new URL("../../examples/trainer_mnist.ts", import.meta.url).pathname;

Deno.test("the MNIST program trains, logs, keeps its checkpoint and prints its accuracy last", async () => {
  const cwd = await Deno.makeTempDir();
  try {
    const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", program, "--epochs", "1", "--steps", "60", "--accelerator", "wasm"],
      cwd,
      env: { NO_COLOR: "1" },
    }).output();
    const [out, err] = [stdout, stderr].map((bytes) => new TextDecoder().decode(bytes));
    assert.equal(code, 0, err);
    const accuracy = Number(/^val_acc=(\d\.\d{4})$/.exec(out.trim().split("\n").at(-1)!)?.[1]);
    assert.ok(accuracy > 0.7, out);
    assert.match(err, /0 \| net {2}\| Sequential \| 79\.5 K \| train/);
    assert.match(err, /`Trainer\.fit` stopped: `max_epochs=1` reached\./);
    const [header, ...rows] = (await Deno.readTextFile(`${cwd}/logs/MNIST/version_0/metrics.csv`)).trim().split("\n");
    assert.equal(header, "epoch,step,train_loss,val_acc,val_loss");
    assert.equal(rows.length, 2);
    const [checkpoint] = [...Deno.readDirSync(`${cwd}/logs/MNIST/version_0/checkpoints`)].map(({ name }) => name);
    assert.equal(checkpoint, `epoch=0-val_acc=${accuracy.toFixed(4)}.ckpt`);
  } finally {
    await Deno.remove(cwd, { recursive: true });
  }
});
