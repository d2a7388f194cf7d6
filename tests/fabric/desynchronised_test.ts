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
  ["broadcast", "broadcastObject (root 0) for fabric.broadcast", "number", "allReduce (mean) of 1 float64"],
  ["two", "allReduce (mean) of 2 float32", "three", "allReduce (mean) of 3 float32"],
  ["sum", "allReduce (sum) of 3 float32", "three", "allReduce (mean) of 3 float32"],
  [
    "other",
    "broadcastObject (root 1) for fabric.broadcast",
    "broadcast",
    "broadcastObject (root 0) for fabric.broadcast",
  ],
  ["nested", "allReduce (mean) of 1 float64", "objects", "allGatherObjects"],
  ["backward", "allReduce (mean) of 25 float32 for the gradients", "barrier", "barrier"],
  ["gather", "allGatherObjects for fabric.allGather", "closure", "allReduce (mean) of 25 float32 for the gradients"],
  ["step", "sharedArray (to gather) of 12 float32 for the optimizer's step", "barrier", "barrier"],
  ["save", "broadcastObject (root 0) for fabric.save", "first", "allGatherObjects for fabric.rankZeroFirst"],
  ["setup", "broadcastObject (root 0) for fabric.setup", "two", "allReduce (mean) of 2 float32"],
  // Of one kind, for different things.
  ["save", "broadcastObject (root 0) for fabric.save", "broadcast", "broadcastObject (root 0) for fabric.broadcast"],
  ["broadcast", "broadcastObject (root 0) for fabric.broadcast", "save", "broadcastObject (root 0) for fabric.save"],
  ["first", "allGatherObjects for fabric.rankZeroFirst", "joined", "allGatherObjects for fabric.join"],
  ["gather", "allGatherObjects for fabric.allGather", "objects", "allGatherObjects"],
  ["backward", "allReduce (mean) of 25 float32 for the gradients", "many", "allReduce (mean) of 25 float32"],
  ["number", "allReduce (mean) of 1 float64", "loss", "allReduce (mean) of 1 float64 for the loss"],
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
  assertTold(told, 0, "allGatherObjects for fabric.join", await lineOf(SCRIPT, "for await (const _ of batches)"));
  assertTold(told, 1, "barrier", await lineOf(SCRIPT, "for await (const _ of fabric.join("));
});

for (const accelerator of ["wasm", "cpu"]) {
  const test = accelerator === "cpu" ? tensorflowTest : Deno.test;
  test(`when a hook calls a collective on one rank, the launcher tells its line and that of the others' fit, on ${accelerator}`, async () => {
    const told = await failureOf(FIT, [accelerator]);
    assertTold(told, 0, "allReduce (mean) of 12 float32 for the gradients", await lineOf(FIT, "await trainer.fit("));
    assertTold(told, 1, "barrier", await lineOf(FIT, "fabric.barrier()"));
    assert.match(told, /at step 3, in \w+/);
  });
}
