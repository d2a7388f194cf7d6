import type { Store } from "../runtime/comm/store.ts";
import { CommTimeoutError } from "../runtime/core/errors.ts";
import { UNAVAILABLE } from "../runtime/core/exit_codes.ts";
import { echoWeight } from "./echo_weight.ts";
import { hostName } from "./host_name.ts";
import type { Outcome } from "./outcome.ts";

/** Options of {@linkcode HostLink}. */
export interface HostLinkOptions {
  /** The run's, which the launcher of node 0 hosts. Owned from now on. */
  store: Store;
  nodeRank: number;
  numNodes: number;
  /** After how long without a sign of life a host is lost, in milliseconds. */
  heartbeatMs: number;
  /** How the host is called in messages. Default: its name. */
  host?: string;
}

/** What a launcher tells the others when its part of a generation has ended. */
interface Ended extends Outcome {
  readonly node: number;
  readonly host: string;
  /** The signal that ended it, if one did. */
  readonly signal?: string;
}

/** What a launcher is told to end its ranks for. */
interface Told {
  readonly node: number;
  readonly host: string;
  readonly message: string;
  /** The node that does not answer, if that is what failed. */
  readonly lost?: number;
}

/**
 * What the launchers of a run tell each other through its store: that a rank failed, that a host lives, how a generation ended. So all end for the
 * same cause, and with the same exit code.
 *
 * The launcher of node 0, which hosts the store, looks whether the others live; they look whether it answers.
 */
export class HostLink implements AsyncDisposable {
  readonly #store: Store;
  readonly #node: number;
  readonly #nodes: readonly number[];
  readonly #heartbeatMs: number;
  readonly #host: string;
  /** Nodes that do not answer any more: nobody waits for them. */
  readonly #lost = new Set<number>();

  constructor(options: HostLinkOptions) {
    this.#store = options.store;
    this.#node = options.nodeRank;
    this.#nodes = Array.from({ length: options.numNodes }, (_, node) => node);
    this.#heartbeatMs = options.heartbeatMs;
    this.#host = options.host ?? hostName() ?? `node ${options.nodeRank}`;
  }

  /** Begins a generation: from now on this host shows that it lives. */
  begin(generation: number): GenerationLink {
    return new GenerationLink({
      store: this.#store,
      node: this.#node,
      nodes: this.#nodes,
      heartbeatMs: this.#heartbeatMs,
      host: this.#host,
      prefix: `launcher/${generation}`,
      lost: this.#lost,
    });
  }

