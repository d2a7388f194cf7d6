import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import type { Slurm } from "./slurm.ts";

/** Options of {@linkcode preempt}. */
export interface PreemptOptions {
  /** A folder that all nodes see. */
  cwd: string;
  nodes: number;
  /** Lines of the batch script before its `srun`. */
  before: string;
  /** Variables for a `srun` without a batch script. Default: none. */
  env?: Record<string, string>;
}

/** Lets Slurm preempt a job with two tasks on each node, and start it again, which has to end with the weights of a job that nobody disturbs. */
export async function preempt(slurm: Slurm, { cwd, nodes, before, env }: PreemptOptions): Promise<void> {
  const program = fileURLToPath(new URL("../faults/scripts/train_until_told.ts", import.meta.url));
  const deno = [Deno.execPath(), "run", "-A"], tasks = [`--nodes=${nodes}`, "--ntasks-per-node=2"];
  const whole = await slurm.run("srun", [...tasks, ...deno, program, cwd], { cwd, env });
  assert.equal(whole.code, 0, whole.stderr);
  const weights = await Deno.readTextFile(`${cwd}/result`);
  await Deno.writeTextFile(
    `${cwd}/job.sh`,
    `#!/bin/bash\n#SBATCH --job-name=preempted ${tasks.join(" ")} --requeue --open-mode=append\n${before}` +
      `srun ${deno.join(" ")} '${program}' '${cwd}' hold\n`,
  );
  const job = slurm.batch(["--output=out", "job.sh"], { cwd });
  const written = async () => await Deno.readTextFile(`${cwd}/out`).catch(() => "");
  await until(async () => (await written()).includes("training"));
  await slurm.run("scancel", ["--name=preempted", "--signal=USR2"]);
  await until(async () => (await written()).includes("DUE TO JOB REQUEUE"));
  const listed = await slurm.run("squeue", ["--noheader", "--name=preempted", "--format=%i"]);
  // Slurm would wait two minutes before it starts a job again.
  const now = ["update", `JobId=${listed.stdout.trim()}`, "StartTime=now"];
  await until(async () => {
    await slurm.run("scontrol", now);
    return (await written()).includes("Restored all states");
  });
  const { code, stderr } = await job;
  assert.equal(code, 0, stderr + await written());
  assert.match(await written(), /weft: Slurm will start job \d+ again/);
  assert.equal(await Deno.readTextFile(`${cwd}/outcome`), "finished 24");
  assert.equal(await Deno.readTextFile(`${cwd}/result`), weights);
}

/** Resolves when it is so. Slurm tells nobody: it has to be asked. */
async function until(isSo: () => Promise<boolean>): Promise<void> {
  while (!await isSo()) await new Promise((resolve) => setTimeout(resolve, 200));
}
