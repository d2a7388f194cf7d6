import type { Store } from "../runtime/comm/store.ts";
import { type Clock, sleep } from "../runtime/core/clock.ts";
import { CommTimeoutError } from "../runtime/core/errors.ts";
import { UNAVAILABLE } from "../runtime/core/exit_codes.ts";
import { howOf } from "./failure_report.ts";
import { readEnded, readTold, type Told } from "./host_words.ts";
import { toJsonBytes } from "./json_bytes.ts";
import { type Outcome, stuckOutcome } from "./outcome.ts";
import type { Observation } from "./rank_watch.ts";
import { type FoundStuck, SharedWatch } from "./shared_watch.ts";
import { unlessAborted, within } from "./within.ts";
import { type Ended, worstOf } from "./worst_of.ts";

/** Options of {@linkcode GenerationLink}. */
export interface GenerationLinkOptions {
  store: Store;
  /** This host's node rank. */
  node: number;
  /** Of the hosts that take part. */
  nodes: readonly number[];
  /** Of hosts that may join. */
  joiners: readonly number[];
  /** With fewer hosts the run ends. */
  minNodes: number;
  heartbeatMs: number;
  host: string;
  /** What the hosts are called, by node rank. */
  hosts: ReadonlyMap<number, string>;
  /** Ranks on each. */
  localWorldSize: number;
  /** Where one of the hosts says that it wants to join. */
  wishKey: (node: number) => string;
  /** Asked of a host that wants to join: whether it may. */
  welcomes: (node: number, wish: Uint8Array) => Promise<boolean>;
  generation: number;
  clock: Clock;
  /** Nodes that are found lost are added. */
  lost: Set<number>;
}

/** What a generation came to, on all hosts. */
export interface Settled extends Outcome {
  /** Whether it ended because hosts join or leave, and those that are left can go on. */
  readonly isRegrouping: boolean;
  /** Which host is lost, in words, if it ended for that. */
  readonly lost?: string;
}

const LONGEST_INTERVAL_MS = 1_000;
/** How often launchers tell each other of ranks that stand still. */
const WATCH_MS = 250;

/** A link between launchers during one generation. See `HostLink`. */
export class GenerationLink {
  readonly #options: GenerationLinkOptions;
  readonly #prefix: string;
  readonly #ending = new AbortController();
  readonly #watching: Promise<void>;
  readonly #watch: SharedWatch;
  #told: Told | undefined;
  /** The first host that was lost, in words. */
  #lost: string | undefined;
  /** Resolves with what happened, in words, if the run cannot go on because of another host. */
  readonly failedElsewhere: Promise<string>;
  /** Resolves with what happens, in words, if a host wants to join. */
  readonly regroup: Promise<string>;

  constructor(options: GenerationLinkOptions) {
    this.#options = options;
    this.#prefix = `launcher/${options.generation}`;
    const { store, node, nodes, heartbeatMs, clock } = options;
    this.#watch = new SharedWatch({ store, node, nodes, heartbeatMs, clock, prefix: this.#prefix });
    const failed = Promise.withResolvers<string>(), regroup = Promise.withResolvers<string>();
    this.failedElsewhere = failed.promise;
    this.regroup = regroup.promise;
    const hear = (told: Told) => {
      this.#told ??= told;
      if (told.lost !== undefined) {
        options.lost.add(told.lost);
        this.#lost ??= told.message;
      }
      if (told.joins !== undefined) regroup.resolve(told.message);
      else if (told.node !== options.node || told.lost !== undefined || told.stuck) failed.resolve(told.message);
    };
    this.#watching = Promise.all([this.#listen(hear), this.#beat(hear), this.#watchRanks(hear)]).then(() => {});
  }

  /** Takes what this host's ranks look like, again and again, and once when all have ended. */
  observe(ranks: readonly Observation[]): void {
    this.#watch.observe(ranks);
  }

  /** Tells the other launchers that this host's part cannot go on. The first of all that is told counts. */
  async tell(message: string): Promise<void> {
    await this.#publish({ node: this.#options.node, message });
  }

