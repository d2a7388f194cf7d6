import type { RunKey } from "../core/run_key.ts";
import { curveKeys } from "./curve_keys.ts";
import { machineName } from "./machine_name.ts";
import { memoryTransports } from "./memory_transport.ts";
import { Lifelines } from "./lifelines.ts";
import { meetRanks } from "./meet_ranks.ts";
import { openInbox } from "./inbox.ts";
import { posixSharedMemory } from "./posix_shared_memory.ts";
import type { ProcessGroup } from "./process_group.ts";
import type { StartReduceEngine } from "./reduce_engine.ts";
import type { Store, WaitOptions } from "./store.ts";
import { TransportGroup, type TransportGroupOptions } from "./transport_group.ts";

/** Options of {@linkcode joinProcessGroup}. */
export interface JoinOptions extends
  WaitOptions,
  Omit<
    TransportGroupOptions,
    "token" | "firstSequence" | "sharedMemory" | "hosts" | "hostName" | "hostNames" | "lifelines"
  > {
  /** Where the ranks find each other. It is the caller's, and not needed any more once they did. */
  store: Store;
  /** 0 to worldSize - 1, each once. */
  rank: number;
  worldSize: number;
  /** Names the run, so that two runs that share a store do not meet. Default: `"run"`. */
  runId?: string;
  /** Names the group, for a run with several. Default: `"main"`. */
  name?: string;
  /** The address at which other hosts reach this one. Default: none, the ranks share a host. */
  host?: string;
  /** The run's: what goes by TCP is encrypted with it, and nobody else can connect. Default: none; needed with a `host`. */
  runKey?: RunKey;
  /**
   * How ranks of one host talk. `auto`: by ZeroMQ, on Linux with the data of large reductions in shared memory.
   * `zmq`: everything by ZeroMQ. `ipc` and `tcp`: the same, by socket files that only this user can open, or on loopback.
   * Default: auto. Unless it is told, ZeroMQ takes ipc, and tcp on Windows.
   */
  transport?: "auto" | "zmq" | "ipc" | "tcp";
  /**
   * Where socket files lie until all ranks are connected. Give a folder that somebody removes even if this process is killed before.
   * Default: the system's folder for temporary files; also if the name would be too long for a socket.
   */
  socketFolder?: string;
  /**
   * The ranks look after each other: one that is gone, or shows no sign of life for so many milliseconds, fails what waits meanwhile; one whose
   * process ends without having left the group leaves it then. Default: they do not, a launcher does.
   */
  heartbeatMs?: number;
  /** Starts what reduces in place of the group's own algorithms, on every rank the same. Default: there is nothing. */
  engine?: StartReduceEngine;
  /** How long a wait may hold the event loop before it moves to a thread. Default: 200 µs, which is also the most. */
  firstWaitUs?: number;
}

/**
 * Joins the group of `worldSize` ranks. Resolves when all are connected with each other.
 * Dispose of the group when training is over: it leaves no files, threads or sockets behind.
 * @throws CommTimeoutError naming the ranks that did not come within `timeoutMs` (default: 5 minutes); Error if two processes claim a rank
 */
export async function joinProcessGroup(options: JoinOptions): Promise<ProcessGroup> {
  const { rank, worldSize, signal } = options;
  if (!Number.isInteger(worldSize) || worldSize < 1) {
    throw new RangeError(`worldSize is ${worldSize}; give a whole number of ranks, 1 or more`);
  }
  if (!Number.isInteger(rank) || rank < 0 || rank >= worldSize) {
    throw new RangeError(`rank is ${rank}; with a world size of ${worldSize} it is 0 to ${worldSize - 1}`);
  }
  const { transport = "auto" } = options;
  if (!["auto", "zmq", "ipc", "tcp"].includes(transport)) {
    throw new TypeError(`transport is ${JSON.stringify(transport)}; it must be auto, zmq, ipc or tcp`);
  }
  signal?.throwIfAborted();
  if (worldSize === 1) return new TransportGroup(memoryTransports(1)[0], options);

  const machine = await machineName();
  const curve = options.runKey && await curveKeys(options.runKey);
  const { host, socketFolder: folder, firstWaitUs, heartbeatMs } = options;
  const where = { curve, host, folder, transport: transport === "ipc" || transport === "tcp" ? transport : undefined };
  const inbox = await openInbox({ ...where, firstWaitUs });
  const lifelines = heartbeatMs === undefined ? undefined : await Lifelines.open({ ...where, heartbeatMs, worldSize });
  const sharesMemory = transport === "auto" && Deno.build.os === "linux";
  return await meetRanks({
    ...options,
    inbox,
    lifelines,
    machine,
    sharedMemory: sharesMemory ? posixSharedMemory : undefined,
  });
}
