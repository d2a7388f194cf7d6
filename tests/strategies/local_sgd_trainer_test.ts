import assert from "node:assert/strict";
import { readCheckpoint } from "../../mod.ts";
import { tensorflowTest } from "../accelerators/tensorflow/only_with_tensorflow.ts";
import { inTemporaryFolder } from "../temporary_folder.ts";

async function fit(
  what: string,
  accelerator: string,
  folder: string,
): Promise<{ code: number; out: string; err: string }> {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [
      ...["run", "-A", "launcher/main.ts", "--devices", "2", "tests/strategies/scripts/fit_local.ts"],
      ...[what, accelerator, folder],
    ],
    cwd: new URL("../../", import.meta.url),
    env: { NO_COLOR: "1" },
  }).output();
  return { code, out: new TextDecoder().decode(stdout), err: new TextDecoder().decode(stderr) };
}

async function assertFits(accelerator: string): Promise<void> {
  await inTemporaryFolder(async (folder) => {
    const { code, out, err } = await fit("whole", accelerator, folder);
    assert.equal(code, 0, err);
    const seen: Record<string, boolean[]> = JSON.parse(out.match(/RESULT (.*)$/m)![1]);
    assert.deepEqual(seen.validation, [true, true, true, true]);
    assert.deepEqual(seen.epoch, [true, true]);
    // Eight steps an epoch, validated after the fourth and the eighth, saved after the sixth. Three steps after each of these is an average.
    assert.equal(seen.batch.map((same) => same ? "=" : "d").join(""), "dd=ddddd" + "dd=ddd=d");
    const resumed = await fit("resumed", accelerator, folder);
    assert.equal(resumed.code, 0, resumed.err);
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
    const { code, err } = await fit("stream", "wasm", folder);
    assert.equal(code, 1);
    assert.match(
      err,
      /with local SGD every rank must know how many batches an epoch has.*`length`.*`limitTrainBatches`/s,
    );
  }));