  /**
   * Tells how this host's part ended, waits for the others, and returns what the run came to: the same on all hosts, as it follows from what they
   * told. A host that asks to join when all have ended by themselves comes too late.
   */
  async settle(outcome: Outcome & { signal?: string; joins?: boolean }): Promise<Settled> {
    const { store, node, nodes, host, heartbeatMs, minNodes, lost } = this.#options;
    const { exitCode, category, cause, signal, joins } = outcome;
    const mine: Ended = { node, host, exitCode, category, cause, signal, joins };
    try {
      // Ranks that just ended by a signal leave those of other hosts waiting.
      if (category === "stopped" && this.#told === undefined) {
        await this.tell(`the launcher of ${host} was ended by ${signal ?? "its time limit"}`);
      }
      if (lost.has(0)) throw gone();
      await within(store.set(`${this.#prefix}/ended/${node}`, toJsonBytes(mine)), heartbeatMs, this.#options.clock);
      const keys = nodes.map((other) => `${this.#prefix}/ended/${other}`);
      const all = (await this.#waitWhileAllLive(keys)).map((value, i) => readEnded(value, nodes[i]));
      const stuck = (this.#told ?? await this.#whatWasTold())?.stuck;
      const leaves = (one: Ended) => one.signal !== undefined;
      const left = all.filter((one) => !leaves(one)).length;
      const isFailure = (stuck !== undefined || all.some((one) => one.cause)) && !all.some(leaves);
      const changes = all.some((one) => one.joins || leaves(one));
      const canGoOn = left >= minNodes && !all.some((one) => one.node === 0 && leaves(one));
      return {
        ...(stuck ? stuckOutcome(stuck) : worstOf(all)),
        isRegrouping: changes && !isFailure && canGoOn && signal === undefined,
      };
    } catch (error) {
      if (!(error instanceof CommTimeoutError)) throw error;
      // Who is missed itself, and hears of it, has no part in what the others decide.
      const isRegrouping = !lost.has(0) && !lost.has(node) && signal === undefined &&
        nodes.filter((other) => !lost.has(other)).length >= minNodes;
      const words = this.#lost ?? this.#isSilent(0);
      return { exitCode: UNAVAILABLE, category: "infrastructure", cause: undefined, isRegrouping, lost: words };
    } finally {
      this.#ending.abort();
      await this.#watching;
    }
  }

  /** Waits for the keys as long as all hosts live: what their ranks do, they watch themselves. @throws CommTimeoutError once a host is lost */
  async #waitWhileAllLive(keys: string[]): Promise<Uint8Array[]> {
    const { store, heartbeatMs, nodes, lost } = this.#options;
    for (;;) {
      // Not what was told first: a host may be lost after another failure.
      if (nodes.some((node) => lost.has(node))) throw gone();
      try {
        return await store.wait(keys, { timeoutMs: heartbeatMs });
      } catch (error) {
        if (!(error instanceof CommTimeoutError)) throw error;
      }
    }
  }

  async #listen(hear: (told: Told) => void): Promise<void> {
    const { signal } = this.#ending;
    while (!signal.aborted) {
      try {
        const [value] = await this.#options.store.wait([`${this.#prefix}/failed`], { timeoutMs: 60_000, signal });
        return hear(readTold(value));
      } catch (error) {
        if (signal.aborted) return;
        if (!(error instanceof CommTimeoutError)) throw error;
      }
    }
  }

  /** Shows that this host lives, and looks whether those that it looks after do. */
  async #beat(hear: (told: Told) => void): Promise<void> {
    const { store, node, heartbeatMs, clock } = this.#options;
    const intervalMs = this.#intervalMs;
    const seen = new Map<number, { count: number; atBeat: number }>();
    for (let beat = 1; !this.#ending.signal.aborted; beat++) {
      try {
        await within(store.add(`${this.#prefix}/alive/${node}`, 1), heartbeatMs, this.#options.clock);
        const told = node === 0 ? await this.#lookAround(seen, beat) : undefined;
        if (told) {
          await this.#publish(told);
          hear(told);
          // While the hosts come to an end for one that joins, another may be lost.
          if (told.lost !== undefined) return;
        }
      } catch (error) {
        if (this.#ending.signal.aborted) return;
        if (!(error instanceof CommTimeoutError)) throw error;
        // Node 0 has the store itself: it is slow, but not gone.
        if (node !== 0) return hear({ node, lost: 0, message: this.#isSilent(0) });
      }
      await sleep(intervalMs, { clock, signal: this.#ending.signal });
    }
  }

  /** Node 0 looks for hosts that are lost, or that want to join. */
  async #lookAround(seen: Map<number, { count: number; atBeat: number }>, beat: number): Promise<Told | undefined> {
    const { store, node, nodes, joiners, heartbeatMs } = this.#options;
    for (const other of nodes) {
      if (other === node) continue;
      const counter = await within(store.get(`${this.#prefix}/alive/${other}`), heartbeatMs, this.#options.clock);
      const count = Number(new TextDecoder().decode(counter));
      const known = seen.get(other) ?? { count: 0, atBeat: beat };
      seen.set(other, count === known.count ? known : { count, atBeat: beat });
      // Counted in beats of this host: time in which it did not run itself is not held against others.
      if (count === known.count && beat - known.atBeat > heartbeatMs / this.#intervalMs) {
        return { node, lost: other, message: this.#isSilent(other) };
      }
    }
    for (const other of this.#told ? [] : joiners) {
      const wish = await within(store.get(this.#options.wishKey(other)), heartbeatMs, this.#options.clock);
      if (wish && await this.#options.welcomes(other, wish)) {
        return { node, joins: other, message: `the host with node rank ${other} joins` };
      }
    }
    return undefined;
  }

  /** A host in words: which it is, what it is called, and which ranks are on it. */
  #named(node: number): string {
    const { hosts, nodes, localWorldSize } = this.#options;
    const first = nodes.indexOf(node) * localWorldSize, last = first + localWorldSize - 1;
    const ranks = first === last ? `rank ${first}` : `ranks ${first} to ${last}`;
    const host = hosts.get(node);
    return `the host with node rank ${node} (${host === undefined ? "" : `${host}, `}${ranks})`;
  }

  #isSilent(node: number): string {
    return `${this.#named(node)} does not answer any more`;
  }

  /** How often it is looked who lives. */
  get #intervalMs(): number {
    return Math.min(this.#options.heartbeatMs / 4, LONGEST_INTERVAL_MS);
  }

  /** Looks after ranks that stand still, together with the other launchers. */
  async #watchRanks(hear: (told: Told) => void): Promise<void> {
    const { node, clock } = this.#options, { signal } = this.#ending;
    while (!signal.aborted && this.#told === undefined) {
      try {
        // A store that is out of reach must not keep the generation from ending.
        const found = await unlessAborted(this.#look(), signal);
        if (found && this.#told === undefined) {
          const stuck = { ...found, host: this.#hostOf(found.rank) };
          const told = { node, message: `rank ${found.rank} ${howOf({ ...found, exitCode: 0 })}`, stuck };
          await this.#publish(told);
          return hear(this.#told ?? told);
        }
      } catch (error) {
        if (signal.aborted) return;
        // A store that does not answer is found by the beat.
        if (!(error instanceof CommTimeoutError)) throw error;
      }
      await sleep(WATCH_MS, { clock, signal });
    }
  }

  async #look(): Promise<FoundStuck | undefined> {
    await this.#watch.tell();
    return this.#options.node === 0 ? await this.#watch.judge() : undefined;
  }

  #hostOf(rank: number): string | undefined {
    const { nodes, hosts, localWorldSize } = this.#options;
    return hosts.get(nodes[Math.floor(rank / localWorldSize)]);
  }

  /** What the launchers were told in this generation: on all the same, once all have ended. */
  async #whatWasTold(): Promise<Told | undefined> {
    const { store, heartbeatMs, clock } = this.#options;
    const value = await within(store.get(`${this.#prefix}/failed`), heartbeatMs, clock);
    return value && readTold(value);
  }

  async #publish(told: Told): Promise<void> {
    const { store, heartbeatMs } = this.#options;
    try {
      const key = `${this.#prefix}/failed`;
      const { value } = await within(
        store.compareAndSet(key, undefined, toJsonBytes(told)),
        heartbeatMs,
        this.#options.clock,
      );
      if (value) this.#told ??= readTold(value);
    } catch (error) {
      // Without the store the others notice that it is gone.
      if (!(error instanceof CommTimeoutError)) throw error;
    }
  }
}

function gone(): CommTimeoutError {
  return new CommTimeoutError("a host does not answer", { operation: "settle", timeoutMs: 0 });
}
