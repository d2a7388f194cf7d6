import assert from "node:assert/strict";
import { selectAccelerator } from "../../runtime/accelerators/select_accelerator.ts";
import { webgpu } from "../../runtime/accelerators/webgpu.ts";

Deno.test("webgpu says whether it works, and if not, what to install", async () => {
  const probe = await webgpu.probe();
  assert.equal(await webgpu.deviceCount(), probe.available ? 1 : 0);
  if (probe.available) {
    assert(probe.detail.length > 0);
    assert.equal((await selectAccelerator("webgpu")).name, "webgpu");
  } else {
    assert.match(probe.remedy, /mesa-vulkan-drivers/);
    await assert.rejects(selectAccelerator("webgpu"), /can not run on this system.*mesa-vulkan-drivers/);
    await assert.rejects(webgpu.load({}), /can not run here/);
  }
});

Deno.test("a model trains on webgpu to the losses of plain JavaScript", async (test) => {
  const probe = await webgpu.probe();
  if (!probe.available) return console.log(`skipped: ${probe.reason}`);
  // In a process of its own: the device of the engine lives until the process ends.
  const program = `
    import { webgpu } from ${JSON.stringify(new URL("../../runtime/accelerators/webgpu.ts", import.meta.url).href)};
    import { tf } from ${JSON.stringify(new URL("../../runtime/tensor/tf.ts", import.meta.url).href)};
    async function losses() {
      const w = tf.variable(tf.linspace(-1, 1, 12).reshape([4, 3])), x = tf.linspace(-1, 1, 20).reshape([5, 4]);
      const y = tf.oneHot(tf.tensor1d([0, 1, 2, 1, 0], "int32"), 3), optimizer = tf.train.adam(0.05), values = [];
      for (let step = 0; step < 5; step++) {
        const loss = optimizer.minimize(() => tf.losses.softmaxCrossEntropy(y, x.matMul(w).tanh()), true);
        values.push((await loss.data())[0]);
        loss.dispose();
      }
      return values;
    }
    await tf.setBackend("cpu");
    const expected = await losses();
    const { backendName } = await webgpu.load({});
    console.log(JSON.stringify({ backendName, current: tf.getBackend(), expected, actual: await losses() }));`;
  const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--quiet", `data:application/typescript,${encodeURIComponent(program)}`],
  }).output();
  await test.step("the program ends by itself", () => assert(success, new TextDecoder().decode(stderr)));
  const { backendName, current, expected, actual } = JSON.parse(new TextDecoder().decode(stdout));
  assert.deepEqual([backendName, current], ["webgpu", "webgpu"]);
  for (const [i, value] of expected.entries()) {
    assert(Math.abs(actual[i] - value) < 1e-4, `${actual} is not ${expected}`);
  }
});
