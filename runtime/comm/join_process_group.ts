import { CommTimeoutError } from "../core/errors.ts";
import { memoryTransports } from "./memory_transport.ts";
import { RENDEZVOUS_TIMEOUT_MS } from "./memory_store.ts";
import { openInbox } from "./inbox.ts";
import { posixSharedMemory } from "./posix_shared_memory.ts";
import type { ProcessGroup } from "./process_group.ts";
import type { Store, WaitOptions } from "./store.ts";
import { TransportGroup, type TransportGroupOptions } from "./transport_group.ts";
import { ZmqTransport } from "./zmq_transport.ts";

/** Options of {@linkcode joinProcessGroup}. */
export interface JoinOptions
  extends WaitOptions, Omit<TransportGroupOptions, "token" | "now" | "firstSequence" | "sharedMemory"> {
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
  /**
   * How ranks of one host talk. `auto`: by ZeroMQ, with the data of large reductions in shared memory if all ranks are on one Linux host.
   * `zmq`: everything by ZeroMQ. `ipc` and `tcp`: the same, by socket files that only this user can open, or on loopback.
   * Default: auto. Unless it is told, ZeroMQ takes ipc, and tcp on Windows.
   */
  transport?: "auto" | "zmq" | "ipc" | "tcp";
  /**
   * Where socket files lie until all ranks are connected. Give a folder that somebody removes even if this process is killed before.
   * Default: the system's folder for temporary files; also if the name would be too long for a socket.
   */
  socketFolder?: string;
  /** How long a wait may hold the event loop before it moves to a thread. Default: 200 µs, which is also the most. */
  firstWaitUs?: number;
}

/** What a rank tells the others about itself. */
interface Card {
  version: number;
  worldSize: number;
  machine: string;
  /** It would share memory with ranks of the same machine. */
  sharesMemory: boolean;
  /** Of the inbox, by what it is good for. */
  ipc?: string;
  loopback?: string;
  network?: string;
}

const VERSION = 2;

/**
 * Joins the group of `worldSize` ranks. Resolves when all are connected with each other.
 * Dispose of the group when training is over: it leaves no files, threads or sockets behind.
 * @throws CommTimeoutError naming the ranks that did not come within `timeoutMs` (default: 5 minutes); Error if two processes claim a rank
 */
export async function joinProcessGroup(options: JoinOptions): Promise<ProcessGroup> {
  const { rank, worldSize, store, signal } = options;
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

  const { timeoutMs = RENDEZVOUS_TIMEOUT_MS } = options;
  const end = performance.now() + timeoutMs;
  const prefix = `group/${options.runId ?? "run"}/${options.generation ?? 0}/${options.name ?? "main"}`;
  const inbox = await openInbox({
    transport: transport === "ipc" || transport === "tcp" ? transport : undefined,
    host: options.host,
    folder: options.socketFolder,
  });
  try {
    const token = await agreeOnToken(store, prefix);
    const sharesMemory = transport === "auto" && Deno.build.os === "linux";
    const card: Card = { version: VERSION, worldSize, machine: await machine(), sharesMemory, ...inbox.endpoints };
    await publish(store, `${prefix}/rank/${rank}`, { rank, card });
    const cards = await readCards(store, prefix, { worldSize, timeoutMs: end - performance.now(), signal });
    const endpoints = cards.map((other, r) => chooseEndpoint(r, other, { rank, card }));
    const sockets = new ZmqTransport(inbox.context, inbox.socket, { ...options, rank, endpoints });
    const shares = cards.every((other) => other.sharesMemory && other.machine === card.machine);
    const sharedMemory = shares ? posixSharedMemory : undefined;
    const group = new TransportGroup(sockets, { ...options, token, firstSequence: 0, sharedMemory });
    try {
      // Hearing from every rank means that all have connected here, so that the socket file is not needed any more.
      await group.allGather(new Uint8Array([1]), { timeoutMs: Math.max(1, end - performance.now()), signal });
    } catch (error) {
      await group[Symbol.asyncDispose]();
      throw error;
    }
    return group;
  } catch (error) {
    await inbox.context.close();
    throw error;
  } finally {
    await inbox.removeFiles();
  }
}

/** One secret for all ranks: who was first decides. */
async function agreeOnToken(store: Store, prefix: string): Promise<bigint> {
  const mine = crypto.getRandomValues(new Uint8Array(8));
  const { value } = await store.compareAndSet(`${prefix}/token`, undefined, mine);
  return new DataView(value!.buffer, value!.byteOffset, 8).getBigUint64(0, true);
}

async function publish(store: Store, key: string, me: { rank: number; card: Card }): Promise<void> {
  const value = new TextEncoder().encode(JSON.stringify(me.card));
  const { swapped } = await store.compareAndSet(key, undefined, value);
  if (swapped) return;
  throw new Error(
    `rank ${me.rank} has already joined this process group: two processes claim the same rank, or one joins twice; ` +
      `give each its own rank, and each restart its own generation`,
  );
}

async function readCards(store: Store, prefix: string, options: WaitOptions & { worldSize: number }): Promise<Card[]> {
  const { worldSize, signal, timeoutMs = 0 } = options;
  const keys = Array.from({ length: worldSize }, (_, rank) => `${prefix}/rank/${rank}`);
  let values: Uint8Array[];
  try {
    values = await store.wait(keys, { timeoutMs: Math.max(1, timeoutMs), signal });
  } catch (cause) {
    if (!(cause instanceof CommTimeoutError)) throw cause;
    const there = await Promise.all(keys.map((key) => store.get(key)));
    const missing = there.flatMap((value, rank) => value ? [] : [rank]);
    throw new CommTimeoutError(
      `${missing.length} of ${worldSize} ranks did not join the process group in time: ${missing.join(", ")}`,
      { operation: "joinProcessGroup", timeoutMs: cause.timeoutMs },
      { cause },
    );
  }
  return values.map((value, rank) => {
    const card = JSON.parse(new TextDecoder().decode(value)) as Card;
    if (card.version !== VERSION) {
      throw new Error(
        `rank ${rank} speaks version ${card.version} of the protocol between ranks, this rank ${VERSION}; start all with the same release`,
      );
    }
    if (card.worldSize !== worldSize) {
      throw new Error(`rank ${rank} joined with a world size of ${card.worldSize}, this rank with ${worldSize}`);
    }
    return card;
  });
}

function chooseEndpoint(rank: number, other: Card, me: { rank: number; card: Card }): string {
  if (rank === me.rank) return "";
  const isNear = other.machine === me.card.machine;
  const endpoint = (isNear ? other.ipc ?? other.loopback : undefined) ?? other.network;
  if (endpoint) return endpoint;
  throw new Error(
    `rank ${rank} runs on another host than rank ${me.rank} (${other.machine}) but told no address; give every rank a \`host\``,
  );
}

/** What only processes share that see the same socket files. */
async function machine(): Promise<string> {
  const boot = await Deno.readTextFile("/proc/sys/kernel/random/boot_id").catch(() => "");
  return `${Deno.hostname()} ${boot.trim()}`.trim();
}
