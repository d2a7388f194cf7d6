/**
 * Puts the Slurm job of this process into the queue again.
 * @returns one line that says what came of it
 */
export async function requeueJob(job: string): Promise<string> {
  try {
    const { success, stderr } = await new Deno.Command("scontrol", { args: ["requeue", job], stdout: "null" }).output();
    if (success) return `weft: Slurm will start job ${job} again`;
    return `weft: Slurm does not start job ${job} again: ${new TextDecoder().decode(stderr).trim()}`;
  } catch (error) {
    return `weft: Slurm does not start job ${job} again: ${(error as Error).message}`;
  }
}
