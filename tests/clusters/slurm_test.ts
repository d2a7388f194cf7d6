import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { valueOf } from "../examples/run_example.ts";
import { inTemporaryFolder } from "../temporary_folder.ts";
import { noSlurm, Slurm } from "./slurm.ts";
import { batchScripts, runBatchScript } from "./slurm_page.ts";
import { preempt } from "./preempt.ts";

const reason = noSlurm();
if (reason) console.log(`skipped: ranks started by Slurm, because ${reason}`);

const path = (relative: string) => fileURLToPath(new URL(relative, import.meta.url));
const deno = [Deno.execPath(), "run", "-A"];

Deno.test({
  name: "ranks started by Slurm",
  ignore: reason !== undefined,
  fn: async (t) => {
    await using slurm = await Slurm.start();
    await t.step("two tasks of srun train on MNIST together", () =>
      inTemporaryFolder(async (cwd) => {
        const command = [...deno, path("../../examples/mnist.ts"), "--epochs", "1"];
        const { code, stdout, stderr } = await slurm.run("srun", ["--ntasks-per-node=2", ...command], { cwd });
        assert.equal(code, 0, stdout + stderr);
        assert.match(stderr, /Distributed: 2 ranks on 1 host/);
        const lines = stdout.trim().split("\n");
        assert.equal(lines.filter((line) => line.startsWith("val_acc=")).length, 1, stdout);
        assert(valueOf(lines, "val_acc") > 0.93, stdout);
        assert((await Deno.stat(`${cwd}/checkpoints/mnist.safetensors`)).isFile);
      }));

    await t.step(
      "a batch script's srun starts ranks; what it runs without srun is alone",
      () =>
        inTemporaryFolder(async (cwd) => {
          const run = `${deno.join(" ")} '${path("scripts/meet.ts")}'`;
          await Deno.writeTextFile(
            `${cwd}/job.sh`,
            `#!/bin/bash\n#SBATCH --nodes=1 --ntasks-per-node=2\n${run}\nsrun --kill-on-bad-exit=1 ${run}\n`,
          );
          const { code, stderr } = await slurm.batch(["--output=out", "job.sh"], { cwd });
          const written = await Deno.readTextFile(`${cwd}/out`);
          assert.equal(code, 0, stderr + written);
          assert.deepEqual(written.split("\n").filter((line) => line.startsWith("met ")).sort(), [
            "met rank=0 local=0 world=1 sum=1",
            "met rank=0 local=0 world=2 sum=3",
            "met rank=1 local=1 world=2 sum=3",
          ]);
        }),
    );

    await t.step("the batch script of docs/slurm.md runs as it is written", () =>
      inTemporaryFolder(async (cwd) => {
        const [script] = await batchScripts();
        const written = await runBatchScript(slurm, script, cwd);
        assert.equal(written.match(/^met rank=\d local=\d world=2 sum=3$/gm)?.length, 2, written);
      }));

    await t.step(
      "a preempted job saves, is put into the queue again, and goes on to the same weights",
      () =>
        inTemporaryFolder(async (cwd) => {
          await preempt(slurm, { cwd, nodes: 1, before: "" });
        }),
    );

    await t.step("a task that throws ends the step with its error", () =>
      inTemporaryFolder(async (cwd) => {
        const args = ["--ntasks=2", "--kill-on-bad-exit=1", ...deno, path("scripts/meet.ts"), "--fail", "1"];
        const { code, stdout, stderr } = await slurm.run("srun", args, { cwd });
        assert.notEqual(code, 0);
        assert.match(stderr, /this rank fails on purpose/);
        assert.doesNotMatch(stdout, /met/);
      }));
  },
});
