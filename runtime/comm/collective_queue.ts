import { type Clock, systemClock } from "../core/clock.ts";
import type { UserCall } from "../core/user_call.ts";
import { Agreement } from "./agreement.ts";
import { CurrentCollective } from "./current_collective.ts";
import { Exchange } from "./exchange.ts";
import { Farewells } from "./farewells.ts";
import type { Signature } from "./frame.ts";
import { GroupFailure } from "./group_failure.ts";
import type { GroupWatch } from "./group_watch.ts";
import { NumberedFrames } from "./numbered_frames.ts";
import { RollCall } from "./roll_call.ts";
import type { WaitOptions } from "./store.ts";
import type { Transport } from "./transport.ts";

/** How long a collective waits unless told otherwise: 30 minutes. */
export const COLLECTIVE_TIMEOUT_MS = 30 * 60_000;
const MAX_EARLY_BYTES = 4 * 1024 ** 3;

/** Options of {@linkcode CollectiveQueue}. */
export interface CollectiveQueueOptions {
  /** How often the run was restarted: frames of another generation are dropped. Default: 0. */
  generation?: number;
  /** What all ranks of the group know and nobody else: frames without it are dropped. Default: 0n. */
  token?: bigint;
  /** Default: 30 minutes. */
  collectiveTimeoutMs?: number;
  /** The number of the first collective, 1 unless the group itself needs some before the user's. Default: 1. */
  firstSequence?: number;
  /** How much another rank may send before this one comes to it, in bytes. Default: 4 GiB, as much as all-gather takes of a rank. */
  maxEarlyBytes?: number;
  /** Default: the clock of this process. */
  clock?: Clock;
  /** What this host is called. Default: the others are not told. */
  hostName?: string;
  /** Sees what the collectives do, and knows of failures that no frame tells. Default: nobody. */
  watch?: GroupWatch;
}

/**
 * Carries out one collective after the other over a transport, until one fails or the group is left: what goes wrong in one becomes an error that every rank
 * gets, and that every later one throws. The frames of a collective are its {@linkcode Exchange}'s business.
 */
export class CollectiveQueue {
  readonly #transport: Transport;
  readonly #timeoutMs: number;
  readonly #clock: Clock;
  readonly #watch: GroupWatch | undefined;
  readonly #collective: CurrentCollective;
  readonly #failure: GroupFailure;
  readonly #farewells: Farewells;
  readonly #agreement: Agreement;
  readonly #exchange: Exchange;
  #tail: Promise<unknown> = Promise.resolve();
  #closing: Promise<void> | undefined;

  constructor(transport: Transport, options: CollectiveQueueOptions = {}) {
    const { generation = 0, token = 0n, firstSequence = 1, maxEarlyBytes = MAX_EARLY_BYTES, hostName, watch } = options;
    const { clock = systemClock } = options, { rank, worldSize } = transport;
    const collective = new CurrentCollective(rank, firstSequence - 1), rollCall = new RollCall(rank, worldSize);
    const frames = new NumberedFrames(transport, { generation, token, collective });
    const failure = new GroupFailure(frames, collective);
    const farewells = new Farewells({ frames, collective, rollCall, hostName });
    const agreement = new Agreement({ transport, frames, collective, rollCall, failure, farewells, clock });
    this.#transport = transport;
    this.#timeoutMs = options.collectiveTimeoutMs ?? COLLECTIVE_TIMEOUT_MS;
    this.#clock = clock;
    this.#watch = watch;
    this.#collective = collective;
    this.#failure = failure;
    this.#farewells = farewells;
    this.#agreement = agreement;
    this.#exchange = new Exchange(transport, {
      ...{ frames, collective, failure, farewells, agreement, clock, watch, maxEarlyBytes },
    });
  }

  /** Queues a collective; it starts when those before it are done. `call` tells where the user called. */
  run<T>(
    signature: Signature,
    options: WaitOptions & { call: UserCall },
    body: (exchange: Exchange) => Promise<T>,
  ): Promise<T> {
    const result = this.#tail.then(() => this.#turn(signature, options, body));
    this.#tail = result.catch(() => {});
    return result;
  }

  /** Resolves when all that was called so far is over, well or not. */
  get idle(): Promise<unknown> {
    return this.#tail;
  }

  /** Tells the others that this rank failed. Their collectives reject, and from now on this rank's do. */
  async abort(reason: Error, lingerMs = 1000): Promise<void> {
    if (!this.#closing) {
      this.#failure.note(reason);
      this.#failure.tellOwn(reason);
      this.#transport.wake();
      await this.#close(lingerMs);
    }
    await this.#closing;
  }

  /** Leaves the group: what was sent still reaches the others, what was queued rejects. */
  async close(lingerMs = 2000): Promise<void> {
    if (!this.#closing) {
      const whole = !this.#failure.error;
      this.#failure.note(new Error("the process group was closed while this collective was waiting"));
      if (whole) this.#farewells.say();
      this.#transport.wake();
      await this.#close(whole ? lingerMs : Math.min(lingerMs, 500));
    }
    await this.#closing;
  }

  /** The same for a process that ends, and so cannot wait: blocks until the others have been told, for a second at most. */
  leaveNow(exitCode: number): void {
    if (this.#closing) return;
    const whole = !this.#failure.error;
    this.#failure.note(new Error("the process ends"));
    if (whole) this.#farewells.say({ exitCode });
    this.#closing = Promise.resolve();
    this.#transport.closeNow(whole ? 1000 : 500);
  }

  #close(lingerMs: number): Promise<void> {
    this.#closing = (async () => {
      await this.#tail;
      await this.#transport.close(lingerMs);
      this.#exchange.clear();
    })();
    return this.#closing;
  }

  async #turn<T>(
    signature: Signature,
    options: WaitOptions & { call: UserCall },
    body: (exchange: Exchange) => Promise<T>,
  ): Promise<T> {
    if (this.#closing) throw this.#closedError(signature);
    if (this.#failure.error) throw this.#failure.error;
    const { call, signal, timeoutMs = this.#timeoutMs } = options, collective = this.#collective;
    const abort = () => this.#transport.wake();
    collective.begin(signature, { call, signal, timeoutMs, now: this.#clock.now() });
    this.#agreement.begin();
    signal?.addEventListener("abort", abort);
    this.#watch?.began(signature.kind, collective.sequence);
    try {
      this.#exchange.begin(signature);
      if (this.#agreement.disagrees) await this.#agreement.consult();
      const result = await body(this.#exchange);
      this.#exchange.end();
      // Not after a failure, so that it can be told where that was.
      this.#watch?.ended();
      return result;
    } catch (error) {
      const known = this.#failure.error !== undefined, first = this.#failure.note(error as Error);
      if (!known) this.#failure.tellOwn(first);
      throw first;
    } finally {
      signal?.removeEventListener("abort", abort);
      collective.end();
      this.#transport.release();
      this.#agreement.end();
    }
  }

  #closedError(signature: Signature): Error {
    return new Error(`the process group is closed; ${signature.kind} cannot be called any more`, {
      cause: this.#failure.error,
    });
  }
}
