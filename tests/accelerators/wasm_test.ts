import assert from "node:assert/strict";
import process from "node:process";
import { wasm } from "../../runtime/accelerators/wasm.ts";
import { tf } from "../../runtime/tensor/tf.ts";

Deno.test("wasm loads once, however often it is asked to, and describes itself", async () => {
  const [first, second] = await Promise.all([wasm.load({}), wasm.load({ deviceIndex: 0 })]);
  assert.equal(first, second);
  assert.equal(first.backendName, "wasm");
  assert.match(first.description, /^wasm \((no )?SIMD, 1 thread\)$/);
  assert.equal(tf.getBackend(), "wasm");
  assert.deepEqual(await wasm.probe().then(({ available }) => available), true);
  assert.equal(await wasm.deviceCount(), 1);
  await tf.setBackend("cpu");
  await wasm.load({});
  assert.equal(tf.getBackend(), "wasm", "loading makes it the current backend again");
});

Deno.test("tensors outlive whoever disposes the accelerator", async () => {
  const loaded = await wasm.load({});
  const kept = tf.tensor([1, 2]);
  loaded[Symbol.dispose]();
  assert.deepEqual([...kept.dataSync()], [1, 2]);
  kept.dispose();
});

Deno.test("loading leaves no listener on uncaught errors", async () => {
  await wasm.load({});
  assert.equal(process.listenerCount("uncaughtException"), 0);
  assert.equal(process.listenerCount("unhandledRejection"), 0);
});

Deno.test("a program that computes on wasm prints nothing of its own and ends by itself", async () => {
  const program = `
    import { wasm } from ${JSON.stringify(new URL("../../runtime/accelerators/wasm.ts", import.meta.url).href)};
    import { tf } from ${JSON.stringify(new URL("../../runtime/tensor/tf.ts", import.meta.url).href)};
    await wasm.load({});
    tf.tensor([1]).add(1).dispose();
    await tf.setBackend("cpu");
    tf.tensor([1]).add(1).dispose();`;
  const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--quiet", `data:application/typescript,${encodeURIComponent(program)}`],
  }).output();
  const decoder = new TextDecoder();
  assert.deepEqual([success, decoder.decode(stdout), decoder.decode(stderr)], [true, "", ""]);
});

Deno.test("tensors stay right when the heap grows beneath them", async () => {
  await wasm.load({});
  const before = tf.memory().numTensors;
  const small = tf.ones([1000]);
  const big = Array.from({ length: 12 }, () => tf.ones([1024, 1024, 4]));
  assert.equal(tf.tidy(() => small.sum().dataSync()[0]), 1000);
  assert.equal(tf.tidy(() => big[0].matMul(tf.ones([4, 1])).max().dataSync()[0]), 4);
  tf.dispose([small, ...big]);
  assert.equal(tf.memory().numTensors, before);
});
