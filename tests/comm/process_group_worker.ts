/**
 * One rank in a process of its own. Arguments: port of the store, rank, world size, a JSON with what to do; it prints one JSON
 * line: what it did, or the error that ended it.
 */
import { startReduceEngine } from "../../runtime/accelerators/tensorflow/reduce_engine.ts";
import { startTensorflow } from "../../runtime/accelerators/tensorflow/start.ts";
import { connectStore } from "../../runtime/comm/connect_store.ts";
import { joinProcessGroup } from "../../runtime/comm/join_process_group.ts";
import type { StartReduceEngine } from "../../runtime/comm/reduce_engine.ts";
import { CASES } from "./process_group_suite.ts";
import { SCENES } from "./process_group_scenes.ts";

const [port, rank, worldSize] = Deno.args.map(Number);
const task = JSON.parse(Deno.args[3]) as { scene?: string; options?: object; engine?: "tensorflow" };
const results: Record<string, unknown> = {};
try {
  const engine = task.engine && await tensorflowEngine();
  await using store = await connectStore({ port, timeoutMs: 30_000 });
  await using group = await joinProcessGroup({ store, rank, worldSize, timeoutMs: 30_000, engine, ...task.options });
  if (task.scene) results[task.scene] = await SCENES[task.scene](group);
  else for (const [name, body] of Object.entries(CASES)) results[name] = (await body(group)) ?? "done";
} catch (error) {
  const { name, message, stack } = error as Error;
  results.error = { name, message, stack, facts: (error as { facts?: unknown }).facts };
}
console.log(JSON.stringify(results));

async function tensorflowEngine(): Promise<StartReduceEngine> {
  const { binding, config } = await startTensorflow("cpu", { localWorldSize: worldSize });
  return (group) => startReduceEngine({ library: binding.library, config }, group);
}
