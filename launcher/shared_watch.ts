import type { Store } from "../runtime/comm/store.ts";
import { MEETING } from "../runtime/core/activity.ts";
import type { Clock } from "../runtime/core/clock.ts";
import { findStuck, type Stuck } from "./find_stuck.ts";
import { readSight, type Sight } from "./host_words.ts";
import { toJsonBytes } from "./json_bytes.ts";
import type { Observation } from "./rank_watch.ts";
import { within } from "./within.ts";

/** Options of {@linkcode SharedWatch}. */
export interface SharedWatchOptions {
  store: Store;
  /** What the keys begin with: those of one generation. */
  prefix: string;
  /** This host's node rank. */
  node: number;
  /** Of the hosts that take part. */
  nodes: readonly number[];
  /** How long a rank may show no sign of life, in milliseconds. */
  heartbeatMs: number;
  clock: Clock;
}

/** A failure that shows only where the ranks of several hosts are looked at together, and what that rank was doing. */
export interface FoundStuck extends Stuck {
  readonly activity: Observation["activity"];
}

/** Ranks that get on sooner are not worth a word. */
const QUIET_MS = 1_000;

/**
 * What the launchers of several hosts see of all ranks together. One whose ranks all stand still says what it sees of them, again and again; that of node 0 looks for
 * what keeps the run from going on: a rank that exited with 0 while ranks of other hosts wait for it, or a lost connection between hosts.
 * While the ranks get on, nothing is said and nothing is asked.
 *
 * What arrives is of a moment ago, and the network may have stood still: a failure counts only if it is seen a second time, in newer words of every host.
 */
export class SharedWatch {
  readonly #options: SharedWatchOptions;
  #ranks: readonly Observation[] = [];
  #atMs = 0;
  #count = 0;
  #hasTold = false;
  #suspect: { stuck: FoundStuck; counts: ReadonlyMap<number, number> } | undefined;

  constructor(options: SharedWatchOptions) {
    this.#options = options;
  }

  /** Takes what this host's ranks look like now. */
  observe(ranks: readonly Observation[]): void {
    this.#ranks = ranks;
    this.#atMs = this.#options.clock.now();
  }

  /** Tells the others what was seen last, if all ranks of this host stand still, and once if they do no more. */
  async tell(): Promise<void> {
    const isQuiet = this.#isQuiet();
    if (!isQuiet && !this.#hasTold) return;
    const { store, heartbeatMs, clock, node } = this.#options;
    // Who has exited has been gone for longer by now; of the others nothing newer is known.
    const sinceMs = clock.now() - this.#atMs;
    const ranks = this.#ranks.map((one) =>
      one.exitCode === undefined ? one : { ...one, endedMs: one.endedMs + sinceMs }
    );
    const sight: Sight = { count: ++this.#count, ranks: isQuiet ? ranks : [] };
    await within(store.set(this.#key(node), toJsonBytes(sight)), heartbeatMs, clock);
    this.#hasTold = isQuiet;
  }

  /** Node 0 looks at all ranks. Returns what is found the second time. */
  async judge(): Promise<FoundStuck | undefined> {
    if (!this.#isQuiet()) return void (this.#suspect = undefined);
    const { store, nodes, heartbeatMs, clock } = this.#options;
    const counts = new Map<number, number>(), ranks: Observation[] = [];
    for (const node of nodes) {
      const value = await within(store.get(this.#key(node)), heartbeatMs, clock);
      const sight = value && readSight(value);
      if (!sight || sight.ranks.length === 0) continue;
      counts.set(node, sight.count);
      ranks.push(...sight.ranks);
    }
    const found = findStuck(ranks, { heartbeatMs, isWhole: counts.size === nodes.length });
    // One that is frozen its own launcher ends.
    if (!found || found.how === "frozen") return void (this.#suspect = undefined);
    const stuck = { ...found, activity: ranks.find(({ rank }) => rank === found.rank)!.activity };
    const before = this.#suspect;
    if (!before || before.stuck.rank !== stuck.rank || before.stuck.how !== stuck.how) {
      return void (this.#suspect = { stuck, counts });
    }
    const isNewer = [...counts].every(([node, count]) => count > (before.counts.get(node) ?? 0));
    return isNewer ? stuck : undefined;
  }

  #isQuiet(): boolean {
    return this.#ranks.length > 0 &&
      this.#ranks.every(({ exitCode, idleMs, activity }) =>
        exitCode !== undefined || activity.operation === MEETING || activity.collective && idleMs >= QUIET_MS
      );
  }

  #key(node: number): string {
    return `${this.#options.prefix}/seen/${node}`;
  }
}
