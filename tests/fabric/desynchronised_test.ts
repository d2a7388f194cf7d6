import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { tensorflowTest } from "../accelerators/tensorflow/only_with_tensorflow.ts";
import { runLauncher } from "../launcher/run_launcher.ts";
import { inTemporaryFolder } from "../temporary_folder.ts";

const SCRIPT = new URL("./scripts/desynchronised.ts", import.meta.url);
const FIT = new URL("./scripts/desynchronised_fit.ts", import.meta.url);

/** The place, as file:line, of the only line of a script that holds `text`. */
async function lineOf(script: URL, text: string): Promise<string> {
  const lines = (await Deno.readTextFile(script)).split("\n");
  const found = lines.flatMap((line, index) => line.includes(text) ? [index + 1] : []);
  assert.equal(found.length, 1, `${text} stands on ${found.length} lines of ${script}`);
  return `${script.href}:${found[0]}`;
}

/** What the launcher tells of the first failure, which must be that the ranks disagree. */
async function failureOf(script: URL, args: string[]): Promise<string> {
  const { code, stderr } = await inTemporaryFolder((cwd) =>
    runLauncher(["--devices", "2", fileURLToPath(script), ...args], { cwd })
  );
  assert.equal(code, 1, stderr);
  const told = /^weft: rank \d failed .*first to fail\n(( .*\n)+)/m.exec(stderr)?.[1] ?? "";
  assert.ok(told.includes("CollectiveMismatchError: ranks disagree about collective"), stderr);
  return told;
}

function assertTold(told: string, rank: number, what: string, place: string): void {
  const line = told.split("\n").find((line) => line.startsWith(`    rank ${rank}: `));
  assert.ok(line?.startsWith(`    rank ${rank}: ${what} at ${place}:`), `${line}\nis not: ${what} at ${place}`);
}

/** By their names in the script: what rank 0 and rank 1 call, as the launcher has to tell it. */
const PAIRS: readonly (readonly [string, string, string, string])[] = [
  ["number", "allReduce (mean) of 1 float64", "barrier", "barrier"],
  ["broadcast", "broadcastObject (root 0)", "number", "allReduce (mean) of 1 float64"],
  ["two", "allReduce (mean) of 2 float32", "three", "allReduce (mean) of 3 float32"],
  ["sum", "allReduce (sum) of 3 float32", "three", "allReduce (mean) of 3 float32"],
  ["other", "broadcastObject (root 1)", "broadcast", "broadcastObject (root 0)"],
  ["nested", "allReduce (mean) of 1 float64", "objects", "allGatherObjects"],
  ["backward", "allReduce (mean) of 25 float32", "barrier", "barrier"],
  ["gather", "allGatherObjects", "closure", "allReduce (mean) of 25 float32"],
  ["step", "allGather of 12 float32", "barrier", "barrier"],
  ["save", "broadcastObject (root 0)", "first", "allGatherObjects"],
  ["setup", "broadcastObject (root 0)", "two", "allReduce (mean) of 2 float32"],
];

for (const [zero, called, one, other] of PAIRS) {
  Deno.test(`when rank 0 calls ${zero} and rank 1 ${one}, the launcher tells both lines of the script`, async () => {
    const told = await failureOf(SCRIPT, [zero, one]);
    assertTold(told, 0, called, await lineOf(SCRIPT, `  ${zero}: `));
    assertTold(told, 1, other, await lineOf(SCRIPT, `  ${one}: `));
  });
}

Deno.test("when a rank meets the others within a joined loop, the launcher tells its line and that of their loop", async () => {
  const told = await failureOf(SCRIPT, ["whole", "broken"]);
  assertTold(told, 0, "allGatherObjects", await lineOf(SCRIPT, "for await (const _ of batches)"));
  assertTold(told, 1, "barrier", await lineOf(SCRIPT, "for await (const _ of fabric.join("));
});

for (const accelerator of ["wasm", "cpu"]) {
  const test = accelerator === "cpu" ? tensorflowTest : Deno.test;
  test(`when a hook calls a collective on one rank, the launcher tells its line and that of the others' fit, on ${accelerator}`, async () => {
    const told = await failureOf(FIT, [accelerator]);
    assertTold(told, 0, "allReduce (mean) of 12 float32", await lineOf(FIT, "await trainer.fit("));
    assertTold(told, 1, "barrier", await lineOf(FIT, "fabric.barrier()"));
    assert.match(told, /at step 3, in \w+/);
  });
}
