import type { Store } from "../runtime/comm/store.ts";
import { type Clock, sleep, systemClock } from "../runtime/core/clock.ts";
import { CommTimeoutError } from "../runtime/core/errors.ts";
import { GenerationLink } from "./generation_link.ts";
import { hostName } from "./host_name.ts";
import { fromJsonBytes, toJsonBytes } from "./json_bytes.ts";
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

  constructor(options: HostLinkOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#minNodes = options.minNodes ?? options.numNodes;
    this.#host = options.host ?? hostName() ?? `node ${options.nodeRank}`;
  }

  /**
   * Meets the launchers that take part in this generation, or in a later one if this host comes too late for it.
   * @throws CommTimeoutError naming the hosts that did not come; RangeError if hosts have different numbers of ranks
   */
  async meet(generation: number, signal?: AbortSignal): Promise<Meeting> {
    const { store, nodeRank, localWorldSize, meetMs } = this.#options;
    const running = await within(store.get("launcher/generation"), meetMs, this.#clock);
    let next = running === undefined ? generation : Math.max(generation, Number(new TextDecoder().decode(running)));
    for (;; next++) {
      await within(
        store.set(`launcher/${next}/want/${nodeRank}`, toJsonBytes({ localWorldSize })),
        meetMs,
        this.#clock,
      );
      if (nodeRank === 0) await this.#decide(next, signal);
      const { nodes, problem } = await this.#decision(next, signal);
      if (problem !== undefined) throw new RangeError(problem);
      this.#met = nodes;
      if (nodes.includes(nodeRank)) return { generation: next, nodes };
    }
  }

  /** Begins a generation: from now on this host shows that it lives. */
  begin({ generation, nodes }: Meeting): GenerationLink {
    const { store, nodeRank, numNodes, heartbeatMs } = this.#options;
    return new GenerationLink({
      ...{ store, node: nodeRank, nodes, heartbeatMs, generation, lost: this.#lost },
      host: this.#host,
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
    const { store, numNodes, localWorldSize, meetMs, joinMs = JOIN_MS } = this.#options;
    const began = this.#clock.now();
    let here: { node: number; ranks: number }[] = [], changedAt = began;
    for (;;) {
      signal?.throwIfAborted();
      const found = await Promise.all(
        all(numNodes).map(async (node) => {
          const value = await store.get(`launcher/${generation}/want/${node}`);
          return value ? [{ node, ranks: fromJsonBytes<{ localWorldSize: number }>(value).localWorldSize }] : [];
        }),
      );
      const now = this.#clock.now();
      if (found.flat().length > here.length) changedAt = now;
      here = found.flat();
      if (here.length === numNodes || here.length >= this.#minNodes && now - changedAt >= joinMs) break;
      if (now - began >= meetMs) {
        const missing = all(numNodes).filter((node) => !here.some((other) => other.node === node));
        throw new CommTimeoutError(
          `the launchers of ${missing.length} of ${numNodes} hosts did not come within ${
            meetMs / 1000
          } s: those with node rank ` +
            `${missing.join(", ")}. Start one on each host, with the same --main-address and --main-port`,
          { operation: "meet", timeoutMs: meetMs },
        );
      }
      await sleep(LOOK_MS, { clock: this.#clock });
    }
    const other = here.find(({ ranks }) => ranks !== localWorldSize);
    const problem = other &&
      `the host with node rank ${other.node} has ${other.ranks} ranks, that with node rank 0 has ${localWorldSize}: ` +
        `give all launchers the same --devices`;
    await store.set("launcher/generation", new TextEncoder().encode(String(generation)));
    await store.set(`launcher/${generation}/nodes`, toJsonBytes({ nodes: here.map(({ node }) => node), problem }));
  }

  async #decision(generation: number, signal: AbortSignal | undefined): Promise<{ nodes: number[]; problem?: string }> {
    const { store, meetMs } = this.#options;
    const isElastic = this.#minNodes < this.#options.numNodes;
    for (;;) {
      try {
        const [value] = await store.wait([`launcher/${generation}/nodes`], { timeoutMs: meetMs, signal });
        return fromJsonBytes(value);
      } catch (error) {
        // Who waits to join a run that goes on may wait long, as long as it goes on.
        if (!(error instanceof CommTimeoutError) || !isElastic) throw error;
        await within(store.get("launcher/generation"), meetMs, this.#clock);
      }
    }
  }
}

function all(count: number): number[] {
  return Array.from({ length: count }, (_, node) => node);
}
