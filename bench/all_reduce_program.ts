/**
 * One rank that measures all-reduces: `all_reduce_program.ts RANK RANKS PORT SETUP`, where SETUP is the JSON of {@linkcode AllReduceSetup}. Rank 0 prints a
 * JSON line for each size. {@linkcode measureAllReduce} starts all ranks.
 */
import { startReduceEngine } from "../runtime/accelerators/tensorflow/reduce_engine.ts";
import { startTensorflow } from "../runtime/accelerators/tensorflow/start.ts";
import { connectStore } from "../runtime/comm/connect_store.ts";
import { curveKeys } from "../runtime/comm/curve_keys.ts";
import { openInbox } from "../runtime/comm/inbox.ts";
import { joinProcessGroup } from "../runtime/comm/join_process_group.ts";
import { meetRanks } from "../runtime/comm/meet_ranks.ts";
import { posixSharedMemory } from "../runtime/comm/posix_shared_memory.ts";
import type { ProcessGroup } from "../runtime/comm/process_group.ts";
import type { StartReduceEngine } from "../runtime/comm/reduce_engine.ts";
import type { Store } from "../runtime/comm/store.ts";
import { StoreServer } from "../runtime/comm/store_server.ts";
import type { TransportGroupOptions } from "../runtime/comm/transport_group.ts";
import type { ProcessGroupName } from "../runtime/core/process_group_name.ts";
import { processEnvironment } from "../runtime/environments/process_environment.ts";
import { configurationFrom } from "../runtime/tensorflow_library/configuration_from.ts";
import { configureTensorflow } from "../runtime/tensorflow_library/configure.ts";
import { RunKey } from "../runtime/core/run_key.ts";

/** What is measured. */
export interface AllReduceSetup {
  /** How many floats. */
  sizes: readonly number[];
  /** Options of the group. */
  group?: TransportGroupOptions & { transport?: "auto" | "zmq" | "ipc" | "tcp" };
  /** The host that each rank takes itself to be on, by rank: those of different hosts talk by TCP and CURVE. Default: they share one. */
  hosts?: readonly string[];
  /** Reduces arrays that lie in memory that the ranks share, where there is any. Default: false. */
  sharedArrays?: boolean;
  /** What reduces; tensorflow on one host alone. Default: zeromq. */
  processGroup?: ProcessGroupName;
  /** The run's key, where there are hosts. */
  key?: string;
}

/** The median of blocks of calls. */
export interface AllReduceTime {
  /** Floats. */
  size: number;
  ms: number;
}

/** Measures in as many processes as ranks. @throws Error with what a rank said that failed */
export async function measureAllReduce(ranks: number, setup: AllReduceSetup): Promise<AllReduceTime[]> {
  await using server = await StoreServer.listen();
  const json = JSON.stringify({ ...setup, key: setup.hosts && RunKey.random().toText() });
  const outputs = await Promise.all(Array.from({ length: ranks }, async (_, rank) => {
    const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", import.meta.url, `${rank}`, `${ranks}`, `${server.port}`, json],
    }).output();
    if (!success) throw new Error(`rank ${rank} failed:\n${new TextDecoder().decode(stderr)}`);
    return new TextDecoder().decode(stdout);
  }));
  return outputs[0].split("\n").filter((line) => line.startsWith("{")).map((line) => JSON.parse(line));
}

if (import.meta.main) {
  const [rank, worldSize, port] = Deno.args.map(Number), setup: AllReduceSetup = JSON.parse(Deno.args[3]);
  await using store = await connectStore({ port });
  await using group = await join({ store, rank, worldSize }, setup);
  for (const size of setup.sizes) {
    using array = setup.sharedArrays ? await group.sharedArray(Float32Array, size) : undefined;
    const data = (array?.data ?? new Float32Array(size)).fill(1);
    const calls = size < 1 << 17 ? 100 : size < 1 << 22 ? 10 : 3;
    // The first calls compile the loops.
    for (let i = 0; i < (size < 1 << 20 ? 300 : 5); i++) await group.allReduce(data, { op: "mean" });
    const blocks: number[] = [];
    for (let block = 0; block < 5; block++) {
      await group.barrier();
      const start = performance.now();
      for (let i = 0; i < calls; i++) await group.allReduce(data);
      blocks.push((performance.now() - start) / calls);
    }
    if (rank === 0) console.log(JSON.stringify({ size, ms: blocks.sort((a, b) => a - b)[2] }));
  }
}

async function join(
  who: { store: Store; rank: number; worldSize: number },
  { group, hosts, key, processGroup }: AllReduceSetup,
): Promise<ProcessGroup> {
  const engine = processGroup === "tensorflow" ? await tensorflowEngine(who.worldSize) : undefined;
  if (!hosts) return await joinProcessGroup({ ...who, ...group, engine });
  const curve = await curveKeys(RunKey.parse(key!));
  return await meetRanks({
    ...who,
    ...group,
    machine: hosts[who.rank],
    inbox: await openInbox({ curve, host: "127.0.0.1" }),
    sharedMemory: Deno.build.os === "linux" ? posixSharedMemory : undefined,
  });
}

async function tensorflowEngine(localWorldSize: number): Promise<StartReduceEngine> {
  configureTensorflow(configurationFrom(processEnvironment()));
  const { binding, config } = await startTensorflow("cpu", { localWorldSize });
  return (group) => startReduceEngine({ library: binding.library, config }, group);
}
