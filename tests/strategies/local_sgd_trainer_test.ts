import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { readCheckpoint } from "../../mod.ts";
import { tensorflowTest } from "../accelerators/tensorflow/only_with_tensorflow.ts";
import { runLauncher } from "../launcher/run_launcher.ts";
import { inTemporaryFolder } from "../temporary_folder.ts";

const SCRIPT = fileURLToPath(new URL("scripts/fit_local.ts", import.meta.url));

function fit(...how: [what: string, accelerator: string, folder: string]) {
  return runLauncher(["--devices", "2", SCRIPT, ...how]);
}

async function assertFits(accelerator: string): Promise<void> {
  await inTemporaryFolder(async (folder) => {
    const { code, stdout: out, stderr: err } = await fit("whole", accelerator, folder);
    assert.equal(code, 0, err);
    const seen: Record<string, boolean[]> = JSON.parse(out.match(/RESULT (.*)$/m)![1]);
    assert.deepEqual(seen.validation, [true, true, true, true]);
    assert.deepEqual(seen.epoch, [true, true]);
    // Eight steps an epoch, validated after the fourth and the eighth, saved after the sixth. Three steps after each of these is an average.
    assert.equal(seen.batch.map((same) => same ? "=" : "d").join(""), "dd=ddddd" + "dd=ddd=d");
    const resumed = await fit("resumed", accelerator, folder);
    assert.equal(resumed.code, 0, resumed.stderr);
    const [a, b] = [await readCheckpoint(`${folder}/whole`), await readCheckpoint(`${folder}/resumed`)];
    assert.deepEqual(b.stateDict, a.stateDict);
    assert.deepEqual(b.optimizerStates, a.optimizerStates);
  });
}

Deno.test("the Trainer averages before it validates, saves and ends an epoch, and a resumed fit ends with the same weights", () =>
  assertFits("wasm"));

tensorflowTest("the same with compiled steps", () => assertFits("cpu"));

Deno.test("training data that does not say its length is refused, with what to do", () =>
  inTemporaryFolder(async (folder) => {
    const { code, stderr: err } = await fit("stream", "wasm", folder);
    assert.equal(code, 1);
    assert.match(
      err,
      /with local SGD every rank must know how many batches an epoch has.*`length`.*`limitTrainBatches`/s,
    );
  }));
