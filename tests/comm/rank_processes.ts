import assert from "node:assert/strict";
import { StoreServer } from "../../runtime/comm/store_server.ts";

/** Runs a rank in each of so many processes; returns what they printed. */
export async function inProcesses(
  worldSize: number,
  task: {
    scene?: string;
    options?: object;
    engine?: "tensorflow";
    machines?: string[];
    env?: Record<string, string>;
    takenPorts?: number;
  },
): Promise<Record<string, unknown>[]> {
  await using server = await StoreServer.listen();
  const worker = new URL("./process_group_worker.ts", import.meta.url).pathname;
  const runs = Array.from({ length: worldSize }, async (_, rank) => {
    const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", "--no-check", worker, ...[server.port, rank, worldSize].map(String), JSON.stringify(task)],
      env: task.env,
    }).output();
    assert.equal(code, 0, `rank ${rank}: ${new TextDecoder().decode(stderr)}`);
    return JSON.parse(new TextDecoder().decode(stdout));
  });
  return await Promise.all(runs);
}
