import assert from "node:assert/strict";
import { readCheckpoint } from "../../../runtime/checkpoint/read_checkpoint.ts";
import { Folder } from "./line.ts";

const root = new URL("../../../", import.meta.url);

async function onTwoRanks(scene: string, folder: string): Promise<{ code: number; out: string; err: string }> {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "-A",
      "launcher/main.ts",
      "--devices",
      "2",
      "tests/trainer/callbacks/scripts/rank_callbacks.ts",
      folder,
      scene,
    ],
    cwd: root,
    env: { NO_COLOR: "1" },
  }).output();
  return { code, out: new TextDecoder().decode(stdout), err: new TextDecoder().decode(stderr) };
}

async function isFineOnBoth(scene: string, folder: string): Promise<void> {
  const { code, out, err } = await onTwoRanks(scene, folder);
  assert.equal(code, 0, err);
  for (const rank of [0, 1]) assert.match(out, new RegExp(`\\[rank ${rank}\\] ${scene} is fine`));
}

Deno.test("two ranks keep the checkpoints that rank 0's metric says", async () => {
  using folder = new Folder();
  await isFineOnBoth("checkpoint", folder.path);
  assert.deepEqual(folder.files(), ["epoch=1-own=0.25.ckpt", "last.ckpt"]);
});

Deno.test("if one rank's metric does not improve, both stop in the same epoch", async () => {
  using folder = new Folder();
  await isFineOnBoth("stop", folder.path);
});

Deno.test("a resumed run stops in the epoch in which the rank whose metric does not improve would have stopped it", async () => {
  using folder = new Folder();
  for (const scene of ["undisturbed", "resumed"]) await isFineOnBoth(scene, folder.path);
});

Deno.test("checkpoints by time come at the same steps on both ranks", async () => {
  using folder = new Folder();
  await isFineOnBoth("time", folder.path);
  assert.deepEqual(folder.files(), ["epoch=0-step=3.ckpt", "epoch=0-step=6.ckpt"]);
});

Deno.test("a timer on one rank stops both at the same step", async () => {
  using folder = new Folder();
  await isFineOnBoth("timer", folder.path);
});

Deno.test("rank 0 saves without the others when it fails, and its error is the one reported", async () => {
  using folder = new Folder();
  const { code, err } = await onTwoRanks("fail", folder.path);
  assert.notEqual(code, 0);
  assert.match(err, /rank 0 failed.*rank 0 has had enough/s);
  assert.deepEqual(folder.files(), ["epoch=0-step=2.ckpt"]);
  const { globalStep, stateDict } = await readCheckpoint(`${folder.path}/epoch=0-step=2.ckpt`);
  assert.equal(globalStep, 2);
  assert.ok(stateDict);
});
