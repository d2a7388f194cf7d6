import assert from "node:assert/strict";
import { availableAccelerators } from "../../runtime/accelerators/available_accelerators.ts";
import { selectAccelerator } from "../../runtime/accelerators/select_accelerator.ts";
import { tensorflowCpu } from "../../runtime/accelerators/tensorflow/accelerator.ts";
import { routeMessages } from "../../runtime/core/messages.ts";
import {
  configureTensorflow,
  type TensorflowConfiguration,
  tensorflowConfiguration,
} from "../../runtime/tensorflow_library/configure.ts";
import { libraryFiles } from "../../runtime/tensorflow_library/library_files.ts";
import { platformProblem } from "../../runtime/tensorflow_library/platform_problem.ts";

/** Runs with a TensorFlow configuration of its own, and restores the other. */
async function configured(configuration: TensorflowConfiguration, run: () => Promise<void>): Promise<void> {
  const before = tensorflowConfiguration();
  configureTensorflow(configuration);
  try {
    await run();
  } finally {
    configureTensorflow(before);
  }
}

Deno.test("auto becomes wasm where no TensorFlow was set up, and says once how to get one", async () => {
  const lines: string[] = [];
  using _route = routeMessages((line) => lines.push(line));
  await configured({ cacheHome: "/nowhere" }, async () => {
    assert.equal((await selectAccelerator("auto")).name, "wasm");
    assert.equal((await selectAccelerator()).name, "wasm");
  });
  assert.equal(lines.length, 1);
  assert.match(lines[0], /^accelerator: wasm \(.*\); `deno task setup` gets TensorFlow, which is faster$/);
});

Deno.test("auto becomes cpu where a TensorFlow was set up, without asking Python", {
  ignore: platformProblem() !== undefined,
}, async () => {
  const lines: string[] = [], folder = await Deno.makeTempDir();
  using _route = routeMessages((line) => lines.push(line));
  try {
    const library = `${folder}/weft/tensorflow/9.9.9/tensorflow`;
    await Deno.mkdir(library, { recursive: true });
    for (const file of libraryFiles()!) await Deno.writeTextFile(`${library}/${file}`, "");
    await configured({ cacheHome: folder, pythonCommands: ["/no/such/python"] }, async () => {
      assert.equal((await selectAccelerator("auto")).name, "cpu");
    });
    assert.match(lines.join("\n"), /^accelerator: cpu \(TensorFlow in .*9\.9\.9.*\)$/);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
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
