import assert from "node:assert/strict";
import { DDPStrategy } from "../../mod.ts";
import { tensorflowTest } from "../accelerators/tensorflow/only_with_tensorflow.ts";
import { runLauncher } from "../launcher/run_launcher.ts";
import { furthest, train } from "./train_mlp.ts";

tensorflowTest(
  "two ranks train MNIST to the same weights whether TensorFlow or ZeroMQ averages gradients",
  async () => {
    const options = { optimizer: "sgd", batchSize: 50, strategy: "ddp", steps: 100 };
    const byTensorflow = await train(2, { ...options, processGroup: "tensorflow" });
    const byZeromq = await train(2, { ...options, processGroup: "zeromq" });
    assert.ok(byTensorflow.same, "the ranks differ");
    assert.ok(byTensorflow.losses[99] < byTensorflow.losses[0] / 2, "it learned nothing");
    const far = furthest(byTensorflow.weights, byZeromq.weights);
    assert.ok(far < 1e-6, `weights differ by ${far}`);
  },
);

tensorflowTest("a rank that is killed while TensorFlow reduces ends the run, and is named", async () => {
  const script = new URL("scripts/die_reducing.ts", import.meta.url).pathname;
  const { code, stderr } = await runLauncher(["--devices", "2", "--process-group", "tensorflow", script]);
  assert.equal(code, 137, stderr);
  assert.match(stderr, /weft: rank 1 was killed by SIGKILL, and was the first to fail/);
  assert.match(stderr, /gradients reduced by TensorFlow/);
});

Deno.test("ranks without TensorFlow are told what its process group needs", async () => {
  const script = `
    import { DDPStrategy, Fabric } from ${JSON.stringify(new URL("../../mod.ts", import.meta.url).href)};
    const fabric = new Fabric({ accelerator: "wasm", strategy: new DDPStrategy({ processGroup: "tensorflow" }) });
    await fabric.launch();
    await fabric.close();`;
  const file = await Deno.makeTempFile({ suffix: ".ts" });
  await Deno.writeTextFile(file, script);
  const launcher = new URL("../../launcher/main.ts", import.meta.url).pathname;
  const { code, stderr, stdout } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", launcher, "--devices", "2", file],
  }).output();
  await Deno.remove(file);
  assert.notEqual(code, 0);
  const text = new TextDecoder().decode(stderr) + new TextDecoder().decode(stdout);
  assert.match(
    text,
    /processGroup: "tensorflow"` needs TensorFlow, but the accelerator in use is wasm.*deno task setup/,
  );
});

Deno.test("a process group that there is none of is refused by name", () => {
  assert.throws(
    () => new DDPStrategy({ processGroup: "gloo" as "zeromq" }),
    /TypeError: `processGroup` must be "zeromq" or "tensorflow", but got "gloo"/,
  );
});
