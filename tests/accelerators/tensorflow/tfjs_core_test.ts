import assert from "node:assert/strict";
import { tensorflowLibrary, tensorflowTest } from "./only_with_tensorflow.ts";
import { EXCEPTIONS } from "./tfjs_core/exceptions.ts";

interface SuiteResult {
  passed: number;
  excepted: number;
  failures: { name: string; messages: string[] }[];
}

tensorflowTest("tfjs-core's own tests pass on the binding, but for what tfjs-node leaves out too", async () => {
  // Computed, so that a machine without TensorFlow does not download the bundler.
  const builder = new URL("./tfjs_core/build_suite.ts", import.meta.url).href;
  const { buildSuite } = await import(builder) as typeof import("./tfjs_core/build_suite.ts");
  const folder = await Deno.makeTempDir({ prefix: "weft-tfjs-core-" });
  try {
    const bundle = await buildSuite(folder);
    const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
      args: [
        "run",
        "-A",
        "--no-lock",
        decodeURIComponent(new URL("./tfjs_core/run_suite.ts", import.meta.url).pathname),
        bundle,
        tensorflowLibrary!.directory,
      ],
      stdout: "piped",
      stderr: "piped",
    }).output();
    const lines = new TextDecoder().decode(stdout).trim().split("\n");
    assert.equal(code, 0, new TextDecoder().decode(stderr));
    const { passed, excepted, failures } = JSON.parse(lines.at(-1)!) as SuiteResult;
    console.log(`${passed} passed, ${failures.length} failed, ${excepted} left out by ${EXCEPTIONS.length} exceptions`);
    assert.deepEqual(failures, []);
    // It has more than 3,900: fewer would mean that the bundle lost some.
    assert.ok(passed > 3900, `only ${passed} ran`);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
