import { runProgram } from "../clusters/programs.ts";

/** Lays a disk over a folder on which one checkpoint fits, but not two. Returns what takes it away. */
export async function smallDisk(folder: string): Promise<() => Promise<void>> {
  const run = async (command: string, ...args: string[]) => {
    const { code, stderr } = await runProgram(command, args);
    if (code !== 0) throw new Error(`${command} failed: ${stderr}`);
  };
  await run("mount", "-t", "tmpfs", "-o", "size=48k", "tmpfs", folder);
  return () => run("umount", folder);
}
