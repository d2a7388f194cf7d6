import type { Store } from "../runtime/comm/store.ts";
import { type Clock, sleep, systemClock } from "../runtime/core/clock.ts";
import { CommTimeoutError } from "../runtime/core/errors.ts";
import { GenerationLink } from "./generation_link.ts";
import { differenceOf, type HostFacts } from "./host_facts.ts";
import { hostName } from "./host_name.ts";
import { type Decision, readDecision, readWish, type Wish } from "./host_words.ts";
import { toJsonBytes } from "./json_bytes.ts";
import { within } from "./within.ts";

/** Options of {@linkcode HostLink}. */
export interface HostLinkOptions {
  /** The run's, which the launcher of node 0 hosts. Owned from now on. */
  store: Store;
  /** Which of the hosts this one is, for as long as it takes part. */
  nodeRank: number;
  /** The most hosts. */
  numNodes: number;
  /** The least. Default: as many as the most. */
  minNodes?: number;
  /** Ranks on this host: as many as on the others. */
  localWorldSize: number;
  /** After how long without a sign of life a host is lost, in milliseconds. */
  heartbeatMs: number;
  /** How long hosts wait for each other to come, in milliseconds. */
  meetMs: number;
  /** If fewer than the most have come, how long to wait for one more, in milliseconds. Default: 2,000. */
  joinMs?: number;
  /** How the host is called in messages. Default: its name. */
  host?: string;
  /** What has to be the same on all hosts. Default: nothing. */
  facts?: HostFacts;
  /** Default: the clock of this process. */
  clock?: Clock;
}

/** Who takes part in a generation. */
export interface Meeting {
  readonly generation: number;
  /** Their node ranks; the index is that for the ranks. */
  readonly nodes: readonly number[];
}

/** How often node 0 looks who has come. */
const LOOK_MS = 50;
const JOIN_MS = 2_000;

/**
 * What the launchers of a run tell each other through its store: who takes part, that a rank failed, that a host lives, how a generation ended. So all end
 * for the same cause, and with the same exit code.
 *
 * The launcher of node 0, which hosts the store, decides who takes part and looks whether the others live; they look whether it answers.
 */
export class HostLink implements AsyncDisposable {
  readonly #options: HostLinkOptions;
  readonly #host: string;
  readonly #minNodes: number;
  readonly #clock: Clock;
  /** Nodes that do not answer any more: nobody waits for them. */
  readonly #lost = new Set<number>();
  /** Nodes that were in the last meeting. */
  #met: readonly number[] = [];
  /** What they are called. */
  #hosts = new Map<number, string>();

  constructor(options: HostLinkOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#minNodes = options.minNodes ?? options.numNodes;
    this.#host = options.host ?? hostName() ?? `node ${options.nodeRank}`;
  }

