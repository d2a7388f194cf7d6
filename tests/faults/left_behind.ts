import { readCheckpoint } from "../../runtime/checkpoint/read_checkpoint.ts";

/** What is wrong about what a run left in its folder, and of its processes. @param patienceMs how long those may take to end */
export async function leftBehind(folder: string, patienceMs: number): Promise<string[]> {
  const problems: string[] = [];
  const left = await processesOf(folder, patienceMs);
  if (left.length > 0) problems.push(`processes are left: ${left.join(", ")}`);
  const files = [...Deno.readDirSync(`${folder}/tmp`)].map(({ name }) => name);
  if (files.length > 0) problems.push(`files are left: ${files.join(", ")}`);
  for (const { name } of Deno.readDirSync(`${folder}/checkpoints`)) {
    if (!name.endsWith(".ckpt")) continue;
    await readCheckpoint(`${folder}/checkpoints/${name}`).catch((error) => problems.push(`${name}: ${error.message}`));
  }
  return problems;
}

/** The processes of a run that live. */
async function processesOf(folder: string, patienceMs: number): Promise<string[]> {
  const end = performance.now() + patienceMs;
  for (;;) {
    const found: string[] = [];
    for (const { name } of Deno.readDirSync("/proc")) {
      if (!/^\d+$/.test(name)) continue;
      try {
        const environment = await Deno.readTextFile(`/proc/${name}/environ`);
        const command = await Deno.readTextFile(`/proc/${name}/cmdline`);
        if (environment.includes(`WEFT_FAULT=${folder}`)) {
          found.push(`${name} ${command.replaceAll("\0", " ").slice(0, 60)}`);
        }
      } catch {
        // Ended, or not ours.
      }
    }
    if (found.length === 0 || performance.now() >= end) return found;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
