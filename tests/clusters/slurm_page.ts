import assert from "node:assert/strict";
import { useProjectPackages } from "../project_packages.ts";
import type { Slurm } from "./slurm.ts";

/** The batch scripts of docs/slurm.md: for one node, and for several. */
export async function batchScripts(): Promise<string[]> {
  const page = await Deno.readTextFile(new URL("../../docs/slurm.md", import.meta.url));
  return Array.from(page.matchAll(/```bash\n(#!\/bin\/bash\n[^]*?)```/g), ([, script]) => script);
}

/** Runs one of them as it is written, in a folder that all nodes see, with ranks that meet. Returns what they wrote. @throws AssertionError with that if the job fails */
export async function runBatchScript(slurm: Slurm, script: string, cwd: string): Promise<string> {
  await useProjectPackages(cwd);
  await Deno.writeTextFile(`${cwd}/job.sh`, script);
  await Deno.writeTextFile(
    `${cwd}/train.ts`,
    `import ${JSON.stringify(new URL("scripts/meet.ts", import.meta.url))};`,
  );
  // Nodes of tests have two processors.
  const { code, stderr } = await slurm.batch(["--cpus-per-task=1", "--output=out", "job.sh"], { cwd });
  const written = await Deno.readTextFile(`${cwd}/out`);
  assert.equal(code, 0, stderr + written);
  return written;
}
