/**
 * One rank in a process of its own. Arguments: port of the store, rank, world size, a JSON with what to do; it prints one JSON
 * line: what it did, or the error that ended it.
 */
import { startReduceEngine } from "../../runtime/accelerators/tensorflow/reduce_engine.ts";
import { startTensorflow } from "../../runtime/accelerators/tensorflow/start.ts";
import { connectStore } from "../../runtime/comm/connect_store.ts";
import { openInbox } from "../../runtime/comm/inbox.ts";
import { type JoinOptions, joinProcessGroup } from "../../runtime/comm/join_process_group.ts";
import { meetRanks } from "../../runtime/comm/meet_ranks.ts";
import { posixSharedMemory } from "../../runtime/comm/posix_shared_memory.ts";
import type { ProcessGroup } from "../../runtime/comm/process_group.ts";
import type { StartReduceEngine } from "../../runtime/comm/reduce_engine.ts";
import { CASES } from "./process_group_suite.ts";
import { SCENES } from "./process_group_scenes.ts";

const [port, rank, worldSize] = Deno.args.map(Number);
const task = JSON.parse(Deno.args[3]) as {
  scene?: string;
  options?: object;
  engine?: "tensorflow";
  machines?: string[];
  /** So often rank 1 chooses a port for TensorFlow that somebody listens on. */
  takenPorts?: number;
};
const results: Record<string, unknown> = {}, listeners: Deno.Listener[] = [];
try {
  const engine = task.engine && await tensorflowEngine();
  await using store = await connectStore({ port, timeoutMs: 30_000 });
  const options = { store, rank, worldSize, timeoutMs: 30_000, engine, ...task.options };
  await using group = await (task.machines ? joinAs(task.machines[rank], options) : joinProcessGroup(options));
  if (task.scene) results[task.scene] = await SCENES[task.scene](group);
  else for (const [name, body] of Object.entries(CASES)) results[name] = (await body(group)) ?? "done";
} catch (error) {
  const { name, message, stack } = error as Error;
  results.error = { name, message, stack, facts: (error as { facts?: unknown }).facts };
}
for (const listener of listeners) listener.close();
console.log(JSON.stringify({ ...results, ...(task.takenPorts && { taken: listeners.length }) }));

/** As if this were another host than those of ranks with another name. */
async function joinAs(machine: string, options: JoinOptions): Promise<ProcessGroup> {
  const sharedMemory = Deno.build.os === "linux" ? posixSharedMemory : undefined;
  return await meetRanks({ ...options, machine, sharedMemory, inbox: await openInbox({ host: "127.0.0.1" }) });
}

async function tensorflowEngine(): Promise<StartReduceEngine> {
  const { binding, config } = await startTensorflow("cpu", { localWorldSize: worldSize });
  let taken = rank === 1 ? task.takenPorts ?? 0 : 0;
  const choosePort = () => {
    const listener = Deno.listen({ hostname: "0.0.0.0", port: 0 }), { port } = listener.addr as Deno.NetAddr;
    if (taken-- > 0) listeners.push(listener);
    else listener.close();
    return port;
  };
  return (group) => startReduceEngine({ library: binding.library, config }, group, { choosePort });
}
