import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { buildSuite, type SuiteResult } from "./tfjs_core/build_suite.ts";

/**
 * Tests that are not to pass on wasm, and why. None is left; docs/accelerators.md says how that came to be. One that is listed and
 * passes fails this test as one that fails and is not listed does.
 */
const EXCEPTIONS: Readonly<Record<string, string>> = {};

/** What the suite itself leaves out, on every backend. */
const LEFT_OUT_BY_THE_SUITE = [
  "debug on wasm {} A x B",
  "IS_BROWSER isBrowser: true",
  "IS_BROWSER isBrowser: false",
  "kernel_registry wasm {} errors when registering the same kernel twice",
  "gradient registry wasm {} warning when registering the same gradient twice",
];

Deno.test("tfjs-core's own tests pass on wasm with the fixed and added kernels", async () => {
  const folder = await Deno.makeTempDir({ prefix: "weft-tfjs-core-" });
  try {
    const bundle = await buildSuite(folder), resultFile = `${folder}/result.json`;
    const { code, stderr } = await new Deno.Command(Deno.execPath(), {
      args: [
        "run",
        "-A",
        "--no-lock",
        fileURLToPath(new URL("./tfjs_core/run_suite.ts", import.meta.url)),
        bundle,
        resultFile,
      ],
      stdout: "null",
      stderr: "piped",
    }).output();
    assert.equal(code, 0, new TextDecoder().decode(stderr));
    const { passed, failed, skipped }: SuiteResult = JSON.parse(await Deno.readTextFile(resultFile));
    assert.deepEqual(failed.filter(({ name }) => !(name in EXCEPTIONS)), []);
    const failedNames = new Set(failed.map(({ name }) => name));
    assert.deepEqual(
      Object.keys(EXCEPTIONS).filter((name) => !failedNames.has(name)),
      [],
      "listed as exceptions, but pass",
    );
    assert.deepEqual(skipped, LEFT_OUT_BY_THE_SUITE);
    // It has 4,225: fewer would mean that the bundle lost some.
    assert.ok(passed.length >= 4200, `only ${passed.length} ran`);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
