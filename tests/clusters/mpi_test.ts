import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { valueOf } from "../examples/run_example.ts";
import { inTemporaryFolder } from "../temporary_folder.ts";
import { missingPrograms, runProgram } from "./programs.ts";

async function reasonToSkip(): Promise<string | undefined> {
  if (missingPrograms(["mpirun"]).length > 0) return "there is no mpirun here (Debian: openmpi-bin)";
  const { stdout, stderr } = await runProgram("mpirun", ["--version"]);
  return /Open MPI/.test(stdout) ? undefined : `mpirun is not Open MPI's: ${(stdout || stderr).split("\n")[0]}`;
}
const reason = await reasonToSkip();
if (reason) console.log(`skipped: ranks started by Open MPI, because ${reason}`);
const ignore = reason !== undefined;

const path = (relative: string) => fileURLToPath(new URL(relative, import.meta.url));

function mpirun(ranks: number, script: string[], cwd: string) {
  const asRoot = Deno.uid() === 0 ? ["--allow-run-as-root"] : [];
  const args = [...asRoot, "--oversubscribe", "--bind-to", "none", "-n", String(ranks)];
  return runProgram("mpirun", [...args, Deno.execPath(), "run", "-A", ...script], { cwd });
}

Deno.test({ name: "two processes of mpirun train on MNIST together", ignore }, () =>
  inTemporaryFolder(async (cwd) => {
    const { code, stdout, stderr } = await mpirun(2, [path("../../examples/mnist.ts"), "--epochs", "1"], cwd);
    assert.equal(code, 0, stdout + stderr);
    assert.match(stderr, /Distributed: 2 ranks on 1 host/);
    const lines = stdout.trim().split("\n");
    assert.equal(lines.filter((line) => line.startsWith("val_acc=")).length, 1, stdout);
    assert(valueOf(lines, "val_acc") > 0.93, stdout);
    assert((await Deno.stat(`${cwd}/checkpoints/mnist.safetensors`)).isFile);
  }));

Deno.test({ name: "two runs of mpirun beside each other do not meet", ignore }, () =>
  inTemporaryFolder(async (cwd) => {
    const runs = await Promise.all([2, 3].map((ranks) => mpirun(ranks, [path("scripts/meet.ts")], cwd)));
    for (const { code, stdout, stderr } of runs) assert.equal(code, 0, stdout + stderr);
    const met = runs.map(({ stdout }) => stdout.split("\n").filter((line) => line.startsWith("met ")).sort());
    assert.deepEqual(met, [
      [0, 1].map((rank) => `met rank=${rank} local=${rank} world=2 sum=3`),
      [0, 1, 2].map((rank) => `met rank=${rank} local=${rank} world=3 sum=6`),
    ]);
  }));

Deno.test(
  { name: "a process of mpirun that throws ends the run with its error", ignore },
  () =>
    inTemporaryFolder(async (cwd) => {
      const { code, stdout, stderr } = await mpirun(2, [path("scripts/meet.ts"), "--fail", "1"], cwd);
      assert.notEqual(code, 0);
      assert.match(stderr, /this rank fails on purpose/);
      assert.doesNotMatch(stdout, /met/);
    }),
);
