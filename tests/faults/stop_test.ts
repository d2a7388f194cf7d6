import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { startLauncher } from "../launcher/run_launcher.ts";
import { inTemporaryFolder } from "../temporary_folder.ts";

const SCRIPT = fileURLToPath(new URL("scripts/train_until_told.ts", import.meta.url));

/** Trains to the end in one go, or from where it was stopped, and gives the weights. */
async function train(folder: string, how: string[], options: { env?: Record<string, string>; cwd?: string } = {}) {
  await using launcher = startLauncher(["--devices", "2", SCRIPT, folder, ...how], options);
  const { code, stderr } = await launcher.end();
  assert.equal(code, 0, stderr);
  assert.equal(await Deno.readTextFile(`${folder}/outcome`), "finished 24");
  return { result: await Deno.readTextFile(`${folder}/result`), stderr };
}

const undisturbed = (() => {
  let result: Promise<string> | undefined;
  return () =>
    result ??= (async () => {
      let weights = "";
      await inTemporaryFolder(async (folder) => void (weights = (await train(folder, [])).result));
      return weights;
    })();
})();

for (const signal of ["SIGINT", "SIGTERM", "SIGUSR2"] as const) {
  Deno.test(`${signal} to the launcher: all ranks save at one step and exit with 75, and the run goes on to the same weights`, () =>
    inTemporaryFolder(async (folder) => {
      await using launcher = startLauncher(["--devices", "2", SCRIPT, folder, "hold"]);
      await launcher.until(/training/);
      launcher.kill(signal);
      const { code, stderr } = await launcher.end();
      assert.equal(code, 75, stderr);
      assert.match(stderr, new RegExp(`^weft: stopped by ${signal}; the ranks saved a checkpoint`, "m"));
      assert.match(await Deno.readTextFile(`${folder}/outcome`), /^interrupted [67]$/);
      assert.equal((await train(folder, ["last"])).result, await undisturbed());
    }));
}

Deno.test("--max-time stops a run as a signal does", () =>
  inTemporaryFolder(async (folder) => {
    await using launcher = startLauncher(["--devices", "2", "--max-time", "0:02", SCRIPT, folder, "hold"]);
    const { code, stderr } = await launcher.end();
    // On a machine that needs longer to get to the first step there is nothing to save yet.
    assert.match(stderr, /^weft: stopped because the time is over/m);
    assert([75, 124].includes(code), `${code}: ${stderr}`);
  }));

Deno.test("a second signal does not wait for the checkpoint", () =>
  inTemporaryFolder(async (folder) => {
    // One rank never comes to the step at which all save.
    await using launcher = startLauncher(["--devices", "2", "--grace", "600", SCRIPT, folder, "hold", "deaf"]);
    await launcher.until(/training/);
    launcher.kill("SIGINT");
    await launcher.until(/once more to kill them/);
    launcher.kill("SIGINT");
    const { code, stderr } = await launcher.end();
    assert.equal(code, 130, stderr);
    assert.match(stderr, /by SIGKILL/);
  }));

Deno.test("a preempted Slurm job is put into the queue again, and goes on where it was by itself", () =>
  inTemporaryFolder(async (folder) => {
    // Only the launcher looks at the job; a real Slurm is asked in tests/clusters.
    await Deno.writeTextFile(`${folder}/scontrol`, `#!/bin/sh\necho "$@" > ${folder}/asked\n`, { mode: 0o755 });
    const env = { SLURM_JOB_ID: "4711", PATH: `${folder}:${Deno.env.get("PATH")}` };
    await using launcher = startLauncher(["--devices", "2", SCRIPT, folder, "hold"], { env, cwd: folder });
    await launcher.until(/training/);
    launcher.kill("SIGUSR1");
    const { code, stderr } = await launcher.end();
    assert.equal(code, 75, stderr);
    assert.match(stderr, /^weft: Slurm will start job 4711 again$/m);
    assert.equal(await Deno.readTextFile(`${folder}/asked`), "requeue 4711\n");
    const again = await train(folder, ["hold"], { env: { ...env, SLURM_RESTART_COUNT: "1" }, cwd: folder });
    assert.match(again.stderr, /Restoring states from the checkpoint path at .*interrupted\.ckpt/);
    assert.equal(again.result, await undisturbed());
  }));
