import assert from "node:assert/strict";
import { availableAccelerators } from "../../runtime/accelerators/available_accelerators.ts";
import { selectAccelerator } from "../../runtime/accelerators/select_accelerator.ts";
import { tensorflowCpu } from "../../runtime/accelerators/tensorflow/accelerator.ts";
import { routeMessages } from "../../runtime/core/messages.ts";

Deno.test("auto becomes wasm, and says so once", async () => {
  const lines: string[] = [];
  using _route = routeMessages((line) => lines.push(line));
  assert.equal((await selectAccelerator("auto")).name, "wasm");
  assert.equal((await selectAccelerator()).name, "wasm");
  assert.equal(lines.length, 1);
  assert.match(lines[0], /^accelerator: wasm \(/);
});

Deno.test("cpu is TensorFlow where its library is found, else wasm, which it says once", async () => {
  const lines: string[] = [];
  using _route = routeMessages((line) => lines.push(line));
  for (let i = 0; i < 2; i++) assert.equal((await selectAccelerator("cpu")).name, "cpu");
  if ((await tensorflowCpu.probe()).available) assert.deepEqual(lines, []);
  else assert.match(lines.join("\n"), /^accelerator: cpu is computed by wasm \(.*`deno task setup`[^\n]*$/);
});

Deno.test("a name given outright is not announced", async () => {
  const lines: string[] = [];
  using _route = routeMessages((line) => lines.push(line));
  assert.equal((await selectAccelerator("wasm")).name, "wasm");
  assert.deepEqual(lines, []);
});

Deno.test("a misspelt name is an error with the one that was meant and the list", async () => {
  await assert.rejects(selectAccelerator("wams"), (error: Error) => {
    assert(error instanceof RangeError);
    assert.match(error.message, /invalid accelerator name: `accelerator: "wams"`\. Did you mean "wasm"\?/);
    assert.match(error.message, /Available names are: auto, cpu, wasm, webgpu, cuda, gpu\.$/);
    return true;
  });
  await assert.rejects(selectAccelerator("abacus"), /invalid accelerator name.*Available names/);
  await assert.rejects(selectAccelerator(""), RangeError);
});

Deno.test("cuda without an engine for it is an error that lists what there is", async () => {
  for (const name of ["cuda", "gpu"]) {
    await assert.rejects(selectAccelerator(name, { owner: "Trainer" }), (error: Error) => {
      assert.match(error.message, new RegExp(`^\`accelerator: "${name}"\` can not run on this system: `));
      assert.match(error.message, /option of `Trainer`: "auto", "cpu", "wasm"/);
      return true;
    });
  }
});

Deno.test("cpu and wasm are available everywhere", async () => {
  const names = await availableAccelerators();
  assert.deepEqual(names.slice(0, 2), ["cpu", "wasm"]);
});