  /**
   * Meets the launchers that take part in this generation, or in a later one if this host comes too late for it.
   * @throws CommTimeoutError naming the hosts that did not come; RangeError if hosts have different numbers of ranks, scripts or options
   */
  async meet(generation: number, signal?: AbortSignal): Promise<Meeting> {
    const { store, nodeRank, localWorldSize, meetMs, facts = {} } = this.#options;
    const wish: Wish = { localWorldSize, host: this.#host, facts };
    // What an earlier launcher of this host was told.
    await within(store.delete(refusalKey(nodeRank)), meetMs, this.#clock);
    const running = await within(store.get("launcher/generation"), meetMs, this.#clock);
    const current = running === undefined ? NaN : Number(new TextDecoder().decode(running));
    let next = Number.isSafeInteger(current) ? Math.max(generation, current) : generation;
    for (;; next++) {
      await within(store.set(wishKey(nodeRank, next), toJsonBytes(wish)), meetMs, this.#clock);
      if (nodeRank === 0) await this.#decide(next, signal);
      const { nodes, hosts, problem } = await this.#decision(next, signal);
      if (problem !== undefined) throw new RangeError(problem);
      this.#met = nodes;
      // Who was lost and takes part again is back.
      for (const node of nodes) this.#lost.delete(node);
      this.#hosts = new Map(nodes.map((node, i) => [node, hosts[i]]));
      if (nodes.includes(nodeRank)) return { generation: next, nodes };
    }
  }

  /** Begins a generation: from now on this host shows that it lives. */
  begin({ generation, nodes }: Meeting): GenerationLink {
    const { store, nodeRank, numNodes, heartbeatMs } = this.#options;
    return new GenerationLink({
      ...{ store, node: nodeRank, nodes, heartbeatMs, generation, lost: this.#lost },
      host: this.#host,
      hosts: this.#hosts,
      localWorldSize: this.#options.localWorldSize,
      wishKey: (node) => wishKey(node, generation + 1),
      welcomes: async (node, bytes) => {
        const wish = readWish(bytes);
        return wish !== undefined && await this.#welcomes(node, wish, generation + 1);
      },
      clock: this.#clock,
      joiners: nodes.length < numNodes ? all(numNodes).filter((node) => !nodes.includes(node)) : [],
      minNodes: this.#minNodes,
    });
  }

  /** Says that this launcher is done. That of node 0 lets the others say so first: it takes the store with it. */
  async [Symbol.asyncDispose](): Promise<void> {
    const { store, nodeRank, heartbeatMs } = this.#options;
    const others = this.#met.filter((node) => node !== 0 && !this.#lost.has(node))
      .map((node) => `launcher/done/${node}`);
    try {
      const timeoutMs = Math.min(heartbeatMs, 5_000);
      if (nodeRank === 0 && others.length > 0) await store.wait(others, { timeoutMs });
      if (nodeRank !== 0 && !this.#lost.has(0)) {
        await within(store.set(`launcher/done/${nodeRank}`, new Uint8Array(1)), timeoutMs, this.#clock);
      }
    } catch (error) {
      // A host that is lost says nothing.
      if (!(error instanceof CommTimeoutError)) throw error;
    } finally {
      await store[Symbol.asyncDispose]();
    }
  }

  /** Node 0's part: waits until enough have come, and says who takes part. */
  async #decide(generation: number, signal: AbortSignal | undefined): Promise<void> {
    const { store, numNodes, meetMs, joinMs = JOIN_MS } = this.#options;
    const began = this.#clock.now();
    let here: { node: number; wish: Wish }[] = [], changedAt = began;
    for (;;) {
      signal?.throwIfAborted();
      const found = await Promise.all(
        all(numNodes).map(async (node) => {
          const value = await store.get(wishKey(node, generation));
          const wish = value && readWish(value);
          return wish ? [{ node, wish }] : [];
        }),
      );
      const now = this.#clock.now();
      if (found.flat().length > here.length) changedAt = now;
      here = found.flat();
      if (here.length === numNodes || here.length >= this.#minNodes && now - changedAt >= joinMs) break;
      if (now - began >= meetMs) {
        const missing = all(numNodes).filter((node) => !here.some((other) => other.node === node));
        throw this.#didNotCome(missing);
      }
      await sleep(LOOK_MS, { clock: this.#clock });
    }
    const differing = here.flatMap(({ node, wish }) => this.#differenceTo(node, wish) ?? []);
    let problem: string | undefined = differing[0];
    // Where hosts may be missing, the others can do without those that differ.
    if (problem !== undefined && here.length - differing.length >= this.#minNodes) {
      const welcome = await Promise.all(here.map(({ node, wish }) => this.#welcomes(node, wish, generation)));
      here = here.filter((_, i) => welcome[i]);
      problem = undefined;
    }
    const decision: Decision = {
      nodes: here.map(({ node }) => node),
      hosts: here.map(({ wish }) => wish.host),
      problem,
    };
    await store.set("launcher/generation", new TextEncoder().encode(String(generation)));
    await store.set(`launcher/${generation}/nodes`, toJsonBytes(decision));
  }

  /** Who has not said that it wants to take part. @throws CommTimeoutError if node 0, with the store, has ended by now */
  async #missing(generation: number): Promise<number[]> {
    const { store, numNodes, heartbeatMs } = this.#options;
    const found = Promise.all(all(numNodes).map((node) => store.get(wishKey(node, generation))));
    const wishes = await within(found, heartbeatMs, this.#clock);
    return all(numNodes).filter((node) => wishes[node] === undefined);
  }

  #didNotCome(missing: readonly number[]): CommTimeoutError {
    const { numNodes, meetMs } = this.#options;
    return new CommTimeoutError(
      `the launchers of ${missing.length} of ${numNodes} hosts did not come within ${
        meetMs / 1000
      } s: those with node rank ` +
        `${missing.join(", ")}. Start one on each host, with the same --main-address and --main-port`,
      { operation: "meet", timeoutMs: meetMs },
    );
  }

  /** Whether a host may take part. One that may not is told why. */
  async #welcomes(node: number, wish: Wish, generation: number): Promise<boolean> {
    const difference = this.#differenceTo(node, wish);
    if (difference === undefined) return true;
    await this.#options.store.delete(wishKey(node, generation));
    await this.#options.store.set(refusalKey(node), new TextEncoder().encode(difference));
    return false;
  }

  /** How a host differs from this one, in words; undefined if it does not. */
  #differenceTo(node: number, { host, localWorldSize, facts }: Wish): string | undefined {
    const { nodeRank, localWorldSize: ranks, facts: mine = {} } = this.#options;
    const who = `the host with node rank ${node} (${host})`, here = `that with node rank ${nodeRank} (${this.#host})`;
    if (localWorldSize !== ranks) {
      return `${who} has ${localWorldSize} ranks, ${here} has ${ranks}: give all launchers the same --devices`;
    }
    const difference = differenceOf(mine, facts);
    return difference &&
      `${who} differs from ${here}, which says this: ${difference}. All hosts of a run need the same`;
  }

  async #decision(generation: number, signal: AbortSignal | undefined): Promise<Decision> {
    const { store, nodeRank } = this.#options;
    const over = new AbortController();
    const both = AbortSignal.any(signal ? [signal, over.signal] : [over.signal]);
    const refused = store.wait([refusalKey(nodeRank)], { timeoutMs: 2 ** 31 - 1, signal: both }).then(
      ([why]): Decision => ({ nodes: [], hosts: [], problem: new TextDecoder().decode(why) }),
    );
    // It fails when nobody waits for it any more.
    refused.catch(() => {});
    try {
      return await Promise.race([refused, this.#nodesOf(generation, both)]);
    } finally {
      over.abort();
    }
  }

  async #nodesOf(generation: number, signal: AbortSignal): Promise<Decision> {
    const { store, meetMs } = this.#options;
    const isElastic = this.#minNodes < this.#options.numNodes;
    for (;;) {
      try {
        const [value] = await store.wait([`launcher/${generation}/nodes`], { timeoutMs: meetMs, signal });
        return readDecision(value);
      } catch (error) {
        // Who waits to join a run that goes on may wait long, as long as it goes on.
        if (!(error instanceof CommTimeoutError)) throw error;
        if (!isElastic) throw this.#didNotCome(await this.#missing(generation));
        await within(store.get("launcher/generation"), meetMs, this.#clock);
      }
    }
  }
}

/** Where a host says that it wants to take part in a generation. */
function wishKey(node: number, generation: number): string {
  return `launcher/${generation}/want/${node}`;
}

/** Where a host finds why it may not take part. */
function refusalKey(node: number): string {
  return `launcher/refused/${node}`;
}

function all(count: number): number[] {
  return Array.from({ length: count }, (_, node) => node);
}
