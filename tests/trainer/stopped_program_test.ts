import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { runLauncher } from "../launcher/run_launcher.ts";
import { inTemporaryFolder } from "../temporary_folder.ts";

const SCRIPT = fileURLToPath(new URL("scripts/fit_twice.ts", import.meta.url));

async function run(...args: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  const { code, stdout, stderr } = await inTemporaryFolder((folder) =>
    new Deno.Command(Deno.execPath(), { args: ["run", "-A", SCRIPT, folder, ...args], env: { NO_COLOR: "1" } }).output()
  );
  return { code, stdout: new TextDecoder().decode(stdout), stderr: new TextDecoder().decode(stderr) };
}

for (const [checkpoints, code] of [["on", 75], ["off", 130]] as const) {
  Deno.test(`after an interrupted fit no other one begins: the program ends with ${code} where checkpoints are ${checkpoints}`, async () => {
    const ended = await run(checkpoints);
    assert.equal(ended.stdout, "first interrupted\n");
    assert.equal(ended.code, code, ended.stderr);
    assert.match(
      ended.stderr,
      /^SIGINT told the program to stop during an earlier `fit`, so that no other one begins$/m,
    );
    assert.doesNotMatch(ended.stderr, /error|at file:/);
  });
}

Deno.test("a program may catch that no other fit begins, and end in its own way", async () => {
  const { code, stdout, stderr } = await run("off", "catch");
  assert.equal(stdout, "first interrupted\ncaught SIGINT\nthe end\n", stderr);
  assert.equal(code, 130);
});

Deno.test("if one of two ranks is told to stop, neither begins another fit, and the launcher says that it can be resumed", async () => {
  const { code, stdout, stderr } = await inTemporaryFolder((folder) =>
    runLauncher(["--devices", "2", SCRIPT, folder, "on"])
  );
  assert.deepEqual(
    stdout.trim().split("\n").sort(),
    ["[rank 0] first interrupted", "[rank 1] first interrupted"],
    stderr,
  );
  assert.equal(code, 75, stderr);
  assert.match(stderr, /^weft: stopped; the ranks saved a checkpoint, so that the run can go on from there$/m);
  assert.doesNotMatch(stderr, /first to fail/);
});