  /** Says that this launcher is done. That of node 0 lets the others say so first: it takes the store with it. */
  async [Symbol.asyncDispose](): Promise<void> {
    const others = this.#nodes.filter((node) => node !== 0 && !this.#lost.has(node)).map((node) =>
      `launcher/done/${node}`
    );
    try {
      const timeoutMs = Math.min(this.#heartbeatMs, 5_000);
      if (this.#node === 0 && others.length > 0) await this.#store.wait(others, { timeoutMs });
      if (this.#node !== 0 && !this.#lost.has(0)) {
        await within(this.#store.set(`launcher/done/${this.#node}`, new Uint8Array(1)), timeoutMs);
      }
    } catch (error) {
      // A host that is lost says nothing.
      if (!(error instanceof CommTimeoutError)) throw error;
    } finally {
      await this.#store[Symbol.asyncDispose]();
    }
  }
}

interface GenerationLinkOptions {
  store: Store;
  node: number;
  nodes: readonly number[];
  heartbeatMs: number;
  host: string;
  prefix: string;
  /** Nodes that are found lost are added. */
  lost: Set<number>;
}

/** A {@linkcode HostLink} during one generation. */
export class GenerationLink {
  readonly #options: GenerationLinkOptions;
  readonly #ending = new AbortController();
  readonly #watching: Promise<void>;
  #told: Told | undefined;
  /** Resolves with what happened, in words, if the run cannot go on because of another host. */
  readonly failedElsewhere: Promise<string>;

  constructor(options: GenerationLinkOptions) {
    this.#options = options;
    const { promise, resolve } = Promise.withResolvers<string>();
    this.failedElsewhere = promise;
    const hear = (told: Told) => {
      this.#told ??= told;
      if (told.lost !== undefined) options.lost.add(told.lost);
      if (told.node !== options.node || told.lost !== undefined) resolve(told.message);
    };
    this.#watching = Promise.all([this.#listen(hear), this.#beat(hear)]).then(() => {});
  }

  /** Tells the other launchers that this host's part cannot go on. The first of all that is told counts. */
  async tell(message: string): Promise<void> {
    const { node, host } = this.#options;
    await this.#publish({ node, host, message });
  }

  /** Tells how this host's part ended, waits for the others, and returns what the run came to: the same on all hosts. */
  async settle(outcome: Outcome & { signal?: string }): Promise<Outcome> {
    const { store, node, nodes, host, prefix, heartbeatMs } = this.#options;
    const { exitCode, category, cause, signal } = outcome;
    const mine: Ended = { node, host, exitCode, category, cause, signal };
    // Ranks that just ended by a signal leave those of other hosts waiting.
    if (category === "stopped" && !this.#options.lost.has(0)) {
      await this.tell(`the launcher of ${host} was ended by ${signal ?? "its time limit"}`);
    }
    let all: Ended[] = [mine];
    try {
      if (this.#options.lost.has(0)) throw gone();
      await within(store.set(`${prefix}/ended/${node}`, encode(mine)), heartbeatMs);
      const keys = nodes.map((other) => `${prefix}/ended/${other}`);
      all = (await this.#waitWhileAllLive(keys)).map((value) => decode<Ended>(value));
    } catch (error) {
      if (!(error instanceof CommTimeoutError)) throw error;
      if (this.#told?.lost !== undefined) {
        return { exitCode: UNAVAILABLE, category: "infrastructure", cause: undefined };
      }
      const known = await Promise.all(
        nodes.map((other) => within(store.get(`${prefix}/ended/${other}`), heartbeatMs).catch(() => undefined)),
      );
      all = [mine, ...known.flatMap((value) => value ? [decode<Ended>(value)] : [])];
    } finally {
      this.#ending.abort();
      await this.#watching;
    }
    return worstOf(all);
  }

  /** Waits for the keys as long as all hosts live: what their ranks do, they watch themselves. @throws CommTimeoutError once a host is lost */
  async #waitWhileAllLive(keys: string[]): Promise<Uint8Array[]> {
    const { store, heartbeatMs } = this.#options;
    for (;;) {
      if (this.#told?.lost !== undefined) throw gone();
      try {
        return await store.wait(keys, { timeoutMs: heartbeatMs });
      } catch (error) {
        if (!(error instanceof CommTimeoutError)) throw error;
      }
    }
  }

  async #listen(hear: (told: Told) => void): Promise<void> {
    const { store, prefix } = this.#options;
    while (!this.#ending.signal.aborted) {
      try {
        const [value] = await store.wait([`${prefix}/failed`], { timeoutMs: 60_000, signal: this.#ending.signal });
        return hear(decode<Told>(value));
      } catch (error) {
        if (this.#ending.signal.aborted) return;
        if (!(error instanceof CommTimeoutError)) throw error;
      }
    }
  }

  /** Shows that this host lives, and looks whether those that it looks after do. */
  async #beat(hear: (told: Told) => void): Promise<void> {
    const { store, node, nodes, host, prefix, heartbeatMs } = this.#options;
    const intervalMs = heartbeatMs / 4, seen = new Map<number, { count: number; atBeat: number }>();
    for (let beat = 1; !this.#ending.signal.aborted; beat++) {
      try {
        await within(store.add(`${prefix}/alive/${node}`, 1), heartbeatMs);
        if (node === 0) {
          for (const other of nodes.slice(1)) {
            const counter = await within(store.get(`${prefix}/alive/${other}`), heartbeatMs);
            const count = Number(new TextDecoder().decode(counter));
            const known = seen.get(other) ?? { count: 0, atBeat: beat };
            seen.set(other, count === known.count ? known : { count, atBeat: beat });
            // Counted in beats of this host: time in which it did not run itself is not held against others. A host that never was there is missed elsewhere.
            if (known.count > 0 && count === known.count && beat - known.atBeat > 4) {
              const told = {
                node,
                host,
                lost: other,
                message: `the host with node rank ${other} does not answer any more`,
              };
              await this.#publish(told);
              return hear(told);
            }
          }
        }
      } catch (error) {
        if (this.#ending.signal.aborted) return;
        if (!(error instanceof CommTimeoutError)) throw error;
        const message = "the host with node rank 0 does not answer any more";
        return hear({ node, host, lost: 0, message });
      }
      await sleep(intervalMs, this.#ending.signal);
    }
  }

  async #publish(told: Told): Promise<void> {
    const { store, prefix, heartbeatMs } = this.#options;
    try {
      const { value } = await within(store.compareAndSet(`${prefix}/failed`, undefined, encode(told)), heartbeatMs);
      if (value) this.#told ??= decode<Told>(value);
    } catch (error) {
      // Without the store the others notice that it is gone.
      if (!(error instanceof CommTimeoutError)) throw error;
    }
  }
}

function gone(): CommTimeoutError {
  return new CommTimeoutError("the run's store does not answer", { operation: "store", timeoutMs: 0 });
}

/** @throws CommTimeoutError if the store does not answer in time */
async function within<T>(request: Promise<T>, timeoutMs: number): Promise<T> {
  let timer;
  const timeout = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(gone()), timeoutMs);
  });
  // It may still fail when nobody waits for it any more.
  request.catch(() => {});
  try {
    return await Promise.race([request, timeout]);
  } finally {
    clearTimeout(timer);
  }
}

/** What all hosts together come to: the failure that the others follow from; else a stop; else the end. */
function worstOf(all: readonly Ended[]): Outcome {
  const failed = all.filter(({ cause }) => cause).sort((a, b) =>
    echoWeight(a.cause!.error) - echoWeight(b.cause!.error) || a.node - b.node
  );
  // A host that ended for what another told it has no cause of its own, and comes after that one.
  const order: Outcome["category"][] = ["rank", "stopped", "infrastructure", "resumable", "finished"];
  const [worst] = failed.length > 0
    ? failed
    : [...all].sort((a, b) => order.indexOf(a.category) - order.indexOf(b.category));
  const { exitCode, category, cause } = worst;
  return { exitCode, category, cause };
}

function encode(value: object): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(value));
}

function decode<T>(bytes: Uint8Array): T {
  return JSON.parse(new TextDecoder().decode(bytes)) as T;
}

function sleep(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve();
    const timer = setTimeout(done, ms);
    signal.addEventListener("abort", done, { once: true });
    function done() {
      clearTimeout(timer);
      signal.removeEventListener("abort", done);
      resolve();
    }
  });
}
