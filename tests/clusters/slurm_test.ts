import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { valueOf } from "../examples/run_example.ts";
import { inTemporaryFolder } from "../temporary_folder.ts";
import { missingPrograms, runProgram } from "./programs.ts";
import { Slurm, SLURM_PROGRAMS } from "./slurm.ts";

const missing = missingPrograms(SLURM_PROGRAMS);
const reason = Deno.build.os !== "linux"
  ? "this is not Linux"
  : missing.length > 0
  ? `there is no ${missing.join(", ")} here (Debian: slurm-wlm, munge)`
  : Deno.uid() !== 0
  ? "its daemons need root"
  : undefined;
if (reason) console.log(`skipped: ranks started by Slurm, because ${reason}`);

const path = (relative: string) => fileURLToPath(new URL(relative, import.meta.url));
const deno = [Deno.execPath(), "run", "-A"];

Deno.test({
  name: "ranks started by Slurm",
  ignore: reason !== undefined,
  fn: async (t) => {
    await using slurm = await Slurm.start();
    const { env } = slurm;

    await t.step("two tasks of srun train on MNIST together", () =>
      inTemporaryFolder(async (cwd) => {
        const command = [...deno, path("../../examples/mnist.ts"), "--epochs", "1"];
        const { code, stdout, stderr } = await runProgram("srun", ["--ntasks-per-node=2", ...command], { cwd, env });
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
          const { code, stderr } = await runProgram("sbatch", ["--wait", "--output=out", "job.sh"], { cwd, env });
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
        const page = await Deno.readTextFile(new URL("../../docs/slurm.md", import.meta.url));
        await Deno.writeTextFile(`${cwd}/job.sh`, /```bash\n(#!\/bin\/bash\n[^]*?)```/.exec(page)![1]);
        await Deno.writeTextFile(
          `${cwd}/train.ts`,
          `import ${JSON.stringify(new URL("scripts/meet.ts", import.meta.url))};`,
        );
        // This cluster has two processors.
        const args = ["--wait", "--cpus-per-task=1", "--output=out", "job.sh"];
        const { code, stderr } = await runProgram("sbatch", args, { cwd, env });
        const written = await Deno.readTextFile(`${cwd}/out`);
        assert.equal(code, 0, stderr + written);
        assert.equal(written.match(/^met rank=\d local=\d world=2 sum=3$/gm)?.length, 2, written);
      }));

    await t.step(
      "a preempted job saves, is put into the queue again, and goes on to the same weights",
      () =>
        inTemporaryFolder(async (cwd) => {
          const program = path("../faults/scripts/train_until_told.ts");
          const whole = await runProgram("srun", ["--ntasks-per-node=2", ...deno, program, cwd], { cwd, env });
          assert.equal(whole.code, 0, whole.stderr);
          const weights = await Deno.readTextFile(`${cwd}/result`);
          await Deno.writeTextFile(
            `${cwd}/job.sh`,
            "#!/bin/bash\n#SBATCH --job-name=preempted --nodes=1 --ntasks-per-node=2 --requeue --open-mode=append\n" +
              `srun ${deno.join(" ")} '${program}' '${cwd}' hold\n`,
          );
          const job = runProgram("sbatch", ["--wait", "--output=out", "job.sh"], { cwd, env });
          const written = async () => await Deno.readTextFile(`${cwd}/out`).catch(() => "");
          await until(async () => (await written()).includes("training"));
          await runProgram("scancel", ["--name=preempted", "--signal=USR2"], { env });
          await until(async () => (await written()).includes("DUE TO JOB REQUEUE"));
          const listed = await runProgram("squeue", ["--noheader", "--name=preempted", "--format=%i"], { env });
          // Slurm would wait two minutes before it starts a job again.
          const now = ["update", `JobId=${listed.stdout.trim()}`, "StartTime=now"];
          await until(async () => {
            await runProgram("scontrol", now, { env });
            return (await written()).includes("Restored all states");
          });
          const { code, stderr } = await job;
          assert.equal(code, 0, stderr + await written());
          assert.match(await written(), /weft: Slurm will start job \d+ again/);
          assert.equal(await Deno.readTextFile(`${cwd}/outcome`), "finished 24");
          assert.equal(await Deno.readTextFile(`${cwd}/result`), weights);
        }),
    );

    await t.step("a task that throws ends the step with its error", () =>
      inTemporaryFolder(async (cwd) => {
        const args = ["--ntasks=2", "--kill-on-bad-exit=1", ...deno, path("scripts/meet.ts"), "--fail", "1"];
        const { code, stdout, stderr } = await runProgram("srun", args, { cwd, env });
        assert.notEqual(code, 0);
        assert.match(stderr, /this rank fails on purpose/);
        assert.doesNotMatch(stdout, /met/);
      }));
  },
});

/** Resolves when it is so. Slurm tells nobody: it has to be asked. */
async function until(isSo: () => Promise<boolean>): Promise<void> {
  while (!await isSo()) await new Promise((resolve) => setTimeout(resolve, 200));
}
