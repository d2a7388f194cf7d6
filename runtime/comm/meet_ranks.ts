import { systemClock } from "../core/clock.ts";
import { CommTimeoutError } from "../core/errors.ts";
import { groupByHost } from "./host_layout.ts";
import type { Endpoints } from "./bind_endpoints.ts";
import type { BoundInbox } from "./inbox.ts";
import { LifelineWatch } from "./lifeline_watch.ts";
import type { Lifelines } from "./lifelines.ts";
import { RENDEZVOUS_TIMEOUT_MS } from "./memory_store.ts";
import type { ProcessGroup } from "./process_group.ts";
import type { StartReduceEngine } from "./reduce_engine.ts";
import type { SharedMemory } from "./shared_memory.ts";
import type { Store, WaitOptions } from "./store.ts";
import { TransportGroup, type TransportGroupOptions } from "./transport_group.ts";

/** Options of {@linkcode meetRanks}. */
export interface MeetOptions
  extends WaitOptions, Omit<TransportGroupOptions, "token" | "firstSequence" | "hosts" | "hostName" | "hostNames"> {
  store: Store;
  rank: number;
  /** 2 or more. */
  worldSize: number;
  runId?: string;
  name?: string;
  /** Where this rank is reached. Owned from now on. */
  inbox: BoundInbox;
  /** What only ranks share that reach each other's near endpoints. */
  machine: string;
  /** Used among the ranks of one machine if all of them have it. Default: there is none. */
  sharedMemory?: SharedMemory;
  /** By which ranks notice that another is gone. Owned from now on. Default: a launcher tells them. */
  lifelines?: Lifelines;
  /** Starts what reduces in place of the group's own algorithms. Default: there is nothing. */
  engine?: StartReduceEngine;
}

/** What a rank tells the others about itself. */
interface Card extends Endpoints {
  version: number;
  worldSize: number;
  machine: string;
  /** It would share memory with ranks of the same machine. */
  sharesMemory: boolean;
  /** Where its lifeline is. */
  lifeline?: Endpoints;
}

const VERSION = 6;

/**
 * Lets ranks find each other in a store and connects them, by whatever their inboxes are made of. Resolves when every rank has heard from every other.
 * @throws CommTimeoutError naming the ranks that did not come; Error if two processes claim a rank
 */
export async function meetRanks(options: MeetOptions): Promise<ProcessGroup> {
  const { rank, worldSize, store, signal, inbox, lifelines } = options;
  const { timeoutMs = RENDEZVOUS_TIMEOUT_MS, clock = systemClock } = options;
  const end = clock.now() + timeoutMs;
  const prefix = `group/${options.runId ?? "run"}/${options.generation ?? 0}/${options.name ?? "main"}`;
  try {
    const token = await agreeOnToken(store, prefix);
    const sharesMemory = options.sharedMemory !== undefined;
    const { machine } = options, lifeline = lifelines?.endpoints;
    const card: Card = { version: VERSION, worldSize, machine, sharesMemory, lifeline, ...inbox.endpoints };
    await publish(store, `${prefix}/rank/${rank}`, { rank, card });
    const cards = await readCards(store, prefix, { worldSize, timeoutMs: end - clock.now(), signal });
    const choose = (other: Endpoints | undefined, r: number) =>
      r === rank || !other ? "" : chooseEndpoint(other, { rank, card, other: { rank: r, card: cards[r] } });
    const transport = inbox.connect(rank, cards.map(choose));
    const hosts = groupByHost(cards.map(({ machine }) => machine));
    const hostNames = hosts.map(([first]) => hostNameOf(cards[first]));
    const shares = cards.every((other) => other.sharesMemory || other.machine !== card.machine);
    const sharedMemory = shares ? options.sharedMemory : undefined;
    lifelines?.connect(cards.map((other, r) => {
      const endpoint = choose(other.lifeline, r);
      return endpoint === "" ? undefined : { endpoint, host: hostNameOf(other) };
    }));
    const group = new TransportGroup(transport, {
      ...options,
      watch: lifelines ? new LifelineWatch(lifelines, { next: options.watch, clock }) : options.watch,
      hostName: hostNameOf(card),
      token,
      firstSequence: 0,
      hosts,
      hostNames,
      sharedMemory,
    });
    try {
      await lifelines?.met({ timeoutMs: Math.max(1, end - clock.now()), signal });
      // Hearing from every rank means that all have connected here, so that the socket file is not needed any more.
      await group.allGather(new Uint8Array([1]), { timeoutMs: Math.max(1, end - clock.now()), signal });
      if (options.engine) await group.startEngine(options.engine);
    } catch (error) {
      await group[Symbol.asyncDispose]();
      throw error;
    }
    return group;
  } catch (error) {
    await inbox.close();
    await lifelines?.[Symbol.asyncDispose]();
    throw error;
  } finally {
    await inbox.removeFiles();
    await lifelines?.removeFiles();
  }
}

/** What a rank's host is called. */
function hostNameOf({ machine }: Card): string {
  return machine.split(" ")[0];
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

/** Which of the places where another rank listens this one connects to. @throws Error if it can reach none */
function chooseEndpoint(
  endpoints: Endpoints,
  { rank, card, other }: { rank: number; card: Card; other: { rank: number; card: Card } },
): string {
  const isNear = other.card.machine === card.machine;
  const endpoint = (isNear ? endpoints.ipc ?? endpoints.loopback : undefined) ?? endpoints.network;
  if (endpoint) return endpoint;
  throw new Error(
    `rank ${other.rank} runs on another host than rank ${rank} (${other.card.machine}) but told no address; give every rank a \`host\``,
  );
}
